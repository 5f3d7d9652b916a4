// Every operation of futex(2) and its errors, between threads and processes:
// says the same natively, as far as the result is determined. The waits of
// 30 ms let the others get to sleep.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT, WAKE, FD, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET, WAIT_REQUEUE_PI, CMP_REQUEUE_PI, LOCK_PI2 };
#define PRIVATE 128
#define REALTIME 256
#define WAITERS 0x80000000u
#define DIED 0x40000000u

typedef uint32_t u32;
static u32 w[8] __attribute__((aligned(64)));
static const struct { const char *name; int op; } ops[] = {
	{"wait", WAIT}, {"wake", WAKE}, {"fd", FD}, {"requeue", REQUEUE}, {"cmp_requeue", CMP_REQUEUE}, {"wake_op", WAKE_OP}, {"lock_pi", LOCK_PI},
	{"unlock_pi", UNLOCK_PI}, {"trylock_pi", TRYLOCK_PI}, {"wait_bitset", WAIT_BITSET}, {"wake_bitset", WAKE_BITSET},
	{"wait_requeue_pi", WAIT_REQUEUE_PI}, {"cmp_requeue_pi", CMP_REQUEUE_PI}, {"lock_pi2", LOCK_PI2}, {"14", 14}, {"77", 77}};

static long fx(void *a, int op, u32 v, void *t, void *b, u32 v3) { return syscall(SYS_futex, a, op, v, t, b, v3); }
static void show(const char *what, const char *more, long r) { printf("%s %s: %ld %s\n", what, more, r, r < 0 ? strerrorname_np(errno) : ""); fflush(stdout); }
static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000L}; while (nanosleep(&t, &t) && errno == EINTR) {} }
static void handler(int s) { (void)s; }
static struct timespec in(int clock, int n) { struct timespec t; clock_gettime(clock, &t); t.tv_nsec += n * 1000000L; t.tv_sec += t.tv_nsec / 1000000000; t.tv_nsec %= 1000000000; return t; }
static int self(void) { return syscall(SYS_gettid); }
// word shows a lock's word without its owner's number.
static void word(const char *what, u32 v, u32 tid) {
	u32 o = v & 0x3fffffff;
	printf("%s:%s%s owner %s\n", what, v & WAITERS ? " waiters" : "", v & DIED ? " died" : "", o == 0 ? "none" : o == tid ? "right" : "other");
}

static void errors(void) {
	static struct timespec bad = {-1, 0}, big = {0, 1000000000}, past = {0, 0};
	char *ro = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *none = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *sro = mmap(0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < sizeof ops / sizeof *ops; i++) for (int p = 0; p <= PRIVATE; p += PRIVATE) {
		int op = ops[i].op | p;
		const char *n = ops[i].name;
		memset(w, 0, sizeof w);
		printf("-- %s%s\n", n, p ? " private" : "");
		show(n, "unaligned", fx((char *)w + 1, op, 1, &past, w + 1, 0));
		show(n, "unaligned, set", fx((char *)w + 1, op, 1, &past, w + 1, 1));
		show(n, "unmapped", fx((void *)0x10000, op, 1, &past, w + 1, 1));
		show(n, "of the kernel", fx((void *)0xffff800000000000, op, 1, &past, w + 1, 1));
		show(n, "no access", fx(none, op, 1, &past, w + 1, 1));
		show(n, "read-only", fx(ro, op, 0, &past, w + 1, 0));
		show(n, "read-only shared", fx(sro, op, 0, &past, w + 1, 0));
		show(n, "second unaligned", fx(w, op, 1, 0, (char *)w + 5, 0));
		show(n, "second unmapped", fx(w, op, 1, 0, (void *)0x10000, 0));
		w[0] = w[1] = 0;
		show(n, "second read-only", fx(w, op, 1, 0, ro, 0));
		w[0] = w[1] = 0;
		show(n, "other value", fx(w, op, 7, &past, w + 1, 7));
		w[0] = w[1] = 0;
		show(n, "bad time", fx(w, op, 0, &bad, w + 1, 1));
		w[0] = w[1] = 0;
		show(n, "big time", fx(w, op, 0, &big, w + 1, 1));
		w[0] = w[1] = 0;
		show(n, "time unmapped", fx(w, op, 0, (void *)16, w + 1, 1));
		w[0] = w[1] = 0;
		show(n, "past", fx(w, op, 0, &past, w + 1, 1));
		w[0] = w[1] = 0;
		show(n, "past, real time", fx(w, op | REALTIME, 0, &past, w + 1, 1));
		w[0] = w[1] = 0;
		show(n, "negative", fx(w, op, -1, &past, w + 1, 0));
		w[0] = w[1] = 0;
		show(n, "negative second", fx(w, op, 1, (void *)-1, w + 1, 0));
		w[0] = w[1] = 0;
		show(n, "same word", fx(w, op, 1, 0, w, 0));
		printf("= %x %x\n", w[0] ? w[0] == self() ? 1 : 2 : 0, w[1]);
	}
}

