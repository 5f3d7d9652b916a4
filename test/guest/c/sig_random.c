// Random programs about signals, whose results Linux determines: actions with
// all their flags, masks, pending signals and their order, alternate stacks,
// handlers within handlers, waiting, timers, children that end, stop, continue
// and exec, signalfd, threads. SEED N: N processes of some steps each.
#define _GNU_SOURCE
#include "random.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

static pid_t self, child, parent;
static const char *image;
static int depth, handled, leaf; // leaf: a child, whose handlers do nothing
static char stack[2][65536] __attribute__((aligned(16)));
static int sigs[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGALRM, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGQUIT, SIGPIPE, SIGIO, 0, 0, 0};
static int any(void) { return PICK(sigs); }

static const char *pid(pid_t p) { return p == self ? "self" : p == 0 ? "none" : p == child ? "child" : p == parent ? "parent" : "other"; }
static uint64_t bits(const sigset_t *s) { return *(uint64_t *)s; }
static sigset_t set(uint64_t v) { sigset_t s; memset(&s, 0, sizeof s); *(uint64_t *)&s = v; return s; }
static sigset_t some(void) {
	sigset_t s;
	sigemptyset(&s);
	for (int i = below(6); i > 0; i--) sigaddset(&s, any());
	if (one_in(8)) sigaddset(&s, SIGKILL), sigaddset(&s, SIGSTOP);
	return s;
}
static void mask(void) {
	sigset_t s;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, &s, 8);
	printf(" mask %lx", bits(&s));
}
static void info(const siginfo_t *i) {
	printf(" %d code %d", i->si_signo, i->si_code);
	switch (i->si_code) {
	case SI_USER: case SI_TKILL: printf(" from %s uid %d", pid(i->si_pid), i->si_uid == getuid()); break;
	case SI_QUEUE: printf(" from %s value %d", pid(i->si_pid), i->si_value.sival_int); break;
	case SI_TIMER: printf(" value %d overrun %d", i->si_value.sival_int, i->si_overrun); break;
	default: if (i->si_signo == SIGCHLD && i->si_code > 0) printf(" from %s status %d", pid(i->si_pid), i->si_status);
	}
}

static void step(int most);
static void handler(int sig, siginfo_t *i, void *uc) {
	int e = errno;
	ucontext_t *u = uc;
	char here;
	depth++;
	handled++;
	printf("%*s(handler", depth * 2, "");
	if (sig < 0) sig = -sig;
	info(i);
	mask();
	printf(" before %lx", bits(&u->uc_sigmask));
	stack_t ss;
	sigaltstack(0, &ss);
	printf(" stack %s flags %d", &here > stack[0] && &here < stack[0] + sizeof stack ? "other" : "own", ss.ss_flags);
	printf("\n");
	if (depth < 3 && !leaf) for (int n = below(3); n > 0; n--) step(8);
	if (one_in(6)) { sigaddset(&u->uc_sigmask, any()); sigdelset(&u->uc_sigmask, any()); }
	printf("%*s)\n", depth * 2, "");
	depth--;
	errno = e;
}
static void plain(int sig) {
	printf("%*s(plain %d", ++depth * 2, "", sig);
	handled++;
	mask();
	printf(")\n");
	depth--;
}

static void action(int sig) {
	static const int flags[] = {SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_ONSTACK, SA_NOCLDSTOP, SA_NOCLDWAIT};
	struct { void *h; unsigned long flags; void *restorer; uint64_t mask; } old = {0}, now = {0};
	struct sigaction a = {0}, o;
	for (int n = below(3); n > 0; n--) a.sa_flags |= PICK(flags);
	a.sa_mask = some();
	int kind = below(10);
	if (kind < 6) a.sa_flags |= SA_SIGINFO, a.sa_sigaction = handler;
	else a.sa_handler = kind < 8 ? plain : kind == 8 ? SIG_IGN : SIG_DFL;
	if (a.sa_handler == SIG_DFL && sig != SIGCHLD && sig != SIGURG && sig != SIGWINCH && sig != SIGCONT) a.sa_handler = SIG_IGN;
	int r = sigaction(sig, &a, &o);
	printf("action %d kind %d flags %x: %s", sig, kind, a.sa_flags, said(r));
	if (!r) printf(" was %s %x mask %lx", o.sa_handler == SIG_DFL ? "default" : o.sa_handler == SIG_IGN ? "ignored" : o.sa_handler == plain ? "plain" : "info", o.sa_flags, bits(&o.sa_mask));
	printf("\n");
}

