// CPU clocks of threads, processes and children, and what waits for them. Says
// the same natively: "values" says the figures themselves instead.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int values;
#define SAY(what, n, yes) (values ? printf("%s: %ld\n", what, (long)(n)) : printf("%s: %s\n", what, (yes) ? "yes" : "no"))
static long ms = 1000000; // a tenth of it where each call stops
#define MS ms
static long ns(clockid_t c) { struct timespec t; return clock_gettime(c, &t) ? -errno : t.tv_sec * 1000000000 + t.tv_nsec; }
static long mine(void) { return ns(CLOCK_THREAD_CPUTIME_ID); }
static long all(void) { return ns(CLOCK_PROCESS_CPUTIME_ID); }
static long usage(int who) { struct rusage u; getrusage(who, &u); return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000; }
static void work(long n) { struct stat s; long from = mine(); do for (int i = 0; i < 100; i++) stat("/", &s); while (mine() - from < n); }
static long ticks(const char *file, int field) {
	char b[1024], *w;
	FILE *f = fopen(file, "r");
	if (!f || !fgets(b, sizeof b, f)) return -1;
	fclose(f);
	w = strtok(strrchr(b, ')') + 1, " ");
	for (int i = 3; i < field; i++) w = strtok(0, " ");
	return atol(w);
}
static const char *err(long r) { return r ? strerrorname_np(r < 0 ? errno : r) : "0"; }

// Threads.
static int tid[2];
static clockid_t id[2];
static pthread_barrier_t bar;
static void *worker(void *p) {
	long i = (long)p;
	tid[i] = gettid();
	pthread_getcpuclockid(pthread_self(), &id[i]);
	SAY("a thread begins with little", mine(), mine() < 2 * MS);
	work(i ? 5 * MS : MS / 2);
	long a = mine(), u = usage(RUSAGE_THREAD);
	SAY("its rusage agrees", u, u <= a && a - u < 2 * MS || u > a);
	pthread_barrier_wait(&bar);
	pthread_barrier_wait(&bar);
	return 0;
}
static void threads(void) {
	pthread_t t[2];
	long before = all();
	pthread_barrier_init(&bar, 0, 3);
	for (long i = 0; i < 2; i++) { pthread_create(&t[i], 0, worker, (void *)i); while (i == 0 && !*(volatile int *)&id[0]) usleep(1000); usleep(20000); }
	pthread_barrier_wait(&bar);
	long a = ns(id[0]), b = ns(id[1]), sum = all() - before;
	SAY("the first used little", a, a > MS / 3 && a < 4 * MS);
	SAY("the second more", b, b > 4 * MS);
	SAY("the process both", sum, sum >= a + b);
	long m = mine();
	pthread_barrier_wait(&bar);
	for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
	SAY("they count after their end", all() - before, all() - before >= a + b);
	SAY("not for the main thread", m, mine() - m < 2 * MS);
	SAY("their clocks are gone", ns(id[1]), ns(id[1]) == -EINVAL);
}

