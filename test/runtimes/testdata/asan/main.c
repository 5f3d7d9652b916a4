#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *keep;

static void *work(void *p) { free(malloc(100)); return p; }

int main(int argc, char **argv)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], 0, work, 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], 0);
	if (argc > 1 && !strcmp(argv[1], "leak")) {
		keep = malloc(123);
		keep = 0;
	}
	if (argc > 1 && !strcmp(argv[1], "overflow")) {
		char *p = malloc(10);
		p[argc + 8] = 1;
	}
	puts("done");
	return 0;
}