static int deliverable(uint64_t m) { // something would end a wait with mask m
	sigset_t p;
	sigpending(&p);
	for (int s = 1; s <= 64; s++) {
		struct sigaction a;
		if (!(bits(&p) >> (s - 1) & 1) || m >> (s - 1) & 1) continue;
		if (sigaction(s, 0, &a) == 0 && a.sa_handler != SIG_IGN && a.sa_handler != SIG_DFL) return 1;
	}
	return 0;
}

static void sends(void) {
	int sig = one_in(15) ? PICK(((int[]){0, 65, -1})) : any(), v = below(1000);
	siginfo_t i = {0};
	i.si_value.sival_int = v;
	switch (below(9)) {
	case 0: case 1: printf("kill %d: ", sig); printf("= %s\n", said(kill(self, sig))); break;
	case 2: printf("tgkill %d: ", sig); printf("= %s\n", said(syscall(SYS_tgkill, self, self, sig))); break;
	case 3: printf("tkill %d: ", sig); printf("= %s\n", said(syscall(SYS_tkill, self, sig))); break;
	case 4: printf("sigqueue %d %d: ", sig, v); printf("= %s\n", said(sigqueue(self, sig, i.si_value))); break;
	case 5:
		i.si_code = PICK(((int[]){SI_QUEUE, SI_QUEUE, SI_USER, SI_TKILL, SI_MESGQ, 3, SI_TIMER}));
		i.si_pid = one_in(2) ? self : 0;
		i.si_uid = getuid();
		if (i.si_code == SI_USER && !i.si_pid) i.si_pid = self;
		if (i.si_code == SI_TIMER) i.si_code = SI_QUEUE;
		printf("queueinfo %d code %d: ", sig, i.si_code);
		i.si_signo = sig;
		printf("= %s\n", said(syscall(SYS_rt_sigqueueinfo, self, sig, &i)));
		break;
	case 6:
		i.si_code = SI_QUEUE, i.si_pid = self;
		printf("tgqueueinfo %d: ", sig);
		printf("= %s\n", said(syscall(SYS_rt_tgsigqueueinfo, self, one_in(8) ? self + 1000000 : self, sig, &i)));
		break;
	case 7: printf("group %d: ", sig); printf("= %s\n", said(kill(0, sig))); break;
	case 8:
		printf("nobody %d: ", sig);
		printf("%s %s %s %s\n", said(kill(0x3ffff0, sig)), said(syscall(SYS_tgkill, 0x3ffff0, 0x3ffff0, sig)), said(syscall(SYS_tgkill, self, 0, sig)), said(syscall(SYS_tkill, -1, sig)));
		break;
	}
}

