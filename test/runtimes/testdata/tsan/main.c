#include <pthread.h>
#include <stdio.h>

static int racy, locked;
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *p)
{
	for (int i = 0; i < 100; i++) {
		racy++;
		pthread_mutex_lock(&m);
		locked++;
		pthread_mutex_unlock(&m);
	}
	return p;
}

int main(void)
{
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], 0, work, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	printf("%d %d\n", racy, locked);
	return 0;
}
