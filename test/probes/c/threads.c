// Threads: races between them, every kind of lock, spinning, and their ends.
#include "probe.h"
#include <linux/membarrier.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static pthread_t th[1000];
static void start(int n, void *(*f)(void *))
{
	for (long i = 0; i < n; i++)
		MUST((errno = pthread_create(&th[i], 0, f, (void *)i)) == 0);
}
static void join(int n)
{
	for (int i = 0; i < n; i++)
		MUST((errno = pthread_join(th[i], 0)) == 0);
}

// An array of 20 million elements that four threads write without a lock.
#define ELEMENTS 20000000u
static volatile unsigned char *array;
static void *writes(void *p)
{
	for (unsigned i = 0; i < ELEMENTS; i++) {
		array[i] = array[i] * 3 + (long)p + 1;
		if (i % 1000000 == 0)
			sched_yield();
	}
	return 0;
}
PROBE(thread_race_array)
{
	array = mmap(0, ELEMENTS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(array != MAP_FAILED);
	start(4, writes);
	join(4);
	uint64_t h = HASH0;
	for (unsigned i = 0; i < ELEMENTS; i++)
		h = (h ^ array[i]) * 0x100000001b3ull;
	printf("%lx\n", h);
}

static volatile int counter;
static void *counts(void *p)
{
	for (int i = 0; i < 200000; i++) {
		int c = counter;
		if (i % 1000 == 0)
			getppid();
		counter = c + 1;
	}
	return 0;
}
PROBE(thread_race_counter)
{
	start(8, counts);
	join(8);
	printf("%d\n", counter);
	CHECK(counter >= 200000 && counter <= 1600000);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char order[65536];
static int ordered;
static void mark(char c) { order[ordered++] = c; }
static void show(void)
{
	printf("%d %lx %.80s\n", ordered, hash_bytes(HASH0, order, ordered), order);
	ordered = 0;
}
static void *locks(void *p)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		mark('a' + (long)p);
		pthread_mutex_unlock(&mutex);
		if (i % 7 == (long)p)
			sched_yield();
	}
	return 0;
}
PROBE(thread_mutex)
{
	start(8, locks);
	join(8);
	CHECK(ordered == 8000);
	show();
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn, arrived;
static void *takes_turns(void *p)
{
	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 6 != (long)p)
			pthread_cond_wait(&cond, &mutex);
		turn++;
		mark('0' + (long)p);
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return 0;
}
static void *waits(void *p)
{
	pthread_mutex_lock(&mutex);
	arrived++;
	while (turn == 0)
		pthread_cond_wait(&cond, &mutex);
	mark('a' + (long)p);
	pthread_mutex_unlock(&mutex);
	return 0;
}
PROBE(thread_condvar)
{
	start(6, takes_turns);
	join(6);
	CHECK(ordered == 600 && !strncmp(order, "012345012345", 12));
	show();
	turn = 0;
	start(16, waits);
	for (int n = 0; n < 16; sched_yield())
		pthread_mutex_lock(&mutex), n = arrived, pthread_mutex_unlock(&mutex);
	pthread_mutex_lock(&mutex);
	turn = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	join(16);
	CHECK(ordered == 16);
	show(); // who is woken first
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static int value, torn;
static void *reads_writes(void *p)
{
	for (int i = 0; i < 300; i++) {
		if ((i + (long)p) % 5 == 0) {
			pthread_rwlock_wrlock(&rw);
			int v = value;
			sched_yield();
			value = v + 1;
			mark('a' + (long)p);
		} else {
			pthread_rwlock_rdlock(&rw);
			int v = value;
			sched_yield();
			if (v != value)
				torn++;
		}
		pthread_rwlock_unlock(&rw);
	}
	return 0;
}
PROBE(thread_rwlock)
{
	start(5, reads_writes);
	join(5);
	CHECK(value == 300 && torn == 0);
	show();
}

static pthread_barrier_t barrier;
static atomic_int serial;
static void *meets(void *p)
{
	for (int i = 0; i < 50; i++) {
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
			mark('a' + (long)p);
			serial++;
		}
		pthread_barrier_wait(&barrier);
	}
	return 0;
}
PROBE(thread_barrier)
{
	pthread_barrier_init(&barrier, 0, 7);
	start(7, meets);
	join(7);
	CHECK(serial == 50);
	show();
}

