#!/bin/sh
# gen-git.sh DIR makes a git repository of a few commits whose hashes are the
# same everywhere: names, times and contents are fixed.
set -eu
dir=$1
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HOME=/nonexistent
export GIT_AUTHOR_NAME=Author GIT_AUTHOR_EMAIL=author@example.org
export GIT_COMMITTER_NAME=Author GIT_COMMITTER_EMAIL=author@example.org
mkdir -p "$dir"
cd "$dir"
git init -q -b main .
commit() {
	GIT_AUTHOR_DATE="$1 +0000" GIT_COMMITTER_DATE="$1 +0000" git commit -q -m "$2"
}
cat >Makefile <<'END'
prog: main.c version.h
	$(CC) -O2 -o $@ main.c
version.h:
	echo "#define VERSION \"$$(git describe --always --dirty)\"" > $@
check: prog
	./prog
END
i=0
while [ "$i" -lt 40 ]; do
	mkdir -p "d$((i % 5))"
	printf 'file %d\n' "$i" >"d$((i % 5))/f$i.txt"
	git add .
	[ $((i % 10)) != 9 ] || commit "$((1500000000 + i * 86400))" "Add files up to $i"
	i=$((i + 1))
done
cat >main.c <<'END'
#include <stdio.h>
#include "version.h"
int main(void) { printf("version %s built %s %s\n", VERSION, __DATE__, __TIME__); return 0; }
END
git add .
commit 1600000000 "Add the program"
GIT_COMMITTER_DATE='1600000000 +0000' git tag -a -m 'First release' v1.0
git gc -q
