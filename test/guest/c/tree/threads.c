// Threads: with signals, exec, exits, and waiting.
#include "tree.h"

static int pfd[2];

static void *sleeper(void *arg)
{
	switch ((long)arg % 4) {
	case 0:
		await(pfd[0]);
		break;
	case 1:
		ms(100000);
		break;
	case 2:
		poll(0, 0, -1);
		break;
	default:
		waitpid(-1, 0, 0);
		for (;;)
			pause();
	}
	return 0;
}

static void sleepers(int n)
{
	pthread_t t;
	MUST(pipe(pfd) == 0);
	for (long i = 0; i < n; i++)
		MUST(pthread_create(&t, 0, sleeper, (void *)i) == 0);
	if (rnd(2))
		ms(2);
}

static void *exec_now(void *arg)
{
	char *av[] = {"tree", "exit", "33", 0};
	again(av);
	return arg;
}

void op_exec_thread(void)
{
	pid_t c = child("e");
	if (c == 0) {
		pthread_t t;
		sleepers(rnd(5));
		if (rnd(3) == 0)
			exec_now(0);
		pthread_create(&t, 0, exec_now, 0);
		if (rnd(2))
			pthread_join(t, 0);
		else
			syscall(SYS_exit, 0);
	}
	R("exec %x", reap(c));
}

static void *exit_now(void *arg)
{
	ms(1);
	_exit(44);
	return arg;
}

void op_exit_group(void)
{
	pid_t c = child("g");
	if (c == 0) {
		pthread_t t;
		sleepers(1 + rnd(5));
		if (rnd(2))
			exit_now(0);
		pthread_create(&t, 0, exit_now, 0);
		pthread_join(t, 0);
	}
	R("exit %x", reap(c));
}

static void *work(void *arg)
{
	ms((long)arg);
	return 0;
}

// The leader goes first; the process ends with its last thread.
void op_leader(void)
{
	int p[2], how = rnd(3);
	MUST(pipe(p) == 0);
	pid_t c = child("l");
	if (c == 0) {
		pthread_t t;
		close(p[0]);
		for (long i = 1; i < 4; i++)
			pthread_create(&t, 0, how ? sleeper : work, (void *)i);
		tell(p[1]);
		syscall(SYS_exit, 5);
	}
	close(p[1]);
	await(p[0]);
	ms(1);
	if (how)
		MUST(kill(c, SIGTERM) == 0);
	R("closed %d", await(p[0]));
	R("end %x", reap(c));
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static int turn, players;
static char order[256];

static void *player(void *arg)
{
	for (int i = 0; i < 5; i++) {
		pthread_mutex_lock(&mu);
		while (turn % players != (long)arg)
			pthread_cond_wait(&cv, &mu);
		order[turn++] = '0' + (long)arg;
		pthread_cond_broadcast(&cv);
		pthread_mutex_unlock(&mu);
	}
	return 0;
}

void op_threads(void)
{
	pthread_t t[8];
	players = 2 + rnd(6);
	for (long i = 0; i < players; i++)
		MUST(pthread_create(&t[i], 0, player, (void *)i) == 0);
	for (int i = 0; i < players; i++)
		pthread_join(t[i], 0);
	R("order %s", order);
}

static int sum;

static void *adder(void *arg)
{
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mu);
		int v = sum;
		if (i % 50 == 0)
			sched_yield();
		sum = v + 1;
		pthread_mutex_unlock(&mu);
	}
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 2000000;
	if (t.tv_nsec >= 1000000000)
		t.tv_sec++, t.tv_nsec -= 1000000000;
	pthread_mutex_lock(&mu);
	int r = pthread_cond_timedwait(&cv, &mu, &t);
	pthread_mutex_unlock(&mu);
	return (void *)(long)r;
}

void op_mutex(void)
{
	pthread_t t[6];
	int n = 2 + rnd(4), late = 0;
	void *r;
	for (int i = 0; i < n; i++)
		MUST(pthread_create(&t[i], 0, adder, 0) == 0);
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], &r);
		late += (long)r == ETIMEDOUT;
	}
	R("sum %d late %d of %d", sum, late, n);
}

static pthread_barrier_t bar;

static void *at_barrier(void *arg)
{
	int serial = 0;
	for (int i = 0; i < 10; i++)
		serial += pthread_barrier_wait(&bar) == PTHREAD_BARRIER_SERIAL_THREAD;
	__sync_fetch_and_add(&sum, serial);
	return 0;
}

void op_barrier(void)
{
	pthread_t t[6];
	int n = 2 + rnd(4);
	pthread_barrier_init(&bar, 0, n);
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], 0, at_barrier, 0);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
	R("serial %d", sum);
}

static pid_t kid;
static int kid_status;

static void *waiter(void *arg)
{
	int st;
	if (waitpid(kid, &st, arg ? __WNOTHREAD : 0) == kid)
		kid_status = st;
	else
		kid_status = -errno;
	return 0;
}

// One thread waits for the child of another.
void op_wait_thread(void)
{
	pthread_t t;
	kid = child("w");
	if (kid == 0) {
		ms(rnd(4));
		_exit(8);
	}
	int alone = rnd(2);
	pthread_create(&t, 0, waiter, (void *)(long)alone);
	pthread_join(t, 0);
	R("status %x", kid_status);
	if (alone)
		R("end %x", reap(kid));
}

// Processes share a mutex and a counter.
void op_shared(void)
{
	struct { pthread_mutex_t mu; pthread_cond_t cv; int n; } *m = mmap(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	pthread_condattr_t ca;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, 1);
	pthread_mutex_init(&m->mu, &a);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, 1);
	pthread_cond_init(&m->cv, &ca);
	int n = 2 + rnd(3);
	pid_t c[5];
	for (int i = 0; i < n; i++)
		if ((c[i] = child("s")) == 0) {
			for (int k = 0; k < 100; k++) {
				pthread_mutex_lock(&m->mu);
				m->n++;
				pthread_cond_signal(&m->cv);
				pthread_mutex_unlock(&m->mu);
			}
			_exit(0);
		}
	pthread_mutex_lock(&m->mu);
	while (m->n < 100 * n)
		pthread_cond_wait(&m->cv, &m->mu);
	pthread_mutex_unlock(&m->mu);
	for (int i = 0; i < n; i++)
		reap(c[i]);
	R("sum %d", m->n);
}