static void waits(void) {
	sigset_t s = some(), p;
	siginfo_t i = {0};
	struct timespec t = {one_in(10) ? -1 : 0, one_in(10) ? 1000000000 : one_in(3) ? 1000000 : 0};
	sigpending(&p);
	printf("pending %lx ", bits(&p));
	switch (below(4)) {
	case 0: case 1: {
		int none = one_in(4), n = one_in(12) ? 4 : 8, h = handled;
		long r = syscall(SYS_rt_sigtimedwait, &s, none ? 0 : &i, &t, n);
		printf("timedwait %lx: %s", bits(&s), said(r));
		if (r > 0 && !none) info(&i);
		printf("\n");
		break;
	}
	case 2:
		if (!deliverable(bits(&s))) { printf("\n"); return; }
		printf("suspend %lx\n", bits(&s));
		printf("= %s", said(syscall(SYS_rt_sigsuspend, &s, one_in(10) ? 4 : 8)));
		mask();
		printf("\n");
		break;
	case 3: {
		int fd = signalfd(one_in(10) ? 0 : -1, &s, SFD_NONBLOCK | (one_in(10) ? 1 : 0));
		if (fd < 0) { printf("signalfd: %s\n", said(fd)); return; }
		struct signalfd_siginfo q[3];
		memset(q, 0, sizeof q);
		int n = read(fd, q, one_in(8) ? 100 : sizeof q[0] * (1 + below(3)));
		printf("signalfd %lx: %s", bits(&s), said(n));
		for (int k = 0; k * (int)sizeof q[0] < n; k++) {
			printf(" [%d code %d", q[k].ssi_signo, q[k].ssi_code);
			if (q[k].ssi_code == SI_QUEUE) printf(" value %d", q[k].ssi_int);
			if (q[k].ssi_code <= 0) printf(" from %s", q[k].ssi_code == SI_TIMER ? "timer" : pid(q[k].ssi_pid));
			if (q[k].ssi_signo == SIGCHLD && q[k].ssi_code > 0) printf(" from %s status %d", pid(q[k].ssi_pid), q[k].ssi_status);
			printf("]");
		}
		if (one_in(3)) {
			s = some();
			printf(" changed: %s", said(signalfd(fd, &s, 0) < 0 ? -1 : 0));
			n = read(fd, q, sizeof q[0]);
			printf(" %s %d", said(n), n > 0 ? q[0].ssi_signo : 0);
		}
		printf("\n");
		close(fd);
		break;
	}
	}
}

static void masks(void) {
	sigset_t s = some(), old = set(0);
	int how = one_in(12) ? 7 : below(3), none = one_in(6), n = one_in(15) ? 16 : 8;
	printf("mask %d %lx%s:", how, bits(&s), none ? " none" : "");
	long r = syscall(SYS_rt_sigprocmask, how, none ? 0 : &s, &old, n);
	printf("= %s was %lx now", said(r), bits(&old));
	mask();
	printf("\n");
}

static void altstack(void) {
	stack_t s = {stack[below(2)], 0, sizeof stack[0]}, old = {0};
	switch (below(8)) {
	case 0: s.ss_flags = SS_DISABLE; break;
	case 1: s.ss_size = 100; break;
	case 2: s.ss_flags = 5; break;
	case 3: s.ss_flags = SS_ONSTACK; break;
	case 4: s.ss_flags = 1u << 31; break; // SS_AUTODISARM
	}
	int ask = one_in(4);
	int r = sigaltstack(ask ? 0 : &s, &old);
	printf("altstack %x %zd: %s was %d %d %zd\n", ask ? -1 : s.ss_flags, s.ss_size, said(r), old.ss_sp ? (old.ss_sp == stack[1]) : -1, old.ss_flags, old.ss_size);
}

// timed arms a timer of a blocked signal and waits for just that.
static void timed(void) {
	int sig = PICK(((int[]){SIGALRM, SIGUSR1, SIGRTMIN + 1})), real = one_in(2);
	if (real) sig = SIGALRM;
	sigset_t s = set(0), old;
	sigaddset(&s, sig);
	sigprocmask(SIG_BLOCK, &s, &old);
	struct timespec zero = {0, 0};
	while (sigtimedwait(&s, 0, &zero) > 0) {}
	printf("timer %d %s:", sig, real ? "itimer" : "posix");
	timer_t t;
	if (real) {
		struct itimerval v = {{0, 0}, {0, 1000}};
		setitimer(ITIMER_REAL, &v, 0);
	} else {
		struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig, .sigev_value.sival_int = below(100)};
		struct itimerspec v = {{0, 0}, {0, 1000000}};
		timer_create(CLOCK_MONOTONIC, &e, &t);
		timer_settime(t, 0, &v, 0);
	}
	struct sigaction a;
	sigaction(sig, 0, &a);
	siginfo_t i = {0};
	if (a.sa_handler != SIG_IGN && a.sa_handler != SIG_DFL && one_in(2)) {
		s = set(~bits(&s));
		printf("\n");
		printf("= suspend %s\n", said(sigsuspend(&s)));
	} else {
		int r = sigwaitinfo(&s, &i);
		printf(" wait %s", said(r));
		info(&i);
		printf("\n");
	}
	if (!real) timer_delete(t);
	sigprocmask(SIG_SETMASK, &old, 0);
}

