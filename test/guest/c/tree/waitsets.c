// poll, select, epoll over descriptors of all kinds.
#include "tree.h"

enum { KINDS = 6 };

// source makes a descriptor of a kind; another process fires it.
static int source(int kind, int *w)
{
	int p[2];
	sigset_t m;
	*w = -1;
	switch (kind) {
	case 0:
		MUST(pipe(p) == 0);
		*w = p[1];
		return p[0];
	case 1:
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
		*w = p[1];
		return p[0];
	case 2:
		return *w = eventfd(0, 0);
	case 3:
		return *w = timerfd_create(CLOCK_MONOTONIC, 0);
	case 4:
		MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
		*w = p[1];
		return p[0];
	default:
		sigemptyset(&m);
		sigaddset(&m, SIGUSR1);
		sigprocmask(SIG_BLOCK, &m, 0);
		return signalfd(-1, &m, 0);
	}
}

static void fire(int kind, int w, pid_t whom)
{
	uint64_t one = 1;
	struct itimerspec ts = {{0, 0}, {0, 1000000}};
	switch (kind) {
	case 2:
		MUST(write(w, &one, 8) == 8);
		break;
	case 3:
		MUST(timerfd_settime(w, 0, &ts, 0) == 0);
		break;
	case 5:
		MUST(kill(whom, SIGUSR1) == 0);
		break;
	default:
		MUST(write(w, "x", 1) == 1);
	}
}

static void consume(int kind, int fd)
{
	char b[256];
	int want[KINDS] = {1, 1, 8, 8, 1, sizeof(struct signalfd_siginfo)};
	int r = read(fd, b, kind == 0 || kind == 1 || kind == 4 ? 1 : sizeof b);
	if (r != want[kind])
		R("kind %d read %d %s", kind, r, err(r));
}

// order fires sources 0..kinds-1 in a random order known to both sides.
static void order(int kinds, int (*wait_for)(int *fd, int n, int round))
{
	int fd[KINDS], w[KINDS], go[2], seq[8], n = 2 + rnd(6);
	pid_t me = getpid();
	MUST(pipe(go) == 0);
	for (int k = 0; k < kinds; k++)
		fd[k] = source(k, &w[k]);
	for (int i = 0; i < n; i++)
		seq[i] = rnd(kinds);
	pid_t c = child("f");
	if (c == 0) {
		for (int i = 0; i < n; i++) {
			MUST(await(go[0]) == 1);
			if (rnd(2))
				ms(1);
			fire(seq[i], w[seq[i]], me);
		}
		_exit(0);
	}
	for (int i = 0; i < n; i++) {
		tell(go[1]);
		int k = wait_for(fd, kinds, i);
		R("ready %d, want %d", k, seq[i]);
		if (k < 0)
			fail("nothing ready");
		consume(k, fd[k]);
	}
	R("end %x", reap(c));
}

static int by_poll(int *fd, int n, int round)
{
	struct pollfd pf[2 * KINDS + 1];
	for (int i = 0; i < n; i++)
		pf[i] = pf[n + i] = (struct pollfd){fd[i], POLLIN}; // each twice
	pf[2 * n] = (struct pollfd){-1, POLLIN};
	int r = round & 1 ? poll(pf, 2 * n + 1, -1) : ppoll(pf, 2 * n + 1, &(struct timespec){5, 0}, 0);
	if (r == 1) // natively it may become ready between the two looks at it
		r = poll(pf, 2 * n + 1, 0);
	if (r != 2)
		R("poll %d", r);
	for (int i = 0; i < n; i++)
		if (pf[i].revents)
			return i;
	return -1;
}

static int by_select(int *fd, int n, int round)
{
	fd_set s;
	int top = 0;
	FD_ZERO(&s);
	for (int i = 0; i < n; i++) {
		FD_SET(fd[i], &s);
		top = fd[i] > top ? fd[i] : top;
	}
	struct timeval tv = {5, 0};
	int r = round & 1 ? select(top + 1, &s, 0, 0, &tv) : pselect(top + 1, &s, 0, 0, 0, 0);
	if (r != 1)
		R("select %d", r);
	for (int i = 0; i < n; i++)
		if (FD_ISSET(fd[i], &s))
			return i;
	return -1;
}

static int ep = -1, ep_flags;

static int by_epoll(int *fd, int n, int round)
{
	struct epoll_event ev[4];
	if (ep < 0) {
		ep = epoll_create1(0);
		for (int i = 0; i < n; i++)
			MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &(struct epoll_event){EPOLLIN | ep_flags, .data.u32 = i}) == 0);
	}
	int r = epoll_wait(ep, ev, 4, round & 1 ? -1 : 5000);
	if (r != 1)
		R("epoll %d", r);
	int k = r > 0 ? ev[0].data.u32 : -1;
	if (k >= 0 && ep_flags & EPOLLONESHOT)
		MUST(epoll_ctl(ep, EPOLL_CTL_MOD, fd[k], &(struct epoll_event){EPOLLIN | ep_flags, .data.u32 = k}) == 0);
	return k;
}

void op_poll(void) { order(KINDS, by_poll); }
void op_select(void) { order(KINDS, by_select); }
void op_epoll(void) { order(KINDS - 1, by_epoll); }

