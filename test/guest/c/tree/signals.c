// Signals that interrupt, queue, nest, and come from timers.
#include "tree.h"
#include <linux/futex.h>

static int word;

// A call that waits; each is interrupted by handlers in eintr and restart.
static long waiting(int which, int *p, int sv[2])
{
	struct pollfd pf = {p[0], POLLIN};
	struct epoll_event ev = {.events = EPOLLIN};
	struct timespec t = {5, 0};
	fd_set s;
	char c;
	int ep;
	sigset_t none;
	switch (which) {
	case 0:
		return read(p[0], &c, 1);
	case 1:
		return recv(sv[0], &c, 1, 0);
	case 2:
		return poll(&pf, 1, -1);
	case 3:
		return poll(&pf, 1, 5000);
	case 4:
		FD_ZERO(&s);
		FD_SET(p[0], &s);
		return select(p[0] + 1, &s, 0, 0, 0);
	case 5:
		ep = epoll_create1(0);
		epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
		return epoll_wait(ep, &ev, 1, rnd(2) ? -1 : 5000);
	case 6:
		return nanosleep(&t, 0);
	case 7:
		return syscall(SYS_futex, &word, FUTEX_WAIT, 0, rnd(2) ? &t : 0, 0, 0);
	case 8:
		return waitpid(-1, 0, 0);
	case 9:
		sigemptyset(&none);
		sigaddset(&none, SIGUSR2);
		return sigtimedwait(&none, 0, rnd(2) ? &t : 0);
	case 10:
		return ppoll(&pf, 1, &t, 0);
	case 11:
		return clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0) ? (errno = EINTR, -1) : 0;
	case 12:
		return readv(p[0], &(struct iovec){&c, 1}, 1);
	case 13:
		return pause();
	case 14:
		return eventfd_read(p[2], &(eventfd_t){0});
	case 15:
		return accept(p[3], 0, 0);
	case 16:
		return waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WSTOPPED);
	default:
		return flock(p[4], LOCK_EX);
	}
}

static void interrupt(int flags)
{
	int p[5], sv[2], which = rnd(18), ready[2];
	char name[300];
	MUST(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0 && pipe(ready) == 0);
	p[2] = eventfd(0, 0);
	p[3] = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(p[3], (void *)&(struct sockaddr){AF_UNIX}, sizeof(sa_family_t));
	listen(p[3], 1);
	snprintf(name, sizeof name, "%s/lock%d", dir, getpid());
	p[4] = open(name, O_CREAT | O_RDWR, 0600);
	int own = open(name, O_RDWR);
	flock(own, LOCK_EX);
	pid_t c = child("i"), d;
	if (c == 0) {
		handle(SIGUSR1, flags);
		if ((d = fork()) == 0)
			for (;;)
				pause();
		tell(ready[1]);
		int64_t t = now();
		long r = waiting(which, p, sv);
		R("call %d: %s, %d signals", which, r == -1 ? err(r) : "done", caught[SIGUSR1] > 0);
		race("%ld %ld %d", now() - t, r, caught[SIGUSR1]);
		kill(d, SIGKILL);
		_exit(1);
	}
	close(ready[1]);
	close(p[1]);
	await(ready[0]);
	for (int i = 0; i < 3; i++) {
		ms(30);
		kill(c, i == 1 ? SIGCONT : SIGUSR1);
	}
	ms(30);
	close(own);
	kill(c, SIGKILL); // where the call was restarted it waits still
	R("end %d", WIFEXITED(reap(c)) != 2);
}

void op_eintr(void) { interrupt(0); }
void op_restart(void) { interrupt(SA_RESTART); }

