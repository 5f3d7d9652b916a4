// futex_waitv, futex_wake, futex_wait, futex_requeue: says the same natively
// on Linux 6.7 and later.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define U32 2
#define PRIVATE 128

struct waitv { uint64_t val, addr; uint32_t flags, spare; };
static uint32_t w[4] __attribute__((aligned(16)));
static char order[16];
static int next;

static void show(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : ""); fflush(stdout); }
static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000L}; while (nanosleep(&t, &t) && errno == EINTR) {} }
static void handler(int s) { (void)s; }
static long waitv(struct waitv *v, int n, struct timespec *t) { return syscall(449, v, n, 0, t, CLOCK_MONOTONIC); }
static long wake(void *a, unsigned long mask, int n, int flags) { return syscall(454, a, mask, n, flags); }
static long wait2(void *a, unsigned long val, unsigned long mask, int flags, struct timespec *t) { return syscall(455, a, val, mask, flags, t, CLOCK_MONOTONIC); }
static long requeue(struct waitv *v, int nw, int nr) { return syscall(456, v, 0, nw, nr); }

static void *one(void *a) {
	long r = wait2(&w[0], 0, 1ul << ((long)a - 'a'), U32 | PRIVATE, 0);
	order[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST)] = r == 0 ? (long)a : '?';
	return 0;
}

static struct waitv all[3];
static void *many(void *a) { return (void *)waitv(all, 3, 0); }
static void *restarted(void *a) { return (void *)wait2(&w[0], 0, ~0u, U32 | PRIVATE, 0); }

int main(void) {
	struct timespec t;
	pthread_t th[4];
	void *r;
	if (syscall(454, w, 1, 1, U32 | PRIVATE) < 0 && errno == ENOSYS) return 77;
	show("flags", wake(w, 1, 1, 0));
	show("numa", wake(w, 1, 1, U32 | 64));
	show("mask", wake(w, 0, 1, U32));
	show("wide mask", wake(w, 1ul << 32, 1, U32));
	show("unaligned", wake((char *)w + 1, 1, 1, U32));
	show("nobody", wake(w, 1, 1, U32));
	show("value", wait2(w, 5, 1, U32, 0));
	show("wide value", wait2(w, 1ul << 32, 1, U32, 0));
	show("no mask", wait2(w, 0, 0, U32, 0));
	show("fault", wait2((void *)16, 0, 1, U32, 0));
	clock_gettime(CLOCK_MONOTONIC, &t);
	show("past", wait2(w, 0, 1, U32, &t));
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; }
	show("late", wait2(w, 0, 1, U32, &t));
	show("clock", syscall(455, w, 0, 1, U32, &t, 7));

	for (long i = 0; i < 4; i++) { pthread_create(&th[i], 0, one, (void *)('a' + i)); ms(20); }
	show("wake none", wake(w, ~0u, 0, U32 | PRIVATE));
	show("wake c", wake(w, 4, 9, U32 | PRIVATE));
	ms(20);
	for (int i = 0; i < 3; i++) all[i] = (struct waitv){0, (uintptr_t)&w[i], U32 | PRIVATE, 0};
	w[0] = 1;
	show("changed", requeue(all, 1, 1));
	w[0] = 0;
	show("requeue", requeue(all, 1, 1));
	ms(20);
	show("wake first", wake(&w[0], ~0u, 9, U32 | PRIVATE));
	ms(20);
	show("wake second", wake(&w[1], ~0u, 9, U32 | PRIVATE));
	for (int i = 0; i < 4; i++) pthread_join(th[i], 0);
	printf("%s\n", order);

	show("none", waitv(all, 0, 0));
	show("too many", waitv(all, 129, 0));
	show("null", waitv(0, 1, 0));
	t.tv_nsec = 0;
	show("past", waitv(all, 3, &t));
	w[2] = 1;
	show("value", waitv(all, 3, 0));
	w[2] = 0;
	all[1].spare = 1;
	show("spare", waitv(all, 3, 0));
	all[1].spare = 0;
	pthread_create(&th[0], 0, many, 0);
	ms(20);
	show("wake", wake(&w[1], ~0u, 9, U32 | PRIVATE));
	pthread_join(th[0], &r);
	show("index", (long)r);
	show("left", wake(&w[0], ~0u, 9, U32 | PRIVATE) + wake(&w[2], ~0u, 9, U32 | PRIVATE));

	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &sa, 0);
	pthread_create(&th[0], 0, restarted, 0);
	ms(20);
	pthread_kill(th[0], SIGUSR1);
	ms(20);
	show("still there", wake(&w[0], ~0u, 9, U32 | PRIVATE));
	pthread_join(th[0], &r);
	show("restarted", (long)r);

	// Between processes: an anonymous mapping, and System V memory.
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	uint32_t *s[2] = {mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), shmat(id, 0, 0)};
	shmctl(id, IPC_RMID, 0);
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			if (i) s[1] = mremap(s[1], 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, 0x10000000);
			_exit(wait2(s[i], 0, 1, U32, 0));
		}
		ms(50);
		show("shared", wake(s[i], 1, 9, U32));
		int st;
		wait(&st);
		show("status", st);
	}
	return 0;
}
