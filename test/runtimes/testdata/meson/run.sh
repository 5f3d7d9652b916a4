# One project by meson and ninja: clang with lld and thin objects, gcc with gold
# and link-time optimisation in parallel.
set -e
mkdir src
i=0
while [ $i -lt 12 ]; do
	echo "int f$i(int x) { static const char *at = __FILE__ __TIME__; return x * $i + at[x % 4]; }" >src/f$i.c
	i=$((i + 1))
done
{
	echo '#include <stdio.h>'
	i=0
	while [ $i -lt 12 ]; do echo "int f$i(int);"; i=$((i + 1)); done
	printf '%s\n' 'int main(int n, char **v) { printf("%d of %s\n", f3(n) + f11(n), COMPILER); return 0; }'
} >src/main.c
cat >src/meson.build <<'EOT'
project('example', 'c', version: '1.0', default_options: ['buildtype=debugoptimized', 'default_library=both'])
sources = []
foreach i : range(12)
  sources += 'f@0@.c'.format(i)
endforeach
l = library('f', sources, install: true)
e = executable('prog', 'main.c', link_with: l.get_static_lib(), c_args: '-DCOMPILER="' + meson.get_compiler('c').get_id() + '"', install: true)
arguments = []
foreach i : range(6)
  arguments += 'x'
  test('runs @0@'.format(i), e, args: arguments)
endforeach
EOT
build() {
	meson setup "$@"
	ninja -C $1 -j8
	meson test -C $1 --num-processes 4
	DESTDIR=$PWD/$1.root meson install -C $1
	$1/prog
	(cd $1.root && find . -type f -exec sha256sum {} + | sort)
}
# /usr/bin/python3, not one of /usr/local.
export PATH=/usr/bin:/bin:/usr/sbin:/sbin
CC=clang CC_LD=lld build clang src
CC=gcc CC_LD=gold CFLAGS=-flto=4 build gcc src