void op_interval(void)
{
	int n = 2 + rnd(4), which = rnd(3);
	handle(SIGALRM, rnd(2) ? SA_RESTART : 0);
	if (which == 0) {
		struct itimerval it = {{0, 3000}, {0, 2000}};
		setitimer(ITIMER_REAL, &it, 0);
		while (caught[SIGALRM] < n)
			pause();
		memset(&it, 0, sizeof it);
		setitimer(ITIMER_REAL, &it, &it);
		R("interval %ld", it.it_interval.tv_usec);
	} else if (which == 1) {
		alarm(1);
		MUST(alarm(0) == 1);
		alarm(1);
		int64_t t = now();
		pause();
		t = now() - t;
		R("alarm %d", t > 900000000 && t < 2000000000);
	} else {
		ualarm(2000, 0);
		pid_t c = child("w");
		if (c == 0) {
			ms(20);
			_exit(3);
		}
		int st, r = waitpid(c, &st, 0), e = r < 0;
		if (e)
			waitpid(c, &st, 0);
		race("%d", e);
		R("wait %x", st);
	}
	R("alarms %d", caught[SIGALRM] >= 1);
}

void op_posix_timer(void)
{
	timer_t id;
	int s = rnd(2) ? SIGRTMIN + 1 : SIGUSR2, n = 1 + rnd(4);
	siginfo_t i;
	sigset_t m;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = s, .sigev_value.sival_int = 9};
	struct itimerspec ts = {{0, rnd(2) ? 2000000 : 0}, {0, 3000000}}, left;
	block(s);
	MUST(timer_create(rnd(2) ? CLOCK_MONOTONIC : CLOCK_REALTIME, &ev, &id) == 0);
	MUST(timer_settime(id, 0, &ts, 0) == 0);
	sigemptyset(&m);
	sigaddset(&m, s);
	if (!ts.it_interval.tv_nsec)
		n = 1;
	while (n--) {
		MUST(sigwaitinfo(&m, &i) == s);
		R("timer %d %d", i.si_code == SI_TIMER, i.si_value.sival_int);
		race("%d %ld", i.si_overrun, now());
	}
	MUST(timer_gettime(id, &left) == 0);
	R("interval %ld armed %d", left.it_interval.tv_nsec, left.it_value.tv_nsec > 0);
	MUST(timer_delete(id) == 0);
}

// Real-time signals queue, in order, by number; others do not.
void op_queue(void)
{
	int sigs[3] = {SIGRTMIN + 2, SIGRTMIN + 1, SIGUSR1}, q[2];
	sigset_t m;
	siginfo_t i;
	sigemptyset(&m);
	for (int k = 0; k < 3; k++) {
		block(sigs[k]);
		sigaddset(&m, sigs[k]);
	}
	MUST(pipe(q) == 0);
	pid_t c = child("q");
	if (c == 0) {
		await(q[0]);
		while (sigtimedwait(&m, &i, &(struct timespec){0, 0}) > 0)
			R("signal %d value %d", i.si_signo, i.si_value.sival_int);
		R("empty %s", strerrorname_np(errno));
		_exit(0);
	}
	for (int k = 0; k < 12; k++)
		MUST(sigqueue(c, sigs[k % 3], (union sigval){.sival_int = k}) == 0);
	tell(q[1]);
	R("end %x", reap(c));
}

void op_sigwait(void)
{
	sigset_t m;
	int s, n = 1 + rnd(5), p[2];
	MUST(pipe(p) == 0);
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigaddset(&m, SIGTERM);
	sigprocmask(SIG_BLOCK, &m, 0);
	pid_t c = child("w");
	if (c == 0) {
		for (;;) {
			MUST(sigwait(&m, &s) == 0);
			R("got %d", s);
			if (s == SIGTERM)
				_exit(0);
			tell(p[1]);
		}
	}
	while (n--) {
		if (rnd(2))
			ms(1);
		kill(c, SIGUSR1);
		await(p[0]);
	}
	kill(c, SIGTERM);
	R("end %x", reap(c));
}

