/*
 * Threads that race: a counter and a list without a lock, who meets at a
 * barrier first, who gets a condition variable's signals.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 600 };

static volatile long counter;
static volatile int order[THREADS * 4], met;
static pthread_barrier_t barrier;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turns, running = THREADS;
static char taken[THREADS * 8 + 1];

static void *work(void *arg)
{
	long me = (long)arg;
	for (int i = 0; i < ROUNDS; i++) {
		counter = counter + 1;
		if (i % 150 == me)
			sched_yield();
		if (i % 220 == me)
			write(1, &"abcdefgh"[me], 1);
	}
	for (int i = 0; i < 4; i++) {
		pthread_barrier_wait(&barrier);
		order[met++ % (THREADS * 4)] = me;
	}
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 8; i++) {
		taken[turns++] = "abcdefgh"[me];
		pthread_cond_signal(&cond);
		for (int seen = turns; turns == seen && running > 1;)
			pthread_cond_wait(&cond, &lock);
		pthread_cond_signal(&cond);
	}
	running--;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	return 0;
}

int main(void)
{
	pthread_t ids[THREADS];
	pthread_barrier_init(&barrier, 0, THREADS);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&ids[i], 0, work, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], 0);
	printf("\n%ld %d %s\n", counter, met, taken);
	for (int i = 0; i < THREADS * 4; i++)
		printf("%d", order[i]);
	printf("\n");
	return 0;
}
