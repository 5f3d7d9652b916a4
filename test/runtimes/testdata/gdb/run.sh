gcc -g main.c -o main
gdb -q -batch -nx -ex 'break f' -ex run -ex 'info args' -ex bt -ex continue ./main 2>&1
echo "status $?"
