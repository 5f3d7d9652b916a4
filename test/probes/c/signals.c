// Signals: who sends, who gets them, in which order, and what they carry.
#include "probe.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <ucontext.h>

static siginfo_t got[64];
static volatile int seen;
static void record(int sig, siginfo_t *i, void *uc) { if (seen < 64) got[seen++] = *i; }
static void handle(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction a = {.sa_sigaction = f, .sa_flags = SA_SIGINFO | flags};
	MUST(sigaction(sig, &a, 0) == 0);
}
static sigset_t block(int how, int n, const int *sigs)
{
	sigset_t s, old;
	sigemptyset(&s);
	for (int i = 0; i < n; i++)
		sigaddset(&s, sigs[i]);
	MUST(sigprocmask(how, &s, &old) == 0);
	return old;
}
// asleep waits until a process sleeps in a call.
static void asleep(pid_t pid)
{
	char path[64], b[512], *p;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (;;) {
		int n = slurp(path, b, sizeof b - 1);
		MUST(n > 0);
		b[n] = 0;
		if ((p = strrchr(b, ')')) && p[2] == 'S')
			return;
		sched_yield();
	}
}

PROBE(sig_info)
{
	union sigval v = {.sival_int = 4711};
	handle(SIGUSR1, record, SA_RESTART);
	MUST(kill(getpid(), SIGUSR1) == 0);
	MUST(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1) == 0);
	MUST(sigqueue(getpid(), SIGUSR1, v) == 0);
	pid_t p = fork();
	if (p == 0) {
		sigqueue(getppid(), SIGUSR1, v);
		_exit(0);
	}
	wait_ok(p);
	CHECK(seen == 4 && got[0].si_code == SI_USER && got[1].si_code == SI_TKILL && got[2].si_code == SI_QUEUE);
	CHECK(got[0].si_pid == getpid() && got[2].si_value.sival_int == 4711 && got[3].si_pid == p);
	for (int i = 0; i < seen; i++)
		printf("%d %d %d %d\n", got[i].si_signo, got[i].si_code, got[i].si_pid, got[i].si_uid);
}

PROBE(sig_order)
{
	int sigs[] = {SIGTERM, SIGUSR2, SIGRTMIN + 2, SIGUSR1, SIGHUP, SIGRTMIN};
	for (int i = 0; i < 6; i++)
		handle(sigs[i], record, 0);
	sigset_t old = block(SIG_BLOCK, 6, sigs);
	union sigval v = {0};
	for (int i = 0; i < 6; i++)
		for (v.sival_int = 0; v.sival_int < 2; v.sival_int++)
			sigqueue(getpid(), sigs[i], v);
	// Handlers nest: the last one made runs first.
	MUST(sigprocmask(SIG_SETMASK, &old, 0) == 0);
	CHECK(seen == 8, "%d", seen); // those below SIGRTMIN come once
	for (int i = 0; i < seen; i++)
		printf("%d:%d ", got[i].si_signo, got[i].si_value.sival_int);
	printf("\n");
}

static int ack;
static void acknowledges(int sig, siginfo_t *i, void *uc) { record(sig, i, uc); write(ack, "x", 1); }
PROBE(sig_restart)
{
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		int p[2], q[2];
		char c;
		seen = 0;
		handle(SIGUSR1, acknowledges, flags);
		MUST(pipe(p) == 0 && pipe(q) == 0);
		ack = q[1];
		pid_t pid = fork();
		if (pid == 0) {
			asleep(getppid());
			kill(getppid(), SIGUSR1);
			read(q[0], &c, 1); // the handler has run
			asleep(getppid()); // in the call again, or in waitpid
			write(p[1], "x", 1);
			_exit(0);
		}
		long r = read(p[0], &c, 1);
		int e = errno;
		CHECK(flags ? r == 1 : r == -1 && e == EINTR, "%ld", r);
		CHECK(seen == 1);
		while (waitpid(pid, 0, 0) < 0) {}
		printf("%d %d %ld\n", pid, got[0].si_pid, r);
	}
}

PROBE(sig_masks)
{
	int sigs[] = {SIGUSR1, SIGTERM};
	signal(SIGHUP, SIG_IGN);
	handle(SIGUSR2, record, 0);
	block(SIG_BLOCK, 2, sigs);
	kill(getpid(), SIGUSR1);
	pid_t p = fork();
	if (p == 0) {
		sigset_t s;
		sigpending(&s);
		CHECK(!sigismember(&s, SIGUSR1)); // pending ones are not inherited
		execl("/bin/sh", "sh", "-c", "grep ^Sig[BIC] /proc/self/status", (char *)0);
		_exit(1);
	}
	wait_ok(p);
	sigset_t s;
	sigpending(&s);
	CHECK(sigismember(&s, SIGUSR1));
}

