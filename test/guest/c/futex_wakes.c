// FUTEX_WAKE with known and unknown waiters: how many it says it woke, and in
// which order they go on.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int words[8], order[64], done, ready;

static long futex(int *w, int op, long val, void *ts) { return syscall(SYS_futex, w, op, val, ts, 0, 0); }

static void *waiter(void *arg) {
	long me = (long)arg;
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	futex(&words[me % 8], FUTEX_WAIT_PRIVATE, 0, 0);
	order[__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST)] = me;
	return 0;
}

// All of n threads stand in their waits.
static void start(pthread_t *t, int n) {
	ready = done = 0;
	for (long i = 0; i < n; i++) pthread_create(&t[i], 0, waiter, (void *)i);
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < n) usleep(1000);
	usleep(50000);
}

static void show(const char *what, int n) {
	printf("%s:", what);
	for (int i = 0; i < n; i++) printf(" %d", order[i]);
	puts("");
}

// As wake(w, val) and an errno, made at one place.
static __attribute__((noinline)) long wake(int *w, int op, long val) {
	long r = futex(w, op, val, 0);
	return r < 0 ? -errno : r;
}

int main(void) {
	setvbuf(stdout, 0, _IONBF, 0);
	pthread_t t[64];
	for (int i = 0; i < 5; i++) // nobody waits
		printf("%ld %ld %ld\n", wake(&words[0], FUTEX_WAKE_PRIVATE, 1), wake((int *)((char *)words + 1), FUTEX_WAKE_PRIVATE, 1),
		       wake((int *)~3L, FUTEX_WAKE_PRIVATE, 1));

	start(t, 3); // three words
	printf("%ld", wake(&words[1], FUTEX_WAKE_PRIVATE, 5));
	printf(" %ld", wake(&words[1], FUTEX_WAKE_PRIVATE, 5));
	printf(" %ld", wake(&words[0], FUTEX_WAKE_PRIVATE, 0));
	printf(" %ld\n", wake(&words[2], FUTEX_WAKE_PRIVATE, -1));
	for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
	show("order", 3);

	start(t, 32); // more words than are published
	for (int i = 0; i < 8; i++) printf("%ld ", wake(&words[7 - i], FUTEX_WAKE_PRIVATE, i + 1));
	for (int i = 0; i < 8; i++) printf("%ld ", wake(&words[i], FUTEX_WAKE_PRIVATE, 1 << 20));
	puts("");
	for (int i = 0; i < 32; i++) pthread_join(t[i], 0);

	start(t, 16); // two for each word: three wakes of one, with a wait that ends by time
	for (int i = 0; i < 3; i++) printf("%ld ", wake(&words[0], FUTEX_WAKE_PRIVATE, 1));
	printf("%ld ", wake(&words[1], FUTEX_WAKE, 1));
	struct timespec ts = {0, 1000000};
	printf("%ld ", futex(&words[2], FUTEX_WAIT_PRIVATE, 0, &ts));
	printf("%ld\n", wake(&words[2], FUTEX_WAKE_PRIVATE, 9));
	for (int i = 0; i < 8; i++) wake(&words[i], FUTEX_WAKE_PRIVATE, 99);
	for (int i = 0; i < 16; i++) pthread_join(t[i], 0);

	// A mapping of another process is another futex.
	int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t p = fork();
	if (p == 0) {
		futex(shared, FUTEX_WAIT, 0, 0);
		_exit(7);
	}
	usleep(50000);
	for (int i = 0; i < 3; i++) printf("%ld ", wake(shared, FUTEX_WAKE_PRIVATE, 1));
	printf("%ld\n", wake(shared, FUTEX_WAKE, 1));
	waitpid(p, 0, 0);
	return 0;
}
