/* Messages in a ring, reductions to the bit, any-source receives in the order they come. */
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int me, n, token = 0, from[16];
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &me);
	MPI_Comm_size(MPI_COMM_WORLD, &n);
	if (me == 0) {
		MPI_Send(&token, 1, MPI_INT, 1, 0, MPI_COMM_WORLD);
		MPI_Recv(&token, 1, MPI_INT, n - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		printf("ring %d\n", token);
	} else {
		MPI_Recv(&token, 1, MPI_INT, me - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		token += me;
		MPI_Send(&token, 1, MPI_INT, (me + 1) % n, 0, MPI_COMM_WORLD);
	}
	double part = 0, sum;
	for (int i = me; i < 100000; i += n)
		part += 1.0 / (i + 1);
	MPI_Allreduce(&part, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	if (me == 0)
		printf("sum %a\n", sum);
	for (int i = 0; i < 4; i++) {
		if (me == 0) {
			for (int k = 1; k < n; k++) {
				MPI_Status s;
				int v;
				MPI_Recv(&v, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &s);
				from[k] = s.MPI_SOURCE;
			}
			printf("round %d from", i);
			for (int k = 1; k < n; k++)
				printf(" %d", from[k]);
			printf("\n");
		} else {
			MPI_Send(&i, 1, MPI_INT, 0, 1, MPI_COMM_WORLD);
		}
	}
	static char big[1 << 20];
	MPI_Bcast(big, sizeof big, MPI_CHAR, 0, MPI_COMM_WORLD);
	MPI_Barrier(MPI_COMM_WORLD);
	printf("rank %d of %d is %d at %f\n", me, n, getpid(), MPI_Wtime());
	MPI_Finalize();
	return 0;
}
