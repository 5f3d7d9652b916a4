# AddressSanitizer, and LeakSanitizer, which looks for leaks at the end.
set -e
gcc -g -fsanitize=address main.c -o main
for what in none leak overflow; do
	s=0
	ASAN_OPTIONS=detect_leaks=0 ./main $what 2>&1 || s=$?
	echo "$what without leaks: $s"
done
for what in none leak; do
	s=0
	./main $what 2>&1 || s=$?
	echo "$what: $s"
done
exit $s