// Children.
static pid_t spawn(long n, int grand) {
	pid_t pid = fork();
	if (pid) return pid;
	if (grand) { waitpid(spawn(n, 0), 0, 0); _exit(0); }
	work(n);
	_exit(0);
}
static void children(void) {
	struct rusage u;
	siginfo_t si = {0};
	struct tms tm;
	SAY("children before", usage(RUSAGE_CHILDREN), usage(RUSAGE_CHILDREN) == 0);
	pid_t p = spawn(25 * MS, 0); // in ticks of 10 ms, user and system time apart
	waitid(P_PID, p, &si, WEXITED | WNOWAIT);
	SAY("not waited for", usage(RUSAGE_CHILDREN), usage(RUSAGE_CHILDREN) == 0);
	char f[64];
	snprintf(f, sizeof f, "/proc/%d/stat", p);
	SAY("a zombie's stat", ticks(f, 14) + ticks(f, 15), ticks(f, 14) + ticks(f, 15) >= 1);
	clockid_t c;
	clock_getcpuclockid(p, &c);
	SAY("a zombie's clock", ns(c), ns(c) >= 25 * MS);
	wait4(p, 0, 0, &u);
	long got = u.ru_utime.tv_usec + u.ru_stime.tv_usec;
	SAY("its rusage", got, got >= 20000);
	SAY("waited for", usage(RUSAGE_CHILDREN), usage(RUSAGE_CHILDREN) >= 11 * MS);
	times(&tm);
	SAY("times", tm.tms_cutime + tm.tms_cstime, tm.tms_cutime + tm.tms_cstime >= 1);
	SAY("stat", ticks("/proc/self/stat", 16) + ticks("/proc/self/stat", 17), ticks("/proc/self/stat", 16) + ticks("/proc/self/stat", 17) >= 1);
	long before = usage(RUSAGE_CHILDREN);
	p = spawn(3 * MS, 1);
	wait4(p, 0, 0, &u);
	SAY("a grandchild's", usage(RUSAGE_CHILDREN) - before, usage(RUSAGE_CHILDREN) - before >= 3 * MS);
	before = usage(RUSAGE_CHILDREN);
	signal(SIGCHLD, SIG_IGN);
	p = spawn(3 * MS, 0);
	waitpid(p, 0, 0);
	signal(SIGCHLD, SIG_DFL);
	SAY("one that nobody waits for", usage(RUSAGE_CHILDREN) - before, usage(RUSAGE_CHILDREN) == before);
	p = spawn(3 * MS, 0);
	long r = syscall(SYS_waitid, P_PID, p, 0, WEXITED, &u);
	SAY("waitid without info", r, r == 0);
	got = u.ru_utime.tv_usec + u.ru_stime.tv_usec;
	SAY("its rusage", got, got >= 2500);
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s, 0);
	p = spawn(25 * MS, 0);
	sigwaitinfo(&s, &si);
	SAY("SIGCHLD waited for", si.si_utime + si.si_stime, si.si_pid == p);
	waitpid(p, 0, 0);
	int fd = signalfd(-1, &s, 0);
	struct signalfd_siginfo q;
	p = spawn(25 * MS, 0);
	read(fd, &q, sizeof q);
	SAY("SIGCHLD read", q.ssi_utime + q.ssi_stime, q.ssi_pid == p);
	waitpid(p, 0, 0);
}

