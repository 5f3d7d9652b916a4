# Finds the leak that LeakSanitizer cannot look for, a bad write and a race.
set -e
gcc -g main.c -o main
valgrind --leak-check=full ./main 2>&1
valgrind --tool=helgrind ./main 2>&1
