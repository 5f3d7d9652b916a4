#include <pthread.h>
#include <stdlib.h>

static int racy;

static void *work(void *p) { racy++; return p; }

int main(int argc, char **argv)
{
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], 0, work, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	int *p = malloc(40);
	p[9 + argc] = argv[0][0]; // beyond its end, and never freed
	return 0;
}