static sem_t items, room;
static int box[3], in, out;
static void *produces(void *p)
{
	for (int i = 0; i < 100; i++) {
		sem_wait(&room);
		pthread_mutex_lock(&mutex);
		box[in++ % 3] = 'a' + (long)p;
		pthread_mutex_unlock(&mutex);
		sem_post(&items);
	}
	return 0;
}
PROBE(thread_semaphore)
{
	sem_init(&items, 0, 0);
	sem_init(&room, 0, 3);
	start(4, produces);
	for (int i = 0; i < 400; i++) {
		sem_wait(&items);
		pthread_mutex_lock(&mutex);
		mark(box[out++ % 3]);
		pthread_mutex_unlock(&mutex);
		sem_post(&room);
	}
	join(4);
	show();
}

static pthread_spinlock_t spin;
static void *spins(void *p)
{
	for (int i = 0; i < 10; i++) {
		pthread_spin_lock(&spin);
		mark('a' + (long)p);
		if (i % 5 == 0)
			sched_yield(); // the others spin
		pthread_spin_unlock(&spin);
		getppid();
	}
	return 0;
}
PROBE(thread_spin_lock)
{
	pthread_spin_init(&spin, 0);
	start(4, spins);
	join(4);
	CHECK(ordered == 40);
	show();
}

static atomic_int flag, seen;
static void *on_flag(void *p)
{
	while (!atomic_load(&flag))
		if (p)
			__builtin_ia32_pause();
	mark('a' + (long)p);
	seen++;
	return 0;
}
PROBE(thread_spin_flag)
{
	start(4, on_flag);
	getppid();
	sched_yield();
	flag = 1;
	while (seen != 4)
		;
	join(4);
	CHECK(ordered == 4);
	show();
}

static atomic_long rounds[2];
static void *on_yield(void *p)
{
	for (; !atomic_load(&flag); rounds[0]++)
		sched_yield();
	return 0;
}
static void *on_clock(void *p)
{
	while (!atomic_load(&rounds[0])) // a busy host starts the other one late
		usleep(100);
	for (int64_t end = now(CLOCK_MONOTONIC) + 2 * MS; now(CLOCK_MONOTONIC) < end; rounds[1]++)
		;
	flag = 1;
	return 0;
}
PROBE(thread_spin_calls)
{
	start(1, on_yield);
	MUST((errno = pthread_create(&th[1], 0, on_clock, 0)) == 0);
	join(2);
	CHECK(rounds[0] > 0 && rounds[1] > 0);
	printf("%ld %ld\n", rounds[0], rounds[1]);
}