void op_edge(void)
{
	ep_flags = rnd(2) ? EPOLLET : EPOLLONESHOT;
	order(KINDS - 1, by_epoll);
}

void op_epoll_signalfd(void)
{
	order(KINDS, by_epoll);
}

void op_timerfd(void)
{
	uint64_t n = 0, sum = 0;
	int fd = timerfd_create(rnd(2) ? CLOCK_MONOTONIC : CLOCK_REALTIME, 0), want = 1 + rnd(6);
	struct itimerspec ts = {{0, 2000000}, {0, 1000000}}, left;
	MUST(fd >= 0 && timerfd_settime(fd, 0, &ts, 0) == 0);
	while (sum < want) {
		if (want & 1)
			ms(3);
		MUST(read(fd, &n, 8) == 8 && n > 0);
		sum += n;
		race("%lu", n);
	}
	MUST(timerfd_gettime(fd, &left) == 0);
	R("interval %ld", left.it_interval.tv_nsec);
	pid_t c = child("t"); // a timer is shared with a child
	if (c == 0) {
		MUST(read(fd, &n, 8) == 8);
		memset(&ts, 0, sizeof ts);
		timerfd_settime(fd, 0, &ts, 0);
		_exit(1);
	}
	R("end %x", reap(c));
	MUST(timerfd_gettime(fd, &left) == 0);
	R("disarmed %ld", left.it_value.tv_nsec);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	R("read %s", err(read(fd, &n, 8) == 8 ? 0 : -1));
}

void op_signalfd(void)
{
	sigset_t m;
	struct signalfd_siginfo i[4];
	sigemptyset(&m);
	sigaddset(&m, SIGCHLD);
	sigaddset(&m, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &m, 0);
	int fd = signalfd(-1, &m, 0), st;
	pid_t me = getpid(), c = child("c");
	if (c == 0) {
		ms(rnd(3));
		sigqueue(me, SIGRTMIN, (union sigval){.sival_int = 4});
		sigqueue(me, SIGRTMIN, (union sigval){.sival_int = 5});
		_exit(9);
	}
	for (int n = 0; n < 3;) {
		int r = read(fd, i, sizeof i);
		MUST(r > 0);
		for (int k = 0; k < r / (int)sizeof *i; k++, n++) {
			if (i[k].ssi_signo == SIGCHLD)
				R("child %d", i[k].ssi_status);
			else
				race("value %d", i[k].ssi_int);
			MUST(i[k].ssi_pid == c);
		}
	}
	MUST(waitpid(c, &st, WNOHANG) == c);
	R("end %x", st);
}

void op_pidfd(void)
{
	int n = 1 + rnd(4), fd[5];
	pid_t c[5];
	struct pollfd pf[5];
	int e = epoll_create1(0);
	for (int i = 0; i < n; i++) {
		if ((c[i] = child("p")) == 0) {
			ms(rnd(4));
			_exit(i);
		}
		fd[i] = syscall(SYS_pidfd_open, c[i], 0);
		MUST(fd[i] >= 0);
		MUST(epoll_ctl(e, EPOLL_CTL_ADD, fd[i], &(struct epoll_event){EPOLLIN, .data.u32 = i}) == 0);
	}
	int left = n, sum = 0;
	while (left) {
		siginfo_t si = {0};
		int k = -1;
		if (rnd(2)) {
			struct epoll_event ev;
			MUST(epoll_wait(e, &ev, 1, -1) == 1);
			k = ev.data.u32;
		} else {
			for (int i = 0; i < n; i++)
				pf[i] = (struct pollfd){fd[i], POLLIN};
			MUST(poll(pf, n, -1) >= 1);
			for (k = 0; !pf[k].revents; k++)
				;
		}
		MUST(waitid(3, fd[k], &si, WEXITED) == 0 && si.si_pid == c[k]);
		race("%d", k);
		sum += si.si_status;
		epoll_ctl(e, EPOLL_CTL_DEL, fd[k], 0); // later children hold it too
		close(fd[k]);
		fd[k] = -1;
		left--;
	}
	R("sum %d", sum);
}

void op_timeouts(void)
{
	int p[2], d = 20 + rnd(30), r;
	struct pollfd pf;
	struct timespec t = {0, d * 1000000};
	struct timeval tv = {0, d * 1000};
	struct epoll_event ev;
	fd_set s;
	MUST(pipe(p) == 0);
	pf = (struct pollfd){p[0], POLLIN};
	int64_t at = now();
	switch (rnd(6)) {
	case 0:
		r = poll(&pf, 1, d);
		break;
	case 1:
		r = ppoll(&pf, 1, &t, 0);
		break;
	case 2:
		FD_ZERO(&s);
		FD_SET(p[0], &s);
		r = select(p[0] + 1, &s, 0, 0, &tv);
		break;
	case 3:
		r = epoll_wait(epoll_create1(0), &ev, 1, d);
		break;
	case 4:
		r = syscall(SYS_epoll_pwait2, epoll_create1(0), &ev, 1, &t, 0, 0);
		break;
	default:
		r = select(0, 0, 0, 0, &tv);
	}
	at = now() - at;
	R("timeout %d %d", r, at >= d * 1000000ll);
	race("%ld", at);
}
