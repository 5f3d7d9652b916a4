// Reductions and loops of every schedule: floating point sums depend on who
// added what, so they are printed to the bit.
#include <omp.h>
#include <stdio.h>

int main(void)
{
	double a = 0, b = 0, c = 0;
	int n = 200000, order[64], k = 0;

	omp_set_num_threads(4);
#pragma omp parallel for schedule(static) reduction(+:a)
	for (int i = 1; i <= n; i++)
		a += 1.0 / i;
#pragma omp parallel for schedule(dynamic, 64) reduction(+:b)
	for (int i = 1; i <= n; i++)
		b += 1.0 / i;
#pragma omp parallel for schedule(guided) reduction(+:c)
	for (int i = 1; i <= n; i++)
		c += 1.0 / i;
	printf("static %a dynamic %a guided %a\n", a, b, c);
#pragma omp parallel for schedule(dynamic, 1)
	for (int i = 0; i < 64; i++) {
#pragma omp critical
		order[k++] = i * 10 + omp_get_thread_num();
	}
	for (int i = 0; i < 64; i++)
		printf("%d ", order[i]);
	printf("\nthreads %d procs %d\n", omp_get_max_threads(), omp_get_num_procs());
	int t = 0;
#pragma omp parallel
#pragma omp single
	for (int i = 0; i < 20; i++)
#pragma omp task shared(t)
	{
#pragma omp atomic
		t += i;
	}
	printf("tasks %d\n", t);
	for (int i = 0; i < 100; i++) {
#pragma omp parallel
		{
#pragma omp barrier
		}
	}
	return 0;
}