static char stack[1 << 17] __attribute__((aligned(16)));
static volatile int on, depth, deepest;
static void nests(int sig, siginfo_t *i, void *uc)
{
	char here;
	on += &here > stack && &here < stack + sizeof stack;
	if (++depth > deepest)
		deepest = depth;
	if (depth < 4)
		raise(sig);
	depth--;
}
PROBE(sig_altstack)
{
	stack_t ss = {stack, 0, sizeof stack}, old;
	MUST(sigaltstack(&ss, 0) == 0);
	handle(SIGUSR1, nests, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
	CHECK(on == 4 && deepest == 4, "%d %d", on, deepest);
	MUST(sigaltstack(0, &old) == 0);
	printf("%d %d %zu\n", on, old.ss_flags, old.ss_size);
}

PROBE(sig_child)
{
	int sigs[] = {SIGCHLD}, st;
	siginfo_t si;
	handle(SIGCHLD, record, 0);
	sigset_t old = block(SIG_BLOCK, 1, sigs);
	pid_t p[5];
	for (int i = 0; i < 5; i++)
		if ((p[i] = fork()) == 0) {
			burn(20000000);
			_exit(i);
		}
	for (int i = 0; i < 5; i++)
		MUST(waitid(P_PID, p[i], &si, WEXITED | WNOWAIT) == 0);
	MUST(sigprocmask(SIG_SETMASK, &old, 0) == 0);
	CHECK(seen == 1); // five came to one
	printf("%d %d %ld %ld\n", got[0].si_pid, got[0].si_status, got[0].si_utime, got[0].si_stime);
	for (pid_t w; (w = wait(&st)) > 0;)
		printf("%d %x\n", w, st);
	// Waited for and read, it carries the same.
	block(SIG_BLOCK, 1, sigs);
	for (int i = 0; i < 2; i++) {
		sigset_t s;
		struct signalfd_siginfo q = {0};
		sigemptyset(&s);
		sigaddset(&s, SIGCHLD);
		pid_t c = fork();
		if (c == 0) {
			burn(40000000);
			_exit(3);
		}
		if (i == 0) {
			MUST(sigwaitinfo(&s, &si) == SIGCHLD);
			CHECK(si.si_pid == c);
			printf("wait %d %ld %ld\n", si.si_pid, si.si_utime, si.si_stime);
		} else {
			int fd = signalfd(-1, &s, 0);
			MUST(read(fd, &q, sizeof q) == sizeof q);
			CHECK(q.ssi_pid == (uint32_t)c);
			printf("read %u %lu %lu\n", q.ssi_pid, (unsigned long)q.ssi_utime, (unsigned long)q.ssi_stime);
		}
		waitpid(c, 0, 0);
	}
}

PROBE(sig_pipe)
{
	int p[2];
	handle(SIGPIPE, record, 0);
	MUST(pipe(p) == 0);
	close(p[0]);
	CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE && seen == 1);
	printf("%d %d\n", got[0].si_code, got[0].si_pid == getpid());
}

static char *pages;
static void repairs(int sig, siginfo_t *i, void *uc)
{
	char *a = i->si_addr;
	if (i->si_code == SEGV_ACCERR && a >= pages && a < pages + 64 * 4096) {
		mprotect((char *)((uintptr_t)a & ~4095ul), 4096, PROT_READ | PROT_WRITE);
		seen++;
		return;
	}
	((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP] += 3; // mov (%rax),%rax
	seen += 1000;
}
PROBE(sig_segv)
{
	handle(SIGSEGV, repairs, 0);
	pages = mmap(0, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 64; i++)
		pages[i * 4096 + i] = i;
	long v = 8;
	__asm__ volatile("mov (%%rax),%%rax" : "+a"(v));
	CHECK(seen == 1064, "%d", seen);
	printf("%d %ld\n", seen, v);
}

PROBE(sig_stop)
{
	int st;
	pid_t p = fork();
	if (p == 0) {
		raise(SIGSTOP);
		_exit(9);
	}
	MUST(waitpid(p, &st, WUNTRACED) == p);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	kill(p, SIGCONT);
	MUST(waitpid(p, &st, 0) == p);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 9);
	printf("%d %x\n", p, st);
}

