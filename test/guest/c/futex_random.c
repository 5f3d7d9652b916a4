// Random programs of futexes whose results Linux determines: waiters on several
// words and what finds them, locks in all states, lists of dead owners, calls
// that cannot wait. SEED N: N programs of some steps each.
#define _GNU_SOURCE
#include "random.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT, WAKE, FD, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET, WAIT_REQUEUE_PI, CMP_REQUEUE_PI, LOCK_PI2 };
#define PRIVATE 128
#define WAITERS 0x80000000u
#define DIED 0x40000000u
typedef uint32_t u32;
static u32 own[4] __attribute__((aligned(64))), quiet, *common, *words[8]; // in private and in shared memory; nobody wakes quiet

static long fx(void *a, int op, u32 v, void *t, void *b, u32 v3) { return syscall(SYS_futex, a, op, v, t, b, v3); }
static void *num(long n) { return (void *)n; }
static int gettid_(void) { return syscall(SYS_gettid); }

// Waiters.
struct waitv { uint64_t val, addr; u32 flags, reserved; };
static struct waiter {
	pthread_t t;
	int word, flag, vector; // vector: by futex_waitv(2), the second of two words if it is 2
	u32 bits, val;
	long r;
	int err;
	volatile int over, told;
} ws[16];
static int n;
static void *waiter(void *p) {
	struct waiter *x = p;
	if (x->vector) {
		struct waitv v[2] = {{quiet, (uintptr_t)&quiet, 2}, {quiet, (uintptr_t)&quiet, 2}};
		v[x->vector - 1] = (struct waitv){*words[x->word], (uintptr_t)words[x->word], 2 | x->flag};
		x->r = syscall(449, v, 2, 0, 0, 0);
	} else {
		x->r = fx(words[x->word], (x->bits == ~0u ? WAIT : WAIT_BITSET) | x->flag, *words[x->word], 0, 0, x->bits);
	}
	x->err = errno;
	__atomic_store_n(&x->over, 1, __ATOMIC_SEQ_CST);
	return 0;
}
// waiting counts who waits: requeueing to the same word moves nobody.
static int waiting(int w, int flag) { return fx(words[w], CMP_REQUEUE | flag, 0, num(INT_MAX), words[w], *words[w]); }
static void start(void) {
	if (n == 16) return;
	struct waiter *x = &ws[n];
	*x = (struct waiter){.word = below(8), .flag = one_in(2) ? PRIVATE : 0, .bits = one_in(2) ? ~0u : 1u << below(4) | 1u << below(4)};
	if (one_in(4)) x->vector = 1 + below(2);
	int at = x->word, before = waiting(at, x->flag);
	pthread_create(&x->t, 0, waiter, x);
	while (waiting(at, x->flag) == before) sched_yield();
	printf("waiter %d word %d flag %d vector %d bits %x: %d before\n", n++, x->word, x->flag, x->vector, x->bits, before);
}
// ended waits until so many waiters more have ended, and tells their results.
static void ended(int more) {
	for (;;) {
		int k = 0;
		for (int i = 0; i < n; i++) k += ws[i].over && !ws[i].told;
		if (k >= more) break;
		sched_yield();
	}
	for (int i = 0; i < n; i++) {
		if (!ws[i].over || ws[i].told) continue;
		pthread_join(ws[i].t, 0);
		ws[i].told = 1;
		errno = ws[i].err;
		printf(" ended %d %s", i, said(ws[i].r));
	}
	printf("\n");
}

static const u32 counts[] = {0, 1, 1, 2, 3, INT_MAX};
static void wakes(void) {
	int a = below(8), b = below(8), flag = one_in(2) ? PRIVATE : 0, c = PICK(counts), m = PICK(counts);
	u32 v = *words[a], bits = below(16), op;
	if (one_in(5)) v++;
	long r;
	switch (below(6)) {
	case 0: case 1: r = fx(words[a], WAKE | flag, c, 0, 0, 0); printf("wake %d flag %d %d: %s", a, flag, c, said(r)); ended(r); break;
	case 2: r = fx(words[a], WAKE_BITSET | flag, c, 0, 0, bits); printf("wake_bitset %d flag %d %d %x: %s", a, flag, c, bits, said(r)); ended(r < 0 ? 0 : r); break;
	case 3: r = fx(words[a], REQUEUE | flag, c, num(m), words[b], 0); printf("requeue %d %d flag %d %d %d: %s", a, b, flag, c, m, said(r)); ended(r < 0 ? 0 : r < c ? r : c); break;
	case 4: r = fx(words[a], CMP_REQUEUE | flag, c, num(m), words[b], v); printf("cmp_requeue %d %d flag %d %d %d %x: %s", a, b, flag, c, m, v, said(r)); ended(r < 0 ? 0 : r < c ? r : c); break;
	case 5:
		op = (u32)below(16) << 28 | below(8) << 24 | below(4096) << 12 | (one_in(2) ? *words[b] & 0xfff : below(4096));
		u32 was = *words[b];
		r = fx(words[a], WAKE_OP | flag, c, num(m), words[b], op);
		printf("wake_op %d %d flag %d %d %d %x: %s, %x to %x", a, b, flag, c, m, op, said(r), was, *words[b]);
		ended(r < 0 ? 0 : r);
		*words[b] = was;
		break;
	}
}

