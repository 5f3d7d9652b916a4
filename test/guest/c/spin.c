// Threads that wait for each other in loops without a system call. Each case
// ends only if the waiting thread gives up the turn.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int a, b, go;
static volatile int plain;
static char trace[4096];
static int at;
static void mark(char c) { trace[at++] = c; }
static void tick(void) { getppid(); } // an event

static void *sets(void *p) { for (int i = 0; i < 5; i++) tick(); mark('s'); atomic_store((atomic_int *)p, 1); mark('S'); return 0; }
static void *sets_plain(void *p) { plain = 1; mark('P'); return 0; }

static void flag(void) {
	pthread_t t;
	pthread_create(&t, 0, sets, &a);
	while (!atomic_load_explicit(&a, memory_order_relaxed)) {}
	mark('1');
	pthread_join(t, 0);
}
static void paused(void) {
	pthread_t t;
	pthread_create(&t, 0, sets, &b);
	while (!atomic_load(&b)) for (int i = 0; i < 10; i++) __builtin_ia32_pause();
	mark('2');
	pthread_join(t, 0);
}
// Flags that are looked at with registers of SSE: a number, and 32 bytes at once.
static volatile double number;
static char wide[32] __attribute__((aligned(16)));
static void *sets_number(void *p) { tick(); mark('n'); number = 2.5; return 0; }
static void *sets_wide(void *p) { tick(); mark('w'); *(volatile char *)&wide[29] = 0; return 0; }
static void vectors(void) {
	pthread_t t;
	pthread_create(&t, 0, sets_number, 0);
	while (number + 1 < 2.0) {}
	mark('4');
	pthread_join(t, 0);
	memset(wide, 'x', sizeof wide);
	pthread_create(&t, 0, sets_wide, 0);
	for (int found = 0; !found;) {
		__asm__ volatile("pxor %%xmm1, %%xmm1; movdqa (%1), %%xmm0; movdqa 16(%1), %%xmm2; pminub %%xmm2, %%xmm0; pcmpeqb %%xmm1, %%xmm0; pmovmskb %%xmm0, %0"
				 : "=r"(found) : "r"(wide) : "xmm0", "xmm1", "xmm2", "memory");
	}
	mark('5');
	pthread_join(t, 0);
}
static void __attribute__((noinline)) nothing(void) { __asm__ volatile("" ::: "memory"); }
static int __attribute__((noinline)) look(void) { return plain; }
static void with_calls(void) {
	pthread_t t;
	pthread_create(&t, 0, sets_plain, 0);
	while (!look()) nothing();
	mark('3');
	pthread_join(t, 0);
}
// Where it stands in the loop decides which flag it sees.
static void *both(void *p) { atomic_store(&a, 0); atomic_store(&b, 0); atomic_store(&go, 1); mark('b'); return 0; }
static void several(void) {
	pthread_t t;
	atomic_store(&a, 1), atomic_store(&b, 1), atomic_store(&go, 0);
	pthread_create(&t, 0, both, 0);
	for (;;) {
		if (!atomic_load(&a)) { mark('A'); break; }
		if (!atomic_load(&b)) { mark('B'); break; }
		if (atomic_load(&go)) { mark('G'); break; }
	}
	pthread_join(t, 0);
}
static atomic_int tas;
static void tas_lock(void) { while (atomic_exchange(&tas, 1)) {} }
static void tas_unlock(void) { atomic_store(&tas, 0); }
static atomic_uint next_ticket, serving;
static void ticket_lock(void) { unsigned me = atomic_fetch_add(&next_ticket, 1); while (atomic_load(&serving) != me) __builtin_ia32_pause(); }
static void ticket_unlock(void) { atomic_fetch_add(&serving, 1); }
struct node { struct node *_Atomic next; atomic_int locked; };
static struct node *_Atomic tail;
static __thread struct node node;
static void mcs_lock(void) {
	atomic_store(&node.next, 0), atomic_store(&node.locked, 1);
	struct node *prev = atomic_exchange(&tail, &node);
	if (prev) { atomic_store(&prev->next, &node); while (atomic_load(&node.locked)) __builtin_ia32_pause(); }
}
static void mcs_unlock(void) {
	struct node *me = &node;
	if (!atomic_load(&node.next)) {
		if (atomic_compare_exchange_strong(&tail, &me, 0)) return;
		while (!atomic_load(&node.next)) __builtin_ia32_pause();
	}
	atomic_store(&atomic_load(&node.next)->locked, 0);
}
static pthread_spinlock_t libc;
static void libc_lock(void) { pthread_spin_lock(&libc); }
static void libc_unlock(void) { pthread_spin_unlock(&libc); }
static struct { void (*lock)(void), (*unlock)(void); } locks[] = {{tas_lock, tas_unlock}, {ticket_lock, ticket_unlock}, {mcs_lock, mcs_unlock}, {libc_lock, libc_unlock}};
static int which, sum;
static void *locker(void *p) {
	for (int i = 0; i < 3; i++) {
		locks[which].lock();
		int s = sum;
		sched_yield(); // with the lock held: the others spin
		sum = s + 1;
		mark('a' + (long)p);
		locks[which].unlock();
		tick();
	}
	return 0;
}
static void lock(int n) {
	pthread_t t[4];
	which = n, sum = 0;
	for (long i = 0; i < 4; i++) pthread_create(t + i, 0, locker, (void *)i);
	for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
	trace[at] = 0;
	printf("lock %d: %d %s\n", n, sum, trace);
	at = 0;
}
static volatile sig_atomic_t rung;
static void ring(int s) { rung = 1; }
static void alarmed(void) {
	signal(SIGALRM, ring);
	alarm(1);
	while (!rung) {}
	printf("alarm\n");
}
static void processes(void) {
	atomic_int *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t p = fork();
	if (p == 0) {
		for (int i = 0; i < 20; i++) { while (atomic_load(s) != 2 * i + 1) {} tick(); atomic_store(s, 2 * i + 2); }
		_exit(0);
	}
	for (int i = 0; i < 20; i++) { atomic_store(s, 2 * i + 1); while (atomic_load(s) != 2 * i + 2) {} }
	int st;
	waitpid(p, &st, 0);
	printf("processes %d %d\n", atomic_load(s), st);
}
static atomic_int yielded;
static void *yields(void *p) { while (!atomic_load(&yielded)) sched_yield(); return 0; }
static void *clocks(void *p) { struct timespec t; while (!atomic_load(&yielded)) clock_gettime(CLOCK_MONOTONIC, &t); return 0; }
static void counted(void) {
	pthread_t t[2];
	pthread_create(t, 0, yields, 0), pthread_create(t + 1, 0, clocks, 0);
	sched_yield();
	atomic_store(&yielded, 1);
	for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
	printf("yield and clock\n");
}

int main(int argc, char **argv) {
	setvbuf(stdout, 0, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "forever")) for (;;) {}
	if (argc > 1 && !strcmp(argv[1], "counts")) { pthread_t t; pthread_create(&t, 0, sets, &a); for (volatile long n = 0; !atomic_load(&a);) n++; }
	flag(), paused(), with_calls(), vectors(), several();
	trace[at] = 0;
	printf("flags %s\n", trace);
	at = 0;
	pthread_spin_init(&libc, 0);
	for (int i = 0; i < 4; i++) lock(i);
	alarmed();
	processes();
	counted();
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("time %ld.%09ld\n", (long)t.tv_sec, t.tv_nsec);
	return 0;
}