static void clocks(void) {
	struct timespec t = {0, 20000000};
	memset(w, 0, sizeof w);
	show("relative", "", fx(w, WAIT, 0, &t, 0, 0));
	t = in(CLOCK_MONOTONIC, 20);
	show("monotonic", "", fx(w, WAIT_BITSET, 0, &t, 0, 1));
	t = in(CLOCK_REALTIME, 20);
	show("realtime", "", fx(w, WAIT_BITSET | REALTIME, 0, &t, 0, 1));
	t = in(CLOCK_REALTIME, 20);
	show("requeue_pi realtime", "", fx(w, WAIT_REQUEUE_PI | REALTIME, 0, &t, w + 1, 1));
	t = in(CLOCK_MONOTONIC, 20);
	show("requeue_pi monotonic", "", fx(w, WAIT_REQUEUE_PI, 0, &t, w + 1, 1));
}

static struct { int op; u32 val, val3; u32 *a, *b; struct timespec *t; } call;
struct waiter { pthread_t th; int id, tid; long r; int err; };
static char order[64];
static int ended;
static void *run(void *p) {
	struct waiter *x = p;
	x->tid = self();
	x->r = fx(call.a, call.op, call.val, call.t, call.b, call.val3);
	x->err = errno;
	order[__atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST)] = '0' + x->id;
	return 0;
}
static struct waiter ws[8];
static void start(int i, int op, u32 *a, u32 val, u32 *b, u32 val3, struct timespec *t) {
	call.op = op, call.a = a, call.val = val, call.b = b, call.val3 = val3, call.t = t;
	ws[i].id = i;
	pthread_create(&ws[i].th, 0, run, ws + i);
	ms(30);
}
static void join(int n) {
	int ordered = n > 0;
	n = abs(n);
	for (int i = 0; i < n; i++) pthread_join(ws[i].th, 0);
	for (int i = 0; i < n; i++) printf(" %d:%ld%s%s", i, ws[i].r, ws[i].r < 0 ? " " : "", ws[i].r < 0 ? strerrorname_np(ws[i].err) : "");
	printf(" in order %.*s\n", ordered ? ended : 0, order);
	ended = 0;
}