// What a new image has.
static void fresh(const char *who) {
	sigset_t p;
	stack_t ss;
	sigpending(&p);
	sigaltstack(0, &ss);
	printf("%s:", who);
	mask();
	printf(" pending %lx stack %d ignored", bits(&p), ss.ss_flags);
	for (int s = 1; s <= 64; s++) {
		struct sigaction a;
		if (sigaction(s, 0, &a) == 0 && a.sa_handler != SIG_DFL) printf(" %d%s", s, a.sa_handler == SIG_IGN ? "" : "h");
	}
	printf("\n");
	fflush(stdout);
}

static void family(void) {
	int how = below(7), st = 0, v = below(100);
	sigset_t block = set(0), old, back;
	siginfo_t i = {0};
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	fflush(stdout);
	int stops = one_in(2);
	child = fork();
	if (child == 0) {
		self = getpid();
		leaf = 1;
		switch (how) {
		case 0: fresh("child"); _exit(v);
		case 1: signal(SIGTERM, SIG_DFL); back = set(0); sigprocmask(SIG_SETMASK, &back, 0); raise(SIGTERM); kill(self, SIGKILL);
		case 2: kill(self, SIGUSR2), kill(self, SIGRTMIN + 1); // pending ones, if blocked, live on
			if (deliverable(0)) {}
			printf("exec\n");
			fflush(stdout);
			execl(image, image, "image", (char *)0);
			_exit(1);
		case 3: raise(SIGSTOP); _exit(v);
		case 4: signal(SIGTSTP, SIG_DFL); back = set(0); sigprocmask(SIG_SETMASK, &back, 0); raise(SIGSTOP); _exit(v);
		case 5: abort();
		default: _exit(v);
		}
	}
	printf("family %d:", how);
	if (how == 3 || how == 4) {
		int r = waitpid(child, &st, WUNTRACED);
		printf(" stop %d %x", r == child, st);
		printf(" again %s", said(waitpid(child, &st, WUNTRACED | WNOHANG)));
		if (one_in(3)) {
			kill(child, SIGTERM);
			kill(child, SIGKILL);
		} else {
			kill(child, SIGCONT);
			if (how == 4 && one_in(2)) kill(child, SIGCONT);
		}
	}
	struct sigaction a;
	sigaction(SIGCHLD, 0, &a);
	if (a.sa_handler == SIG_IGN || a.sa_flags & SA_NOCLDWAIT) {
		printf(" wait %s", said(waitpid(child, &st, 0)));
	} else {
		int r = waitid(P_PID, child, &i, WEXITED | WNOWAIT);
		printf(" waitid %s", said(r));
		info(&i);
		r = waitpid(child, &st, 0);
		printf(" wait %d %x again %s", r == child, st, said(waitpid(child, &st, 0)));
	}
	sigpending(&block);
	printf(" SIGCHLD %d\n", sigismember(&block, SIGCHLD));
	sigprocmask(SIG_SETMASK, &old, 0);
	child = 0;
}

