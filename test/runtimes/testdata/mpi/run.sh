# MPI on one host: four processes over shared memory and over the loopback.
set -e
mpicc main.c -o main
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
mpirun --oversubscribe -n 4 ./main
mpirun --oversubscribe -n 3 --mca btl self,tcp --mca btl_tcp_if_include lo ./main
