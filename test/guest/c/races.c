/*
 * races.c: programs with a bug that only some orders of threads show, and the
 * same programs without it. races NAME THREADS exits with 1 when the bug showed.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int threads;
static pthread_t ids[64];

static int each(void *(*f)(void *))
{
	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], 0, f, (void *)i))
			exit(2);
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], 0);
	return 0;
}

/* Lost update: a counter without a lock. No call is made between load and store. */
static volatile long counter;
enum { ROUNDS = 1000 };

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		counter = counter + 1;
	return 0;
}

static int lost_update(void)
{
	each(count);
	printf("%ld\n", counter);
	return counter != (long)threads * ROUNDS;
}

/* Publish ordering: the flag is set before the data. */
static volatile int ready, data[64];

static void *publish(void *arg)
{
	long i = (long)arg;
	if (i == 0) {
		ready = 1;
		for (int n = 0; n < 64; n++)
			data[n] = n + 1;
		return 0;
	}
	if (ready && data[63] != 64)
		return (void *)1;
	return 0;
}

static int publish_ordering(void)
{
	int bad = 0;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], 0, publish, (void *)i))
			exit(2);
	for (int i = 0; i < threads; i++) {
		void *r;
		pthread_join(ids[i], &r);
		bad |= r != 0;
	}
	return bad;
}

/* Order violation: a thread uses what its creator sets up after creating it. */
static volatile int config;

static void *use(void *arg) { return (void *)(long)(config == 0); }

static int order_violation(void)
{
	int bad = 0;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], 0, use, (void *)i))
			exit(2);
	config = 1;
	for (int i = 0; i < threads; i++) {
		void *r;
		pthread_join(ids[i], &r);
		bad |= r != 0;
	}
	return bad;
}

/* Lost wake-up: the waiter looks at the flag outside the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile int go_on;

static void *await(void *arg)
{
	if ((long)arg == 0) {
		go_on = 1;
		pthread_cond_broadcast(&cond);
		return 0;
	}
	if (!go_on) {
		pthread_mutex_lock(&lock);
		pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
	}
	return 0;
}

static int lost_wakeup(void) { return each(await); }

/* Without the bugs. */
static void *count_locked(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter = counter + 1;
		pthread_mutex_unlock(&lock);
	}
	return 0;
}

static int mutex(void)
{
	each(count_locked);
	return counter != (long)threads * ROUNDS;
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static volatile long a, b;

static void *rw_user(void *arg)
{
	long bad = 0;
	for (int i = 0; i < 100; i++) {
		if (((long)arg + i) % 3 == 0) {
			pthread_rwlock_wrlock(&rw);
			a++;
			b++;
			pthread_rwlock_unlock(&rw);
		} else {
			pthread_rwlock_rdlock(&rw);
			bad |= a != b;
			pthread_rwlock_unlock(&rw);
		}
	}
	if (bad)
		exit(1);
	return 0;
}

static int rwlock(void) { return each(rw_user); }

static void *await_right(void *arg)
{
	pthread_mutex_lock(&lock);
	if ((long)arg == 0) {
		go_on = 1;
		pthread_cond_broadcast(&cond);
	}
	while (!go_on)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int condvar(void) { return each(await_right); }

/* Everybody writes, all meet, everybody reads what its neighbours wrote. */
static pthread_barrier_t met;
static volatile int cells[64];

static void *meet(void *arg)
{
	long me = (long)arg;
	for (int round = 1; round <= 20; round++) {
		cells[me] = round;
		pthread_barrier_wait(&met);
		for (int i = 0; i < threads; i++)
			if (cells[i] != round)
				exit(1);
		pthread_barrier_wait(&met);
	}
	return 0;
}

static int barrier(void)
{
	pthread_barrier_init(&met, 0, threads);
	return each(meet);
}

/* A ring of two places between the even threads and the odd ones. */
static sem_t places, items, one;
static volatile long ring[2], in, out, sum;

static void *ring_user(void *arg)
{
	long me = (long)arg;
	if (me == threads - 1 && threads % 2)
		return 0; /* nobody is left to take what it would put */
	for (int i = 0; i < 50; i++) {
		sem_wait(me % 2 ? &items : &places);
		sem_wait(&one);
		if (me % 2)
			sum += ring[out++ % 2];
		else
			ring[in++ % 2] = 1 + me + i;
		sem_post(&one);
		sem_post(me % 2 ? &places : &items);
	}
	return 0;
}

static int semaphore(void)
{
	long want = 0;
	sem_init(&places, 0, 2);
	sem_init(&items, 0, 0);
	sem_init(&one, 0, 1);
	each(ring_user);
	for (int me = 0; me + 1 < threads; me += 2)
		for (int i = 0; i < 50; i++)
			want += 1 + me + i;
	return sum != want;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*f)(void); } all[] = {
		{"lost_update", lost_update}, {"publish_ordering", publish_ordering},
		{"order_violation", order_violation}, {"lost_wakeup", lost_wakeup},
		{"mutex", mutex}, {"rwlock", rwlock}, {"condvar", condvar},
		{"barrier", barrier}, {"semaphore", semaphore},
	};
	if (argc != 3 || (threads = atoi(argv[2])) < 1 || threads > 64)
		return 2;
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name))
			return all[i].f();
	return 2;
}
