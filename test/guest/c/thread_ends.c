// How threads begin and end: a thousand at once, exec and exits of processes
// whose other threads wait or compute, cancellation, clocks of threads. Says
// the same natively. The waits of 30 ms let the others get to sleep.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000L}; while (nanosleep(&t, &t) && errno == EINTR) {} }
static long ns(clockid_t c) { struct timespec t; return clock_gettime(c, &t) ? -errno : t.tv_sec * 1000000000 + t.tv_nsec; }
static int tasks(pid_t pid) {
	char f[64], line[256];
	int n = -1;
	snprintf(f, sizeof f, "/proc/%d/status", pid);
	FILE *s = fopen(f, "r");
	while (s && fgets(line, sizeof line, s)) sscanf(line, "Threads: %d", &n);
	if (s) fclose(s);
	return n;
}
static void say(const char *what, int st) {
	printf("%s: %s %d\n", what, WIFEXITED(st) ? "exit" : "signal", WIFEXITED(st) ? WEXITSTATUS(st) : WTERMSIG(st));
	fflush(stdout);
}
static pthread_t go(void *(*f)(void *), long arg) {
	pthread_t t;
	int r = pthread_create(&t, 0, f, (void *)arg);
	if (r) { printf("pthread_create: %s\n", strerrorname_np(r)); exit(1); }
	return t;
}

// A thousand threads that are all alive at once; their sum is known.
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long sum;
static void *member(void *p) {
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&mutex);
	sum += (long)p;
	pthread_mutex_unlock(&mutex);
	pthread_barrier_wait(&barrier);
	return (void *)((long)p * 2);
}
static void thousand(void) {
	static pthread_t t[1000];
	long back = 0;
	pthread_barrier_init(&barrier, 0, 1001);
	for (long i = 0; i < 1000; i++) t[i] = go(member, i);
	pthread_barrier_wait(&barrier);
	int alive = tasks(getpid());
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 1000; i++) { void *r; pthread_join(t[i], &r); back += (long)r; }
	printf("thousand: %d alive, sum %ld, returned %ld, left %d\n", alive, sum, back, tasks(getpid()));
}

// The others: each waits, or computes, in its own way and never ends.
static int ends[2];
static void *other(void *p) {
	char c;
	static int word;
	switch ((long)p) {
	case 0: pause(); break;
	case 1: ms(1000000); break;
	case 2: read(ends[0], &c, 1); break;
	case 3: poll(0, 0, -1); break;
	case 4: syscall(SYS_futex, &word, 0, 0, 0, 0, 0); break;
	case 5: for (;;) getppid();
	case 6: for (volatile long i = 0;; i++) { if (i % 1000 == 0) sched_yield(); }
	case 7: if (vfork() == 0) { execlp("sleep", "sleep", "0.2", (char *)0); _exit(1); } wait(0); pause(); break;
	case 8: { sigset_t s; int n; sigfillset(&s); sigwait(&s, &n); break; }
	}
	return 0;
}
static void others(void) {
	pipe(ends);
	for (int i = 0; i < 9; i++) go(other, i);
	ms(30);
}
static char *self;
static void *execs(void *p) {
	char pid[16];
	snprintf(pid, sizeof pid, "%d", getpid());
	execl("/nowhere/program", "program", (char *)0);
	printf("exec of nothing: %s, %d threads\n", strerrorname_np(errno), tasks(getpid()));
	fflush(stdout);
	execl(self, self, "image", pid, (char *)0);
	_exit(99);
}
static void *exits(void *p) {
	switch ((long)p) {
	case 0: syscall(SYS_exit_group, 7); break;
	case 1: exit(8); break;
	case 2: abort(); break;
	case 3: *(volatile int *)16 = 1; break;
	case 4: kill(getpid(), SIGKILL); pause(); break;
	case 5: ms(30); syscall(SYS_exit, 9); break; // the last one: the leader went with 5
	}
	return 0;
}
static void process(const char *what, void *(*f)(void *), long arg, int how) {
	int st;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (how != 2) others();
		if (how == 1) f((void *)arg);
		go(f, arg);
		if (how == 2) syscall(SYS_exit, 5);
		for (;;) pause();
	}
	waitpid(pid, &st, 0);
	say(what, st);
}
static void processes(void) {
	process("exec of the leader", execs, 0, 1);
	process("exec of another", execs, 0, 0);
	process("exit_group of the leader", exits, 0, 1);
	process("exit_group of another", exits, 0, 0);
	process("exit of another", exits, 1, 0);
	process("abort of another", exits, 2, 0);
	process("fault of another", exits, 3, 0);
	process("kill by another", exits, 4, 0);
	process("leader first, exit of the last", exits, 5, 2);
	process("leader first, exit_group of the last", exits, 0, 2);
	process("leader first, exec of the last", execs, 0, 2);
}

