set -e
gcc -O2 -fopenmp main.c -o main
./main
OMP_WAIT_POLICY=passive ./main