static pthread_mutex_t special;
static void *holds(void *p)
{
	pthread_mutex_lock(&special);
	flag = 1;
	usleep(20000);
	return 0;
}
static void *wants(void *p)
{
	int r = pthread_mutex_lock(&special);
	mark('a' + (long)p);
	if (r == EOWNERDEAD) {
		mark('!');
		pthread_mutex_consistent(&special);
	} else
		CHECK(r == 0);
	pthread_mutex_unlock(&special);
	return 0;
}
static void special_mutex(int protocol, int robust)
{
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, protocol);
	pthread_mutexattr_setrobust(&a, robust);
	MUST((errno = pthread_mutex_init(&special, &a)) == 0);
	pthread_t owner;
	flag = 0;
	if (robust)
		MUST((errno = pthread_create(&owner, 0, holds, 0)) == 0);
	while (robust && !flag)
		usleep(1000);
	start(6, wants);
	join(6);
	if (robust)
		pthread_join(owner, 0);
	CHECK(ordered == (robust ? 7 : 6) && !!memchr(order, '!', ordered) == !!robust);
	show();
}
PROBE(thread_robust) { special_mutex(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST); }
PROBE(thread_pi)
{
	special_mutex(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
	special_mutex(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST);
}

// A lock in memory that processes share at different addresses.
PROBE(thread_futex_processes)
{
	int fd = memfd_create("lock", 0);
	MUST(fd >= 0 && ftruncate(fd, 1 << 16) == 0);
	struct { pthread_mutex_t m; int n; char who[4096]; } *s = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->m, &a);
	pid_t pid[4];
	for (int i = 0; i < 4; i++)
		if ((pid[i] = fork()) == 0) {
			s = mmap((void *)(0x10000000ul * (i + 2)), 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
			for (int k = 0; k < 200; k++) {
				pthread_mutex_lock(&s->m);
				int n = s->n;
				if (k % 10 == 0)
					sched_yield();
				s->who[n] = 'a' + i;
				s->n = n + 1;
				pthread_mutex_unlock(&s->m);
			}
			_exit(0);
		}
	for (int i = 0; i < 4; i++)
		wait_ok(pid[i]);
	CHECK(s->n == 800);
	printf("%lx %.60s\n", hash_bytes(HASH0, s->who, s->n), s->who);
}

static __thread int own = 7;
static pthread_key_t key;
static void gone(void *p) { mark('A' + (long)p - 1); }
static void *uses_own(void *p)
{
	own += (long)p;
	pthread_setspecific(key, (void *)((long)p + 1));
	sched_yield();
	CHECK(own == 7 + (long)p && pthread_getspecific(key) == (void *)((long)p + 1));
	return 0;
}
PROBE(thread_local)
{
	pthread_key_create(&key, gone);
	start(20, uses_own);
	join(20);
	CHECK(own == 7 && ordered == 20);
	show();
}

static void cleans(void *p) { mark('a' + (long)p); }
static void *cancelled(void *p)
{
	pthread_cleanup_push(cleans, p);
	switch ((long)p) {
	case 0: pause(); break;
	case 1: sleep(100); break;
	case 2: { int fd[2]; char c; pipe(fd); read(fd[0], &c, 1); break; }
	case 3: { sem_t s; sem_init(&s, 0, 0); sem_wait(&s); break; }
	case 4: pthread_mutex_lock(&special), pthread_cond_wait(&cond, &special); break;
	case 5: for (;;) { pthread_testcancel(); sched_yield(); }
	case 6: pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0); for (;;) getppid();
	case 7: poll(0, 0, -1); break;
	}
	pthread_cleanup_pop(0);
	return 0;
}
PROBE(thread_cancel)
{
	special = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	start(8, cancelled);
	usleep(30000);
	for (int i = 0; i < 8; i++) {
		void *r;
		CHECK(pthread_cancel(th[i]) == 0);
		CHECK(pthread_join(th[i], &r) == 0 && r == PTHREAD_CANCELED);
	}
	CHECK(ordered == 8);
	show();
}

static int jobs;
static void *works(void *p)
{
	for (;;) {
		pthread_mutex_lock(&mutex);
		int j = jobs > 0 ? jobs-- : 0;
		if (j)
			mark('a' + (long)p);
		pthread_mutex_unlock(&mutex);
		if (!j)
			return 0;
		burn(j % 10 * 1000);
		getppid();
	}
}
PROBE(thread_pool)
{
	jobs = 5000;
	start(8, works);
	join(8);
	CHECK(ordered == 5000);
	show();
}

static void *little(void *p)
{
	pthread_mutex_lock(&mutex);
	counter += (long)p;
	order[ordered++] = (long)p;
	pthread_mutex_unlock(&mutex);
	return 0;
}
PROBE(thread_1000)
{
	start(1000, little);
	join(1000);
	CHECK(counter == 499500);
	printf("%d %lx\n", ordered, hash_bytes(HASH0, order, ordered));
}

// Clocks of threads, what the scheduler says, barriers between processors.
static void *busy(void *p)
{
	clockid_t c;
	int64_t a = now(CLOCK_THREAD_CPUTIME_ID);
	burn(1000000);
	for (int i = 0; i < 1000; i++)
		getppid();
	int64_t b = now(CLOCK_THREAD_CPUTIME_ID);
	CHECK(b > a && pthread_getcpuclockid(pthread_self(), &c) == 0 && now(c) >= b);
	printf("%ld %ld\n", a, b);
	return 0;
}
PROBE(thread_clocks)
{
	start(2, busy);
	join(2);
	printf("%ld %ld\n", now(CLOCK_THREAD_CPUTIME_ID), now(CLOCK_PROCESS_CPUTIME_ID));
	struct sched_param sp = {0};
	struct timespec rr;
	cpu_set_t set;
	CHECK(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &sp) == 0 && sp.sched_priority == 0);
	CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_FIFO) == 1);
	CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
	CHECK(sched_rr_get_interval(0, &rr) == 0);
	printf("cpus %d rr %ld\n", CPU_COUNT(&set), rr.tv_nsec);
	long cmds = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	CHECK(cmds >= 0 || errno == ENOSYS);
	if (cmds & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	}
}