// Cancellation: at calls that wait, deferred, asynchronous, disabled.
static sem_t never, entered;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static char cleaned[32];
static int cleans;
static void clean(void *p) { cleaned[cleans++] = 'a' + (long)p; }
static void unlock(void *p) { pthread_mutex_unlock(p); }
static void *victim(void *p) {
	int old;
	char c;
	pthread_cleanup_push(clean, p);
	sem_post(&entered);
	switch ((long)p) {
	case 0: pause(); break;
	case 1: ms(1000000); break;
	case 2: read(ends[0], &c, 1); break;
	case 3: sem_wait(&never); break;
	case 4:
		pthread_mutex_lock(&mutex);
		pthread_cleanup_push(unlock, &mutex);
		pthread_cond_wait(&cond, &mutex);
		pthread_cleanup_pop(1);
		break;
	case 5: for (;;) { pthread_testcancel(); sched_yield(); }
	case 6: pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old); for (;;) getppid();
	case 7: poll(0, 0, -1); break;
	case 8: pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old); ms(60); return (void *)123;
	case 9: wait(0); break;
	}
	pthread_cleanup_pop(0);
	return 0;
}
static void cancels(void) {
	pipe(ends);
	sem_init(&never, 0, 0);
	sem_init(&entered, 0, 0);
	pid_t child = fork();
	if (child == 0) { pause(); _exit(0); }
	for (long i = 0; i < 10; i++) {
		void *r;
		pthread_t t = go(victim, i);
		sem_wait(&entered);
		if (i != 8 && i % 2) ms(30);
		if (i == 8) ms(10);
		int e = pthread_cancel(t);
		pthread_join(t, &r);
		printf("cancel %ld: %d %s\n", i, e, r == PTHREAD_CANCELED ? "cancelled" : r == (void *)123 ? "returned" : "ended");
	}
	printf("cleaned %s, mutex %s\n", cleaned, pthread_mutex_trylock(&mutex) == 0 ? "free" : "held");
	pthread_mutex_unlock(&mutex);
	kill(child, SIGKILL);
	wait(0);
}

// Clocks of threads.
static clockid_t clk[2];
static int tid[2];
static void *computes(void *p) {
	long i = (long)p;
	struct rusage u;
	pthread_getcpuclockid(pthread_self(), &clk[i]);
	tid[i] = gettid();
	long a = ns(CLOCK_THREAD_CPUTIME_ID);
	for (volatile long k = 0; k < 2000000; k++) {}
	for (int k = 0; k < 2000; k++) getppid();
	long b = ns(CLOCK_THREAD_CPUTIME_ID), c = ns(clk[i]), d = ns(CLOCK_PROCESS_CPUTIME_ID);
	int r = getrusage(RUSAGE_THREAD, &u);
	printf("clock: grows %d, by its id %d, below the process's %d, rusage %d\n", a >= 0 && b > a, c >= b, d >= c, r);
	return 0;
}
static void clocks(void) {
	struct timespec t;
	for (long i = 0; i < 2; i++) pthread_join(go(computes, i), 0);
	for (int i = 0; i < 2; i++) printf("clock of a thread that is gone: %s\n", clock_gettime(clk[i], &t) ? strerrorname_np(errno) : "none");
	printf("signal to one that is gone: %s\n", syscall(SYS_tgkill, getpid(), tid[0], 0) ? strerrorname_np(errno) : "none");
}

// membarrier(2): what is not registered is refused, as are unknown commands.
static void mb(const char *what, int cmd, unsigned flags) {
	long r = syscall(SYS_membarrier, cmd, flags, 0);
	printf("membarrier %s: %s\n", what, r == 0 ? "0" : r < 0 ? strerrorname_np(errno) : "positive");
}
static void barriers(void) {
	mb("query", MEMBARRIER_CMD_QUERY, 0);
	mb("query with flags", MEMBARRIER_CMD_QUERY, 1);
	mb("unknown", 1 << 30, 0);
	mb("two at once", 3, 0);
	mb("private, not registered", MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0);
	mb("sync core, not registered", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0);
	mb("global", MEMBARRIER_CMD_GLOBAL, 0);
	mb("global expedited", MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0);
	mb("register global", MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0);
	mb("register private", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
	mb("private", MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0);
	mb("private with flags", MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1);
	mb("register sync core", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0);
	mb("sync core", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0);
	fflush(stdout);
	if (fork() == 0) { mb("private in a child", MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0); fflush(stdout); _exit(0); }
	wait(0);
}

// What is there, and what is registered, in hexadecimal.
static void registrations(void) {
	printf("%lx", syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
	for (int i = 4; i <= 64; i <<= 2) {
		syscall(SYS_membarrier, i, 0, 0);
		printf(" %lx", syscall(SYS_membarrier, 512, 0, 0));
	}
	printf(" %ld\n", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
}

int main(int argc, char **argv) {
	if (argc == 3 && !strcmp(argv[1], "image")) {
		printf("image: same pid %d, tid %d, threads %d, ", getpid() == atoi(argv[2]), gettid() == getpid(), tasks(getpid()));
		printf("membarrier %s\n", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) ? strerrorname_np(errno) : "0");
		return 6;
	}
	self = argv[0];
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	static const struct { const char *name; void (*run)(void); } all[] = {
		{"thousand", thousand}, {"processes", processes}, {"cancels", cancels}, {"clocks", clocks}, {"barriers", barriers}, {"registrations", registrations}};
	for (int i = 0; i < 6; i++)
		if (argc == 2 && !strcmp(argv[1], all[i].name)) return all[i].run(), 0;
	return 2;
}