// The mask that a call sets for its time.
void op_mask(void)
{
	struct pollfd pf = {-1, POLLIN};
	struct timespec t = {0, rnd(2) * 300000000};
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	struct epoll_event ev;
	int ep = epoll_create1(0), r;
	pid_t me = getpid();
	block(SIGUSR1);
	handle(SIGUSR1, 0);
	int early = rnd(2);
	if (early)
		raise(SIGUSR1);
	pid_t c = child("k");
	if (c == 0) {
		ms(20);
		if (!early)
			kill(me, SIGUSR1);
		_exit(0);
	}
	switch (rnd(4)) {
	case 0:
		r = ppoll(&pf, 1, 0, &none);
		break;
	case 1:
		r = pselect(0, 0, 0, 0, &(struct timespec){5, 0}, &none);
		break;
	case 2:
		r = epoll_pwait(ep, &ev, 1, -1, &none);
		break;
	default:
		r = sigsuspend(&none);
	}
	R("unblocked: %s %d", err(r), caught[SIGUSR1]);
	R("end %x", reap(c));
	unblock(SIGUSR1);
	c = child("k");
	if (c == 0) {
		ms(20);
		kill(me, SIGUSR1);
		_exit(0);
	}
	r = ppoll(&pf, 1, &(struct timespec){0, 300000000}, &all);
	R("blocked: %d %d", r, caught[SIGUSR1]);
	R("end %x", reap(c));
}

static volatile int level, deepest, runs;
static void deeper(int s)
{
	if (++level > deepest)
		deepest = level;
	if (++runs < 12)
		raise(runs & 1 ? SIGUSR1 : SIGUSR2);
	level--;
}

void op_nested(void)
{
	static char stack[65536];
	struct sigaction a = {.sa_handler = deeper, .sa_flags = (rnd(2) ? SA_NODEFER : 0) | (rnd(2) ? SA_ONSTACK : 0)};
	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, 0);
	sigaction(SIGUSR1, &a, 0);
	sigaction(SIGUSR2, &a, 0);
	raise(SIGUSR1);
	R("deepest %d level %d runs %d", deepest, level, runs);
	handle(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	struct sigaction got;
	sigaction(SIGUSR1, 0, &got);
	R("reset %d %d", caught[SIGUSR1], got.sa_handler == SIG_DFL);
}

// What signals become over execve.
void op_exec_mask(void)
{
	handle(SIGUSR1, 0);
	signal(SIGUSR2, SIG_IGN);
	for (int i = rnd(4); i; i--) {
		int s = 1 + rnd(31);
		if (s == SIGKILL || s == SIGSTOP)
			continue;
		block(s);
		if (rnd(2))
			raise(s);
	}
	char *av[] = {"tree", "mask", "x", 0};
	pid_t c = child("e");
	if (c == 0)
		again(av);
	R("exec %x", reap(c));
}

// SIGIO tells of input.
void op_async(void)
{
	int s[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	handle(SIGIO, 0);
	fcntl(s[0], F_SETOWN, getpid());
	int r = fcntl(s[0], F_SETFL, O_ASYNC);
	pid_t c = child("w");
	if (c == 0) {
		ms(5);
		tell(s[1]);
		_exit(0);
	}
	struct timespec t = {1, 0};
	r = nanosleep(&t, &t);
	R("sleep %s, signals %d", err(r), caught[SIGIO] > 0);
	R("end %x", reap(c));
}

// Sleepers of all lengths are woken in the order of their times.
void op_sleepers(void)
{
	int n = 2 + rnd(6), p[2];
	char b[16] = {0};
	MUST(pipe(p) == 0);
	for (int i = 0; i < n; i++)
		if (child("s") == 0) {
			ms(30 * (1 + (i * 5) % 8));
			char c = '0' + i;
			MUST(write(p[1], &c, 1) == 1);
			_exit(0);
		}
	close(p[1]);
	int k = 0, r;
	while ((r = read(p[0], b + k, 1)) > 0)
		k += r;
	R("order %s", b);
	while (wait(0) > 0)
		;
}
