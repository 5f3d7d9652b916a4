#!/bin/sh
# gen-project.sh DIR N generates a C project of N files that looks like real
# code to make -j: many small objects, generated headers, a library, a program
# that uses __DATE__ and __TIME__ and records the order of its objects.
set -eu
dir=$1
n=$2
mkdir -p "$dir"
i=0
: >"$dir/all.h"
while [ "$i" -lt "$n" ]; do
	cat >"$dir/f$i.c" <<END
#include "gen.h"
#include <stdio.h>
#include <string.h>
static char buf$i[64];
const char *name$i(void) { snprintf(buf$i, sizeof buf$i, "f$i@%s", __FILE__); return buf$i; }
int f$i(int x) { int s = GEN_SALT; for (int j = 0; j < $i % 7 + 1; j++) s = s * 31 + x + j; return s + (int)strlen(name$i()); }
END
	printf 'int f%d(int);\n' "$i" >>"$dir/all.h"
	i=$((i + 1))
done
{
	printf '#include <stdio.h>\n#include "all.h"\nint main(void) {\n\tunsigned s = 0;\n'
	i=0
	while [ "$i" -lt "$n" ]; do
		printf '\ts += (unsigned)f%d(%d);\n' "$i" "$i"
		i=$((i + 1))
	done
	printf '\tprintf("built %%s %%s, sum %%u\\n", __DATE__, __TIME__, s);\n\treturn 0;\n}\n'
} >"$dir/main.c"
cat >"$dir/Makefile" <<'END'
CFLAGS = -O1 -g -Wall
OBJS = $(patsubst %.c,%.o,$(wildcard f*.c))
all: prog order.txt
# The salt makes a native build differ by process and by time, as real
# generators with temporary names and stamps do.
gen.h:
	echo "/* made by process $$$$ at $$(date +%s.%N) */" > $@.tmp
	echo "#define GEN_SALT 17" >> $@.tmp
	mv $@.tmp $@
$(OBJS) main.o: gen.h
%.o: %.c
	$(CC) $(CFLAGS) -c -o $@ $<
	@echo $< >> order.log
libf.a: $(OBJS)
	$(AR) rcU $@ $(OBJS)
prog: main.o libf.a
	$(CC) $(CFLAGS) -o $@ main.o libf.a
order.txt: prog
	mv order.log $@
check: prog
	./prog
END