PROBE(sig_wait)
{
	int sigs[] = {SIGUSR1, SIGUSR2, SIGCHLD}, sig;
	sigset_t s;
	siginfo_t si;
	struct timespec t = {0, 5 * MS};
	block(SIG_BLOCK, 3, sigs);
	sigemptyset(&s);
	for (int i = 0; i < 3; i++)
		sigaddset(&s, sigs[i]);
	int64_t from = now(CLOCK_MONOTONIC);
	CHECK(sigtimedwait(&s, &si, &t) == -1 && errno == EAGAIN);
	CHECK(now(CLOCK_MONOTONIC) - from >= 5 * MS);
	pid_t p = fork();
	if (p == 0) {
		asleep(getppid());
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	MUST(sigwaitinfo(&s, &si) == SIGUSR2);
	CHECK(si.si_pid == p);
	MUST(sigwait(&s, &sig) == 0 && sig == SIGCHLD);
	wait_ok(p);
	printf("%d %ld\n", si.si_pid, now(CLOCK_MONOTONIC) - from);
}

PROBE(sig_fd)
{
	int sigs[] = {SIGUSR1};
	sigset_t s;
	struct signalfd_siginfo q[2];
	struct epoll_event e = {EPOLLIN};
	block(SIG_BLOCK, 1, sigs);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	int fd = signalfd(-1, &s, SFD_CLOEXEC), ep = epoll_create1(0);
	MUST(fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	struct pollfd pf = {fd, POLLIN};
	CHECK(poll(&pf, 1, 0) == 0 && epoll_wait(ep, &e, 1, 0) == 0);
	pid_t p = fork();
	if (p == 0) {
		asleep(getppid());
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK(epoll_wait(ep, &e, 1, -1) == 1 && poll(&pf, 1, 0) == 1);
	CHECK(read(fd, q, sizeof q) == sizeof q[0] && q[0].ssi_pid == (uint32_t)p && q[0].ssi_signo == SIGUSR1);
	CHECK(poll(&pf, 1, 0) == 0);
	wait_ok(p);
	printf("%u %d\n", q[0].ssi_pid, q[0].ssi_code);
}

PROBE(sig_timers)
{
	int sigs[] = {SIGALRM, SIGRTMIN};
	sigset_t s;
	siginfo_t si;
	timer_t t;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 5};
	struct itimerspec it = {{0, 0}, {0, 3 * MS}};
	struct itimerval iv = {{0, 0}, {0, 4000}};
	block(SIG_BLOCK, 2, sigs);
	sigemptyset(&s);
	sigaddset(&s, SIGALRM);
	sigaddset(&s, SIGRTMIN);
	int64_t from = now(CLOCK_MONOTONIC);
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0 && timer_settime(t, 0, &it, 0) == 0 && setitimer(ITIMER_REAL, &iv, 0) == 0);
	for (int i = 0; i < 2; i++) {
		int sig = sigwaitinfo(&s, &si);
		CHECK(sig == SIGALRM ? si.si_code == SI_KERNEL : sig == SIGRTMIN && si.si_code == SI_TIMER && si.si_value.sival_int == 5);
		printf("%d %d %ld\n", sig, si.si_code, now(CLOCK_MONOTONIC) - from);
	}
}

// A loop that makes calls gets the signal at one of them.
static volatile int stop;
static void stops(int sig) { stop = 1; }
PROBE(sig_loop)
{
	int p[2], n = 0;
	MUST(pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGUSR1, stops);
		write(p[1], "x", 1);
		while (!stop) {
			sched_yield();
			n++;
		}
		write(p[1], &n, sizeof n);
		_exit(0);
	}
	char c;
	MUST(read(p[0], &c, 1) == 1);
	usleep(2000);
	kill(pid, SIGUSR1);
	MUST(read(p[0], &n, sizeof n) == sizeof n);
	wait_ok(pid);
	CHECK(n > 0);
	printf("%d\n", n);
}

static sem_t up, done;
static volatile int who;
static void notes(int sig) { who = gettid(); sem_post(&done); }
static void *listens(void *x)
{
	int sigs[] = {SIGUSR1};
	block(SIG_UNBLOCK, x != 0, sigs);
	*(volatile int *)&seen = gettid();
	sem_post(&up);
	for (;;)
		pause();
	return 0;
}
PROBE(sig_target)
{
	int sigs[] = {SIGUSR1};
	pthread_t t;
	int tid[2];
	signal(SIGUSR1, notes);
	block(SIG_BLOCK, 1, sigs);
	sem_init(&up, 0, 0);
	sem_init(&done, 0, 0);
	for (long i = 0; i < 2; i++) {
		pthread_create(&t, 0, listens, (void *)i);
		while (sem_wait(&up)) {}
		tid[i] = seen;
	}
	kill(getpid(), SIGUSR1); // only the second thread lets it in
	while (sem_wait(&done)) {}
	CHECK(who == tid[1], "%d", who);
	printf("%d\n", who);
	block(SIG_UNBLOCK, 1, sigs);
	kill(getpid(), SIGUSR1); // the main thread comes first
	while (sem_wait(&done)) {}
	CHECK(who == getpid(), "%d", who);
	printf("%d\n", who);
}
