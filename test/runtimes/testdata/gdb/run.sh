# A process has one tracer, and that is the supervisor.
gcc -g main.c -o main
out=$(gdb -q -batch -nx -ex 'break f' -ex run -ex 'info args' -ex bt -ex continue ./main 2>&1)
echo "$out"
case $out in
*"x = 0"*) echo traced ;;
*) echo "not traced"; exit 3 ;;
esac
