// The check and the wait are two steps: a signal between them is lost.
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile int ready;

static void *make_ready(void *unused)
{
	ready = 1;
	pthread_cond_signal(&cond);
	return unused;
}

int main(void)
{
	pthread_t t;
	pthread_create(&t, 0, make_ready, 0);
	if (!ready) {
		getppid();
		pthread_mutex_lock(&lock);
		pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
	}
	pthread_join(t, 0);
	return 0;
}