// Timers and sleeps.
static volatile sig_atomic_t hits;
static void hit(int s) { hits++; }
static void *works(void *p) { work((long)p); return 0; }
static void timers(void) {
	timer_t t;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec it = {{0, 0}, {0, 4 * MS}}, left;
	pthread_t th;
	signal(SIGUSR1, hit);
	signal(SIGVTALRM, hit);
	signal(SIGPROF, hit);
	timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &t);
	timer_settime(t, 0, &it, 0);
	pthread_create(&th, 0, works, (void *)(8 * MS));
	pthread_join(th, 0);
	SAY("not by another thread", hits, hits == 0);
	usleep(30000);
	SAY("not by sleeping", hits, hits == 0);
	timer_gettime(t, &left);
	SAY("time is left", left.it_value.tv_nsec, left.it_value.tv_nsec > MS && left.it_value.tv_nsec <= 4 * MS);
	for (int i = 0; i < 100 && !hits; i++) work(MS); // natively some time late
	SAY("by its own work", hits, hits == 1);
	timer_delete(t);
	hits = 0;
	timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &t);
	timer_settime(t, 0, &it, 0);
	for (int i = 0; i < 100 && !hits; i++) {
		pthread_create(&th, 0, works, (void *)(MS));
		pthread_join(th, 0);
	}
	SAY("the process's by any thread", hits, hits == 1);
	it.it_value.tv_nsec = 1;
	timer_settime(t, TIMER_ABSTIME, &it, 0);
	for (int i = 0; i < 100 && hits < 2; i++) work(MS);
	SAY("long over", hits, hits == 2);
	timer_delete(t);
	hits = 0;
	long us = 12 * MS / 1000;
	struct itimerval iv = {{0, us}, {0, us}}, was;
	setitimer(ITIMER_PROF, &iv, 0);
	for (int i = 0; i < 100 && hits < 3; i++) work(MS);
	setitimer(ITIMER_PROF, &(struct itimerval){0}, &was);
	SAY("ITIMER_PROF again and again", hits, hits == 3);
	SAY("its interval", was.it_interval.tv_usec, was.it_interval.tv_usec == us);
	hits = 0;
	iv.it_interval.tv_usec = 0;
	setitimer(ITIMER_VIRTUAL, &iv, 0);
	while (!hits) {}
	SAY("a loop ends by ITIMER_VIRTUAL", hits, hits == 1);
	clockid_t c = CLOCK_PROCESS_CPUTIME_ID;
	struct timespec d = {0, 5 * MS};
	long from = all();
	pthread_create(&th, 0, works, (void *)(30 * MS));
	int r = clock_nanosleep(c, 0, &d, 0);
	SAY("sleep of CPU time", all() - from, r == 0 && all() - from >= 5 * MS);
	pthread_join(th, 0);
	d.tv_nsec = 1;
	SAY("until the past", clock_nanosleep(c, TIMER_ABSTIME, &d, 0), clock_nanosleep(c, TIMER_ABSTIME, &d, 0) == 0);
}

// What is refused.
static clockid_t make(int pid, int kind) { return ~pid << 3 | kind; }
static void errors(void) {
	struct timespec t, one = {0, 1};
	timer_t x;
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	pid_t child = fork();
	if (!child) { pause(); _exit(0); }
	clockid_t list[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, 10, 12, 16, make(0, 2), make(0, 6), make(0, 0), make(0, 1), make(0, 3), make(0, 7), make(getpid(), 2), make(gettid(), 6),
		make(child, 2), make(child, 6), make(child, 0), make(4194303, 2), make(4194303, 6), make(1, 6)};
	for (int i = 0; i < sizeof list / sizeof *list; i++) {
		long r = syscall(SYS_clock_getres, list[i], &t);
		printf("clock %d: gettime %s, getres %s", i, err(syscall(SYS_clock_gettime, list[i], &one) ? -1 : 0), err(r));
		if (list[i] < 0 && !r && (list[i] & 3) == 2) printf(" %ld", t.tv_nsec);
		one = (struct timespec){0, 1};
		int stuck = i == 2 || list[i] == make(0, 2) || list[i] == make(0, 0) || list[i] == make(0, 1) || list[i] == make(getpid(), 2) || list[i] == make(child, 2) || list[i] == make(child, 0);
		printf(", sleep %s", stuck ? "-" : err(syscall(SYS_clock_nanosleep, list[i], 0, &one, 0)));
		one.tv_nsec = -1;
		printf(", bad sleep %s", err(syscall(SYS_clock_nanosleep, list[i], 0, &one, 0)));
		printf(", no sleep %s", err(syscall(SYS_clock_nanosleep, list[i], 0, 0, 0)));
		printf(", timer %s", err(syscall(SYS_timer_create, list[i], &none, &x)));
		int fd = syscall(SYS_timerfd_create, list[i], 0);
		printf(", timerfd %s\n", err(fd < 0 ? -1 : 0));
		if (fd >= 0) close(fd);
	}
	kill(child, SIGKILL);
	waitpid(child, 0, 0);
}

int main(int argc, char **argv) {
	setvbuf(stdout, 0, _IOLBF, 0);
	values = argc == 2 && !strcmp(argv[1], "values");
	if (values) ms /= 10;
	children();
	threads();
	timers();
	errors();
	return 0;
}
