set -e
gcc -g -fsanitize=thread main.c -o main
s=0
./main >log 2>&1 || s=$?
cat log
echo "status $s"
grep -q 'data race' log