// Calls that find nobody, or something wrong.
static void errors(void) {
	static struct timespec times[] = {{0, 0}, {0, 0}, {0, 1000}, {-1, 0}, {0, 1000000000}, {0, -1}, {1, 0}};
	static u32 values[] = {0, 1, ~0u, INT_MAX, INT_MIN};
	static char *none, *ro;
	if (!none) none = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ro = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*(volatile char *)ro; // else the kernel says at times EFAULT, as it wants to write to a page that is not there
	u32 mine[4] __attribute__((aligned(16))) = {PICK(values), PICK(values), 0, 0};
	void *all[] = {mine, mine, mine + 1, (char *)mine + 1, (char *)mine + 2, none, ro, 0, num(8), num(-4096), num(1L << 47)};
	void *a = PICK(all), *b = PICK(all);
	int op = below(16) | (one_in(2) ? PRIVATE : 0) | (one_in(4) ? 256 : 0) | (one_in(20) ? 512 : 0);
	struct timespec *t = one_in(10) ? num(8) : &PICK(times);
	int cmd = op & 127, timed = cmd == WAIT || cmd == WAIT_BITSET || cmd == LOCK_PI || cmd == LOCK_PI2 || cmd == WAIT_REQUEUE_PI;
	u32 v = one_in(3) && a == mine ? mine[0] : PICK(values), v3 = one_in(3) ? mine[0] : PICK(values);
	if (cmd == LOCK_PI || cmd == LOCK_PI2 || cmd == TRYLOCK_PI || cmd == UNLOCK_PI || cmd == WAIT_REQUEUE_PI || cmd == CMP_REQUEUE_PI) mine[0] &= 1 << 31, mine[1] = 0; // no thread's number
	long r = fx(a, op, v, timed ? (void *)t : num(PICK(values)), b, v3);
	int ia = 0, ib = 0;
	for (int i = 0; i < 11; i++) ia = a == all[i] ? i : ia, ib = b == all[i] ? i : ib;
	printf("error op %d a %d b %d v %x v3 %x time %ld: %s", op, ia, ib, v, v3, timed ? t == num(8) ? -9 : t - times : 0, said(r));
	printf(" %x %x\n", mine[0] == gettid_() ? 7 : mine[0], mine[1] == gettid_() ? 7 : mine[1]);
}

// futex_waitv(2) that does not wait.
static void vectors(void) {
	u32 w[3] = {1, 2, 3};
	struct waitv v[130];
	memset(v, 0, sizeof v);
	int k = one_in(6) ? PICK(((int[]){0, 128, 129, -1})) : 1 + below(3), m = k < 0 || k > 129 ? 129 : k;
	for (int i = 0; i < m; i++) v[i] = (struct waitv){w[i % 3], (uintptr_t)&w[i % 3], 2 | (one_in(2) ? PRIVATE : 0)};
	int i = m ? below(m) : 0;
	switch (below(10)) {
	case 0: v[i].val++; break;
	case 1: v[i].flags = below(8); break;
	case 2: v[i].reserved = 1; break;
	case 3: v[i].addr++; break;
	case 4: v[i].addr = one_in(2) ? 8 : 0; break;
	case 5: v[i].val |= 1ull << 40; break;
	case 6: v[i].flags |= 1 << 20; break;
	}
	struct timespec t = {one_in(8) ? -1 : 0, one_in(8) ? 1000000000 : 0};
	int clock = one_in(6) ? PICK(((int[]){2, 7, -1})) : below(2), flags = one_in(10);
	long r = syscall(449, one_in(20) ? num(8) : v, k, flags, one_in(15) ? num(8) : &t, clock);
	printf("waitv %d flags %d clock %d time %ld %ld [%d] %lx %x: %s\n", k, flags, clock, t.tv_sec, t.tv_nsec, i, v[i].val, v[i].flags, said(r));
}