// A signal of the process that only a second thread lets in.
static sem_t up, done;
static int go[2], deaf;
static void *second(void *p) {
	sigset_t s = set(0);
	int sig = *(int *)p;
	sigfillset(&s);
	if (!deaf) sigdelset(&s, sig);
	pthread_sigmask(SIG_SETMASK, &s, 0);
	sem_post(&up);
	char c;
	while (read(go[0], &c, 1) < 0) {}
	return 0;
}
static volatile sig_atomic_t who;
static void notes(int sig) { who = syscall(SYS_gettid) == self ? 1 : 2; sem_post(&done); }
static void thread(void) {
	int sig = PICK(((int[]){SIGUSR1, SIGHUP, SIGRTMIN + 1})), blocked = one_in(2);
	struct sigaction a = {.sa_handler = notes, .sa_flags = SA_RESTART}, was;
	sigset_t s = set(0), old, p, q;
	struct timespec zero = {0, 0};
	pthread_t t;
	deaf = one_in(3);
	sigaddset(&s, sig);
	sigprocmask(SIG_BLOCK, &s, &old);
	while (sigtimedwait(&s, 0, &zero) > 0) {}
	sigaction(sig, &a, &was);
	sem_init(&up, 0, 0);
	sem_init(&done, 0, 0);
	pipe(go);
	pthread_create(&t, 0, second, &sig);
	while (sem_wait(&up)) {}
	if (!blocked) sigprocmask(SIG_UNBLOCK, &s, 0);
	who = 0;
	kill(self, sig);
	int expect = !blocked || !deaf;
	if (expect) while (sem_wait(&done)) {}
	sigpending(&p);
	int at = who;
	printf("thread %d blocked %d deaf %d: handled by %d pending %d", sig, blocked, deaf, at, sigismember(&p, sig));
	who = 0;
	int r = pthread_kill(t, sig);
	if (!deaf) { while (sem_wait(&done)) {} }
	sigpending(&q);
	printf(" directed %d by %d pending %d\n", r, who, sigismember(&q, sig));
	close(go[1]);
	pthread_join(t, 0);
	close(go[0]);
	sigprocmask(SIG_BLOCK, &s, 0);
	while (sigtimedwait(&s, 0, &zero) > 0) {}
	sigaction(sig, &was, 0);
	sigprocmask(SIG_SETMASK, &old, 0);
}

