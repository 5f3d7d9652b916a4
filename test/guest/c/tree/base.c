// What all of the tree share: names and logs of processes, random numbers,
// births and deaths in all forms.
#include "tree.h"
#include <linux/sched.h>

char dir[256], self[256], path[512];
int depth;
volatile int caught[65];
static uint64_t state;
static int births;

static void note(const char *kind, const char *fmt, va_list ap)
{
	char name[1024], b[2048];
	int e = errno;
	snprintf(name, sizeof name, "%s/%s%s", dir, kind, path);
	int fd = open(name, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0666);
	int n = vsnprintf(b, sizeof b - 1, fmt, ap);
	b[n++] = '\n';
	if (fd < 0 || write(fd, b, n) != n)
		abort();
	close(fd);
	errno = e;
}

void R(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	note("r", fmt, ap);
	va_end(ap);
}

void race(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	note("x", fmt, ap);
	va_end(ap);
}

void fail(const char *what)
{
	R("FAILED %s: %s", what, strerror(errno));
	_exit(99);
}

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t rnd(uint32_t n) { return (state = mix(state)) % n; }

// begin gives this process its place in the tree.
void begin(uint64_t seed, const char *p)
{
	snprintf(path, sizeof path, "%s", p);
	state = seed;
	for (; *p; p++)
		state = mix(state ^ *p);
	births = 0;
}

void ms(int n)
{
	struct timespec t = {n / 1000, n % 1000 * 1000000l};
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

const char *err(long r) { return r < 0 ? strerrorname_np(errno) : "ok"; }

static void count(int s) { caught[s]++; }

void handle(int sig, int flags)
{
	struct sigaction a = {.sa_handler = count, .sa_flags = flags};
	caught[sig] = 0;
	MUST(sigaction(sig, &a, 0) == 0);
}

static void change(int how, int sig)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, sig);
	MUST(sigprocmask(how, &s, 0) == 0);
}

void block(int sig) { change(SIG_BLOCK, sig); }
void unblock(int sig) { change(SIG_UNBLOCK, sig); }

void tell(int fd)
{
	while (write(fd, "x", 1) < 0)
		MUST(errno == EINTR);
}

int await(int fd)
{
	char c;
	int r;
	while ((r = read(fd, &c, 1)) < 0 && errno == EINTR)
		;
	return r;
}

pid_t child(const char *name)
{
	char p[600];
	snprintf(p, sizeof p, "%s.%s%d", path, name, births++);
	struct clone_args a = {.exit_signal = SIGCHLD};
	uint64_t s = state;
	pid_t pid;
	int pidfd = -1;
	switch (rnd(4)) {
	case 0:
		pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		break;
	case 1:
		pid = syscall(SYS_clone3, &a, sizeof a);
		break;
	case 2:
		a.flags = CLONE_PIDFD;
		a.pidfd = (uintptr_t)&pidfd;
		pid = syscall(SYS_clone3, &a, sizeof a);
		if (pid > 0)
			close(pidfd);
		break;
	default:
		pid = fork();
	}
	MUST(pid >= 0);
	if (pid == 0) {
		begin(s, p);
		depth++;
	}
	return pid;
}

static int status(const siginfo_t *i)
{
	switch (i->si_code) {
	case CLD_EXITED:
		return i->si_status << 8;
	case CLD_KILLED:
		return i->si_status;
	case CLD_DUMPED:
		return i->si_status | 0x80;
	case CLD_STOPPED:
		return i->si_status << 8 | 0x7f;
	}
	return 0xffff;
}

int reap(pid_t p)
{
	struct rusage u;
	siginfo_t i = {0};
	struct pollfd pf;
	int st = -1, r;
	switch (rnd(8)) {
	case 0:
		while ((r = wait4(p, &st, 0, &u)) < 0 && errno == EINTR)
			;
		break;
	case 1:
		while ((r = waitid(P_PID, p, &i, WEXITED)) < 0 && errno == EINTR)
			;
		st = status(&i);
		r = r ? r : i.si_pid;
		break;
	case 2:
		while ((r = waitid(P_PID, p, &i, WEXITED | WNOWAIT)) < 0 && errno == EINTR)
			;
		MUST(r == 0 && i.si_pid == p);
		MUST(waitpid(p, &st, WNOHANG) == p && st == status(&i));
		r = p;
		break;
	case 3:
		for (int n = 0; (r = waitpid(p, &st, WNOHANG)) == 0; n++)
			if (n < 100)
				sched_yield();
			else
				ms(1);
		break;
	case 4:
		while ((r = waitpid(p, &st, WNOHANG)) == 0)
			ms(1);
		break;
	case 5:
		pf = (struct pollfd){syscall(SYS_pidfd_open, p, 0), POLLIN};
		MUST(pf.fd >= 0);
		while ((r = poll(&pf, 1, -1)) < 0 && errno == EINTR)
			;
		MUST(r == 1 && waitid(3 /* P_PIDFD */, pf.fd, &i, WEXITED | WNOHANG) == 0);
		close(pf.fd);
		st = status(&i);
		r = i.si_pid;
		break;
	case 6:
		while ((r = syscall(SYS_waitid, P_PID, p, 0, WEXITED | WNOWAIT, &u)) < 0 && errno == EINTR)
			;
		MUST(r == 0);
		MUST((r = waitpid(p, &st, 0)) == p);
		break;
	default:
		while ((r = waitpid(p, &st, 0)) < 0 && errno == EINTR)
			;
	}
	if (r != p)
		fail("reap");
	return st;
}

// again replaces the process by a new image of this program.
void again(char *const argv[])
{
	execv(self, argv);
	fail("exec");
}
