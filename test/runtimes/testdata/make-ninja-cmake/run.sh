# One project built by make -j8, by cmake with make and by cmake with ninja.
set -e
mkdir -p src
i=0
: >src/all.h
while [ $i -lt 24 ]; do
	echo "int f$i(int x) { return x * $i + __LINE__; }" >src/f$i.c
	echo "int f$i(int);" >>src/all.h
	i=$((i + 1))
done
{
	echo '#include <stdio.h>'
	echo '#include "all.h"'
	echo 'int main(void) { int t = 0;'
	i=0
	while [ $i -lt 24 ]; do echo "t += f$i($i);"; i=$((i + 1)); done
	echo 'return printf("%d ", t) < 0; }'
} >src/main.c
cat >src/Makefile <<'EOF'
objs := $(patsubst %.c,%.o,$(wildcard *.c))
prog: $(objs)
	$(CC) -o $@ $^
%.o: %.c
	@echo compile $<
	@$(CC) -c $< -o $@
EOF
make -C src -j8
./src/prog
make -C src -j8
cat >src/CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.10)
project(prog C)
file(GLOB sources *.c)
add_executable(prog ${sources})
enable_testing()
add_test(NAME runs COMMAND prog)
EOF
for generator in "Unix Makefiles" Ninja; do
	cmake -S src -B "build $generator" -G "$generator"
	cmake --build "build $generator" -j8
	(cd "build $generator" && ctest -j4)
	sha256sum "build $generator/prog"
done