// Locks with priority inheritance: every state, with an owner that lives or not.
static volatile int holder;
static int stop[2];
static void *holds(void *p) { char c; holder = gettid_(); read(stop[0], &c, 1); return 0; }
static void locks(void) {
	pthread_t t;
	static struct timespec past = {0, 0};
	u32 w[2] __attribute__((aligned(8)));
	pipe(stop);
	holder = 0;
	pthread_create(&t, 0, holds, 0);
	while (!holder) sched_yield();
	u32 me = gettid_(), states[] = {0, me, holder, 0x3ffffff0, me | WAITERS, holder | WAITERS, DIED, DIED | me, DIED | WAITERS, 1u << 29};
	int s = below(10), flag = one_in(2) ? PRIVATE : 0;
	w[0] = states[s];
	printf("lock state %d flag %d:", s, flag);
	for (int k = 0; k < 4; k++) {
		int op = PICK(((int[]){LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI, UNLOCK_PI}));
		printf(" %d %s", op, said(fx(w, op | flag, 0, op == TRYLOCK_PI ? 0 : &past, 0, 0)));
		u32 o = w[0] & 0x1fffffff;
		printf(" [%x %s]", w[0] >> 29, !o ? "none" : o == me ? "me" : o == holder ? "holder" : "other");
	}
	printf("\n");
	close(stop[1]);
	pthread_join(t, 0);
	close(stop[0]);
}

// What a thread that ends leaves of the list of its locks (get_robust_list(2)).
struct lock { struct lock *next; u32 pad, word; };
struct list { struct lock *next; long offset; struct lock *pending; };
static struct lock ls[6];
static struct list head;
static int ring;
static void *dies(void *p) {
	u32 me = gettid_(), states[] = {me, me | WAITERS, me | DIED, 0, WAITERS, me + 1000, DIED};
	struct lock **at = &head.next;
	head.offset = one_in(8) ? 8 : (char *)&ls[0].word - (char *)&ls[0];
	head.pending = one_in(3) ? &ls[5] : 0;
	for (int i = 0; i < 6; i++) ls[i].word = PICK(states), ls[i].next = 0, ls[i].pad = 77;
	for (int i = 0; i < 5; i++) *at = (void *)((uintptr_t)&ls[i] | one_in(4)), at = &ls[i].next;
	*at = (void *)&head;
	ring = below(8);
	if (ring == 0) ls[2].next = (void *)8; // a hole
	if (ring == 1) ls[3].next = &ls[1]; // never ends
	long r = syscall(SYS_set_robust_list, &head, one_in(10) ? 16 : sizeof head);
	printf("robust ring %d pending %d offset %ld: %s", ring, !!head.pending, head.offset, said(r));
	for (int i = 0; i < 6; i++) printf(" %x%s", (ls[i].word & ~0x3fffffff) >> 28, (ls[i].word & 0x3fffffff) == me ? "me" : (ls[i].word & 0x3fffffff) ? "other" : "");
	return 0;
}
static void robust(void) {
	pthread_t t;
	pthread_create(&t, 0, dies, 0);
	pthread_join(t, 0);
	printf(" left");
	for (int i = 0; i < 6; i++) printf(" %x%s", (ls[i].word & ~0x3fffffff) >> 28, (ls[i].word & 0x3fffffff) ? "tid" : "");
	printf("\n");
}

int main(int argc, char **argv) {
	setvbuf(stdout, 0, _IOFBF, 1 << 16);
	for (int i = 0; i < atoi(argv[2]); i++) {
		int st;
		fflush(stdout);
		pid_t p = fork();
		if (p) { waitpid(p, &st, 0); printf("program %d: %x\n", i, st); continue; }
		random_state = atoi(argv[1]) * 1000003 + i;
		common = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		for (int k = 0; k < 4; k++) words[k] = &own[k], words[4 + k] = &common[k], own[k] = below(5), common[k] = below(5);
		for (int k = 0; k < 40; k++) {
			switch (below(10)) {
			case 0: case 1: case 2: start(); break;
			case 3: case 4: case 5: wakes(); break;
			case 6: case 7: errors(); break;
			case 8: vectors(); break;
			case 9: if (one_in(2)) locks(); else robust(); break;
			}
		}
		for (int k = 0; k < 16; k++) {
			long r = fx(words[k % 8], WAKE | (k & 8 ? PRIVATE : 0), INT_MAX, 0, 0, 0);
			printf("left %ld", r);
			ended(r);
		}
		fflush(stdout);
		_exit(0);
	}
	return 0;
}