// A call that sleeps, interrupted by a child that has seen it sleep, and ended
// by it if it goes on.
static struct { volatile int hits, over; unsigned word; } *shared;
static void counts(int sig) { shared->hits++; }
static char state(pid_t p) {
	char f[32], b[512], *q;
	snprintf(f, sizeof f, "/proc/%d/stat", p);
	int fd = open(f, O_RDONLY), n = read(fd, b, sizeof b - 1);
	close(fd);
	if (n <= 0) return 0;
	b[n] = 0;
	return (q = strrchr(b, ')')) ? q[2] : 0;
}
static void interrupted(void) {
	static const char *calls[] = {"read", "recv", "poll", "epoll_wait", "futex", "sigtimedwait", "msgrcv", "semop", "waitid", "accept"};
	int call = below(10), sig = SIGUSR1, fd[2], sp[2], st;
	struct sigaction a = {.sa_handler = counts, .sa_flags = one_in(2) ? SA_RESTART : 0}, was;
	sigset_t s = set(0), old, none = set(0);
	struct timespec zero = {0, 0};
	if (!shared) shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->hits = shared->over = 0, shared->word = 0;
	s = set(~0ul);
	sigprocmask(SIG_SETMASK, &s, &old);
	s = set(0);
	sigaddset(&s, sig);
	while (sigtimedwait(&s, 0, &zero) > 0) {}
	sigaction(sig, &a, &was);
	pipe(fd);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sp);
	int ep = epoll_create1(0), lsock = socket(AF_UNIX, SOCK_STREAM, 0), msg = msgget(IPC_PRIVATE, 0600), sem = semget(IPC_PRIVATE, 1, 0600);
	struct epoll_event ev = {EPOLLIN};
	struct sockaddr_un un = {AF_UNIX};
	socklen_t size = sizeof un;
	epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev);
	bind(lsock, (void *)&un, sizeof(sa_family_t));
	getsockname(lsock, (void *)&un, &size);
	listen(lsock, 1);
	fflush(stdout);
	pid_t helper = fork();
	if (helper == 0) {
		while (state(self) != 'S') usleep(100);
		kill(self, sig);
		while (!shared->hits) usleep(100);
		while (!shared->over && state(self) != 'S') usleep(100);
		shared->word = 1;
		write(fd[1], "x", 1);
		write(sp[1], "x", 1);
		syscall(SYS_futex, &shared->word, 1, 1, 0, 0, 0);
		struct sembuf up = {0, 1, 0};
		semop(sem, &up, 1);
		if (call == 9) connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, size);
		_exit(0);
	}
	s = set(~0ul);
	sigdelset(&s, sig);
	sigprocmask(SIG_SETMASK, &s, 0);
	char b[64];
	struct pollfd pf = {fd[0], POLLIN};
	struct sembuf down = {0, -1, 0};
	siginfo_t i = {0};
	long r = 0;
	switch (call) {
	case 0: r = read(fd[0], b, 8); break;
	case 1: r = recv(sp[0], b, 8, 0); break;
	case 2: r = poll(&pf, 1, -1); break;
	case 3: r = epoll_wait(ep, &ev, 1, -1); break;
	case 4: r = syscall(SYS_futex, &shared->word, 0, 0, 0, 0, 0); break;
	case 5: s = set(0); sigaddset(&s, SIGUSR2); r = sigtimedwait(&s, &i, 0); break;
	case 6: r = msgrcv(msg, b, 8, 0, 0); break;
	case 7: r = semop(sem, &down, 1); break;
	case 8: r = waitid(P_PID, helper, &i, WEXITED | WNOWAIT); break;
	case 9: r = accept(lsock, 0, 0); if (r >= 0) close(r), r = 0; break;
	}
	const char *what = said(r);
	shared->over = 1;
	while (waitpid(helper, &st, 0) < 0 && errno == EINTR) {}
	printf("%s interrupted flags %x: %s hits %d\n", calls[call], a.sa_flags, what, shared->hits);
	int fds[] = {fd[0], fd[1], sp[0], sp[1], ep, lsock};
	for (int k = 0; k < 6; k++) close(fds[k]);
	msgctl(msg, IPC_RMID, 0);
	semctl(sem, 0, IPC_RMID);
	sigaction(sig, &was, 0);
	sigprocmask(SIG_SETMASK, &old, 0);
}

static void step(int most) {
	switch (below(most)) {
	case 0: case 1: case 2: sends(); break;
	case 3: masks(); break;
	case 4: action(one_in(15) ? PICK(((int[]){0, 65, SIGKILL, SIGSTOP, -1})) : any()); break;
	case 5: case 6: waits(); break;
	case 7: altstack(); break;
	case 8: timed(); break;
	case 9: family(); break;
	case 10: thread(); break;
	case 11: interrupted(); break;
	}
}

int main(int argc, char **argv) {
	if (argc == 2) { self = getpid(); fresh("image"); return 3; }
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	image = argv[0];
	sigs[12] = SIGRTMIN, sigs[13] = SIGRTMIN + 1, sigs[14] = SIGRTMIN + 5;
	setvbuf(stdout, 0, _IOFBF, 1 << 16);
	for (int s = 1; s < 65; s++) signal(s, SIG_DFL);
	sigset_t none_set = set(0);
	sigprocmask(SIG_SETMASK, &none_set, 0);
	parent = getpid();
	for (int i = 0; i < atoi(argv[2]); i++) {
		int st;
		fflush(stdout);
		pid_t p = fork();
		if (p == 0) {
			random_state = atoi(argv[1]) * 1000003 + i;
			setpgid(0, 0);
			self = getpid();
			for (int k = 0; k < sizeof sigs / sizeof *sigs; k++) action(sigs[k]);
			for (int k = 0; k < 40; k++) step(12);
			fflush(stdout);
			_exit(0);
		}
		waitpid(p, &st, 0);
		printf("process %d: %x\n", i, st);
	}
	return 0;
}