static void plain(void) {
	memset(w, 0, sizeof w);
	for (int i = 0; i < 4; i++) start(i, WAIT_BITSET | PRIVATE, w, 0, 0, 1 << i, 0);
	show("shared", "does not find private", fx(w, WAKE, 1, 0, 0, 0)); ms(30);
	show("wake bits", "4", fx(w, WAKE_BITSET | PRIVATE, 9, 0, 0, 4)); ms(30);
	show("requeue", "0 1", fx(w, REQUEUE | PRIVATE, 0, (void *)1, w + 1, 0));
	show("cmp_requeue", "0 1", fx(w, CMP_REQUEUE | PRIVATE, 0, (void *)1, w + 2, 0));
	show("lock_pi", "of a plain one", fx(w + 1, LOCK_PI | PRIVATE, 0, 0, 0, 0));
	w[1] = self();
	show("unlock_pi", "of a plain one", fx(w + 1, UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
	show("cmp_requeue_pi", "of a plain one", fx(w + 1, CMP_REQUEUE_PI | PRIVATE, 1, (void *)1, w + 3, w[1]));
	for (int i = 0; i < 3; i++) show("wake", "", fx(w + i, WAKE | PRIVATE, 9, 0, 0, 0)), ms(30);
	join(4);
	for (int op = 0; op < 16; op++) for (int cmp = 0; cmp < 8; cmp++) {
		w[1] = 5;
		long r = fx(w, WAKE_OP | PRIVATE, 1, (void *)1, w + 1, (u32)op << 28 | cmp << 24 | 3 << 12 | 5);
		printf("%d/%d %ld %d %x\n", op, cmp, r, r < 0 ? errno : 0, w[1]);
	}
	w[1] = 5;
	fx(w, WAKE_OP | PRIVATE, 1, (void *)1, w + 1, 1u << 28 | 2 << 24 | 0xffd << 12 | 0xfff);
	printf("negative %d\n", w[1]);
	fx(w, WAKE_OP | PRIVATE, 1, (void *)1, w + 1, 8u << 28 | 2 << 24 | 0xfe1 << 12 | 0xfff);
	printf("shift %d\n", w[1]);
	w[0] = 0, w[1] = 3;
	for (int i = 0; i < 4; i++) start(i, WAIT | PRIVATE, w + i % 2, i % 2 ? 3 : 0, 0, 0, 0);
	show("wake_op", "unfulfilled", fx(w, WAKE_OP | PRIVATE, 1, (void *)9, w + 1, 0u << 28 | 4 << 24 | 7 << 12 | 3)); ms(30);
	show("wake_op", "fulfilled", fx(w, WAKE_OP | PRIVATE, 1, (void *)9, w + 1, 0u << 28 | 4 << 24 | 7 << 12 | 3)); ms(60);
	printf("ended %d\n", ended);
	join(-4); // those who are woken together end in any order
	start(0, WAIT | PRIVATE, w, 0, 0, 0, 0);
	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGUSR1, &sa, 0);
	pthread_kill(ws[0].th, SIGUSR1);
	join(1);
}

static void pi(void) {
	memset(w, 0, sizeof w);
	u32 me = self();
	show("trylock", "free", fx(w, TRYLOCK_PI | PRIVATE, 0, 0, 0, 0));
	word("held", w[0], me);
	show("lock", "again", fx(w, LOCK_PI | PRIVATE, 0, 0, 0, 0));
	show("lock2", "again", fx(w, LOCK_PI2 | PRIVATE, 0, 0, 0, 0));
	show("trylock", "again", fx(w, TRYLOCK_PI | PRIVATE, 0, 0, 0, 0));
	start(0, TRYLOCK_PI | PRIVATE, w, 0, 0, 0, 0);
	join(1);
	word("tried", w[0], me);
	for (int i = 0; i < 3; i++) start(i, i == 1 ? LOCK_PI2 | PRIVATE : LOCK_PI | PRIVATE, w, 0, 0, 0, 0);
	word("wanted", w[0], me);
	show("wake", "a lock", fx(w, WAKE | PRIVATE, 1, 0, 0, 0));
	show("wake", "a lock's bits", fx(w, WAKE_BITSET | PRIVATE, 1, 0, 0, 1));
	show("wake_op", "a lock", fx(w, WAKE_OP | PRIVATE, 1, (void *)1, w + 5, 0));
	show("requeue", "a lock", fx(w, REQUEUE | PRIVATE, 1, (void *)1, w + 5, 0));
	show("cmp_requeue_pi", "a lock", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)1, w + 5, w[0]));
	show("unlock", "shared", fx(w + 6, UNLOCK_PI, 0, 0, 0, 0));
	show("unlock", "", fx(w, UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
	ms(30);
	word("handed to first, which ended", w[0], ws[0].tid);
	join(3);
	word("its owners died", w[0], ws[2].tid);
	show("lock", "of a dead one", fx(w, LOCK_PI | PRIVATE, 0, 0, 0, 0));
	w[0] = 0;
	struct timespec t = in(CLOCK_REALTIME, 20);
	fx(w, TRYLOCK_PI | PRIVATE, 0, 0, 0, 0);
	start(0, LOCK_PI | PRIVATE, w, 0, 0, 0, &t);
	t = in(CLOCK_MONOTONIC, 20);
	start(1, LOCK_PI2 | PRIVATE, w, 0, 0, 0, &t);
	struct timespec t2 = in(CLOCK_REALTIME, 20);
	start(2, LOCK_PI2 | PRIVATE | REALTIME, w, 0, 0, 0, &t2);
	join(3);
	word("late", w[0], me);
	start(0, LOCK_PI | PRIVATE, w, 0, 0, 0, 0);
	pthread_kill(ws[0].th, SIGUSR1);
	ms(30);
	printf("ended by a signal: %d\n", ended);
	u32 v = w[0];
	w[0] = 0x3ffffff0;
	show("unlock", "of another", fx(w, UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
	show("lock", "inconsistent", fx(w, LOCK_PI | PRIVATE, 0, 0, 0, 0));
	w[0] = v;
	show("unlock", "", fx(w, UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
	join(1);
	w[0] = 0;
	show("lock", "stale, died", (w[0] = DIED, fx(w, LOCK_PI | PRIVATE, 0, 0, 0, 0)));
	word("stale", w[0], me);
	show("unlock", "", fx(w, UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
	printf("= %x\n", w[0]);
}

static void *crossed(void *p) {
	fx(w + 1, LOCK_PI | PRIVATE, 0, 0, 0, 0);
	ms(30);
	long r = fx(w, LOCK_PI | PRIVATE, 0, 0, 0, 0);
	fx(w + 1, UNLOCK_PI | PRIVATE, 0, 0, 0, 0);
	fx(w, UNLOCK_PI | PRIVATE, 0, 0, 0, 0);
	return (void *)r;
}

static void deadlock(void) {
	pthread_t th;
	memset(w, 0, sizeof w);
	fx(w, LOCK_PI | PRIVATE, 0, 0, 0, 0);
	pthread_create(&th, 0, crossed, 0);
	ms(90);
	show("deadlock", "", fx(w + 1, LOCK_PI | PRIVATE, 0, 0, 0, 0));
	fx(w, UNLOCK_PI | PRIVATE, 0, 0, 0, 0);
	void *r;
	pthread_join(th, &r);
	printf("crossed %ld\n", (long)r);
}

static void requeue_pi(void) {
	u32 me = self();
	memset(w, 0, sizeof w);
	show("nobody", "", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, w + 1, 0));
	show("two", "", fx(w, CMP_REQUEUE_PI | PRIVATE, 2, (void *)9, w + 1, 0));
	show("value", "", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, w + 1, 3));
	for (int i = 0; i < 3; i++) start(i, WAIT_REQUEUE_PI | PRIVATE, w, 0, w + 1, 0, 0);
	show("wake", "", fx(w, WAKE | PRIVATE, 1, 0, 0, 0));
	show("requeue", "", fx(w, REQUEUE | PRIVATE, 1, 0, w + 1, 0));
	show("other lock", "", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, w + 2, 0));
	fx(w + 1, LOCK_PI | PRIVATE, 0, 0, 0, 0);
	show("cmp_requeue_pi", "held", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, w + 1, 0));
	word("requeued", w[1], me);
	printf("ended %d\n", ended);
	pthread_kill(ws[2].th, SIGUSR1);
	ms(30);
	printf("ended by a signal %d\n", ended);
	show("unlock", "", fx(w + 1, UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
	join(3);
	w[1] = 0;
	start(0, WAIT_REQUEUE_PI | PRIVATE, w, 0, w + 1, 0, 0);
	show("cmp_requeue_pi", "free", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, 0, w + 1, 0));
	join(1);
	word("free", w[1], ws[0].tid);
	w[1] = 0;
	for (int i = 0; i < 2; i++) start(i, WAIT_REQUEUE_PI | PRIVATE, w, 0, w + 1, 0, 0);
	show("cmp_requeue_pi", "all", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, w + 1, 0));
	join(2);
	struct timespec t = in(CLOCK_MONOTONIC, 60);
	w[1] = 0;
	fx(w + 1, LOCK_PI | PRIVATE, 0, 0, 0, 0);
	start(0, WAIT_REQUEUE_PI | PRIVATE, w, 0, w + 1, 0, &t);
	show("cmp_requeue_pi", "late", fx(w, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, w + 1, 0));
	join(1);
}

// A mutex of libc in memory that two processes have at different addresses.
struct shared { pthread_mutex_t m; pthread_cond_t c; u32 word, ready; };

static void between(int protocol, int robust) {
	char name[] = "/tmp/futexXXXXXX";
	int fd = mkstemp(name), st, r;
	unlink(name);
	ftruncate(fd, 8192);
	struct shared *a = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_mutexattr_t ma;
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, 1);
	pthread_mutexattr_setprotocol(&ma, protocol);
	pthread_mutexattr_setrobust(&ma, robust);
	printf("init %d\n", pthread_mutex_init(&a->m, &ma));
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct shared *b = mmap((void *)0x20000000, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
		munmap(a, 8192);
		pthread_mutex_lock(&b->m);
		b->ready = 1;
		fx(&b->word, WAIT, 0, 0, 0, 0);
		ms(30);
		if (robust) _exit(3);
		pthread_mutex_unlock(&b->m);
		_exit(4);
	}
	while (!*(volatile u32 *)&a->ready) ms(10);
	ms(30);
	a->word = 1;
	show("shared", "", fx(&a->word, WAKE, 9, 0, 0, 0));
	r = pthread_mutex_lock(&a->m);
	printf("lock %s\n", r ? strerrorname_np(r) : "0");
	if (r == EOWNERDEAD) printf("consistent %d\n", pthread_mutex_consistent(&a->m));
	printf("unlock %d\n", pthread_mutex_unlock(&a->m));
	waitpid(pid, &st, 0);
	printf("status %d\n", WEXITSTATUS(st));
	munmap(a, 8192);
	close(fd);
}

static pthread_mutex_t left[2];
static void *leave(void *p) { pthread_mutex_lock(p); ms(60); return 0; }
static void *want(void *p) { int r = pthread_mutex_lock(p); return (void *)(long)r; }

static void owner_dies(void) {
	for (int pi = 0; pi < 2; pi++) {
		pthread_mutexattr_t ma;
		pthread_t a, b;
		void *r;
		pthread_mutexattr_init(&ma);
		pthread_mutexattr_setrobust(&ma, 1);
		pthread_mutexattr_setprotocol(&ma, pi ? PTHREAD_PRIO_INHERIT : 0);
		pthread_mutex_init(&left[pi], &ma);
		pthread_create(&a, 0, leave, &left[pi]); ms(30);
		pthread_create(&b, 0, want, &left[pi]);
		pthread_join(a, 0);
		pthread_join(b, &r);
		printf("owner died: %s\n", strerrorname_np((long)r));
		printf("then %s\n", strerrorname_np(pthread_mutex_lock(&left[pi])));
		pthread_mutex_consistent(&left[pi]);
		printf("unlock %d\n", pthread_mutex_unlock(&left[pi]));
	}
}

// The owner execs: its robust locks are left behind too.
static void exec_leaves(char *self_path) {
	struct shared *a = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t ma;
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, 1);
	pthread_mutexattr_setrobust(&ma, 1);
	pthread_mutex_init(&a->m, &ma);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(&a->m);
		a->ready = 1;
		ms(60);
		execl(self_path, self_path, "sleep", (char *)0);
		_exit(9);
	}
	while (!*(volatile u32 *)&a->ready) ms(10);
	int st, r = pthread_mutex_lock(&a->m);
	printf("exec: %s, still there %d\n", strerrorname_np(r), waitpid(pid, &st, WNOHANG) == 0);
	waitpid(pid, &st, 0);
	void *head;
	size_t len;
	printf("get_robust_list %ld", syscall(SYS_get_robust_list, 0, &head, &len));
	printf(" %zu\n", len);
	show("set_robust_list", "", syscall(SYS_set_robust_list, head, 7));
	show("get_robust_list", "", syscall(SYS_get_robust_list, 99999999, &head, &len));
}

// Another address for the word that a thread's end clears.
static u32 gone;
static void *moves(void *p) { gone = self(); syscall(SYS_set_tid_address, &gone); ms(60); syscall(SYS_exit, 0); return 0; }
static void cleared(void) {
	pthread_t th;
	pthread_create(&th, 0, moves, 0);
	ms(30);
	u32 v = gone;
	show("cleared", "", fx(&gone, WAIT, v, 0, 0, 0));
	printf("= %x\n", gone);
}

int main(int argc, char **argv) {
	if (argc > 1) { ms(200); return 0; }
	setvbuf(stdout, 0, _IOLBF, 0);
	errors();
	clocks();
	plain();
	pi();
	deadlock();
	requeue_pi();
	for (int i = 0; i < 4; i++) between(i & 1 ? PTHREAD_PRIO_INHERIT : 0, i >> 1);
	owner_dies();
	exec_leaves(argv[0]);
	cleared();
	return 0;
}
