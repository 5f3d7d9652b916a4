// Processes section: order of children, waiting, exec, groups, pipes.
#include "probe.h"
#include <linux/sched.h>
#include <spawn.h>
#include <pthread.h>
#include <termios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static void say(int fd, const char *fmt, ...)
{
	char b[128];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(b, sizeof b, fmt, ap);
	va_end(ap);
	MUST(write(fd, b, n) == n);
}

// Order in which children run, write and exit.
PROBE(proc_order)
{
	int p[2], st, seen = 0;
	MUST(pipe(p) == 0);
	pid_t pid[16];
	for (int i = 0; i < 16; i++) {
		pid[i] = fork();
		MUST(pid[i] >= 0);
		if (pid[i] == 0) {
			burn((i * 7919) % 13 * 100000);
			for (int k = 0; k < 4; k++)
				say(p[1], "%d.%d ", i, k);
			_exit(i);
		}
	}
	close(p[1]);
	char b[4096];
	int n = 0, r;
	while ((r = read(p[0], b + n, sizeof b - 1 - n)) > 0) {
		n += r;
		printf("[%d]", r);
	}
	b[n] = 0;
	printf("\n%s\n", b);
	for (int i = 0; i < 16; i++) {
		pid_t w = wait(&st);
		MUST(w > 0);
		for (int k = 0; k < 16; k++)
			if (pid[k] == w) {
				CHECK(WIFEXITED(st) && WEXITSTATUS(st) == k);
				seen |= 1 << k;
				printf("%d ", k);
			}
	}
	puts("");
	CHECK(seen == 0xffff);
	CHECK(wait(&st) == -1 && errno == ECHILD);
}

PROBE(proc_status)
{
	int st, sig[] = {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGUSR1, SIGPIPE};
	struct rlimit nocore = {0, 0};
	setrlimit(RLIMIT_CORE, &nocore);
	for (int i = 0; i < 256; i += 51) {
		pid_t p = fork();
		if (p == 0)
			_exit(i);
		MUST(waitpid(p, &st, 0) == p);
		CHECK(WIFEXITED(st) && WEXITSTATUS(st) == i, "%x for %d", st, i);
		printf("%x ", st);
	}
	for (int i = 0; i < 6; i++) {
		pid_t p = fork();
		if (p == 0) {
			signal(sig[i], SIG_DFL);
			raise(sig[i]);
			_exit(0);
		}
		MUST(waitpid(p, &st, 0) == p);
		CHECK(WIFSIGNALED(st) && WTERMSIG(st) == sig[i], "%x for signal %d", st, sig[i]);
		printf("%x ", st);
	}
	puts("");
	int go[2];
	char c;
	MUST(pipe(go) == 0);
	pid_t p = fork();
	if (p == 0) {
		raise(SIGSTOP);
		_exit(read(go[0], &c, 1) == 1 ? 3 : 1);
	}
	MUST(waitpid(p, &st, WUNTRACED) == p);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK(waitpid(p, &st, WNOHANG) == 0);
	kill(p, SIGCONT);
	MUST(waitpid(p, &st, WCONTINUED) == p);
	CHECK(WIFCONTINUED(st));
	MUST(write(go[1], "x", 1) == 1);
	MUST(waitpid(p, &st, 0) == p);
	CHECK(WEXITSTATUS(st) == 3);
	siginfo_t si;
	p = fork();
	if (p == 0)
		_exit(9);
	MUST(waitid(P_PID, p, &si, WEXITED | WNOWAIT) == 0 && si.si_status == 9 && si.si_pid == p);
	MUST(waitid(P_ALL, 0, &si, WEXITED) == 0 && si.si_pid == p);
	printf("%d %d\n", si.si_code, si.si_uid);
}

PROBE(proc_orphan)
{
	int p[2];
	MUST(pipe(p) == 0);
	pid_t mid = fork();
	if (mid == 0) {
		pid_t me = getpid();
		if (fork() == 0) {
			while (getppid() == me)
				usleep(1000);
			say(p[1], "orphan %d has parent %d\n", getpid(), getppid());
			_exit(0);
		}
		_exit(0);
	}
	wait_ok(mid);
	close(p[1]);
	char b[128];
	int n = read(p[0], b, 127);
	MUST(n > 0);
	b[n] = 0;
	printf("%s", b);
	// A subreaper collects its grandchildren.
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	mid = fork();
	if (mid == 0) {
		if (fork() == 0) {
			usleep(2000);
			_exit(5);
		}
		_exit(4);
	}
	int st, sum = 0;
	for (int i = 0; i < 2; i++) {
		pid_t w = wait(&st);
		MUST(w > 0);
		sum += WEXITSTATUS(st);
		printf("%d:%d ", w, WEXITSTATUS(st));
	}
	puts("");
	CHECK(sum == 9);
}

PROBE(proc_vfork_spawn)
{
	int st;
	volatile int word = 0;
	int64_t t;
	pid_t p = vfork();
	if (p == 0) {
		word = 1;
		_exit(3);
	}
	CHECK(word == 1, "vfork child did not share memory");
	MUST(waitpid(p, &st, 0) == p && WEXITSTATUS(st) == 3);
	char *argv[] = {"sh", "-c", "echo spawned $$ $PPID", 0};
	fflush(stdout);
	MUST(posix_spawn(&p, "/bin/sh", 0, 0, argv, environ) == 0);
	wait_ok(p);
	CHECK(posix_spawn(&p, "/no/such", 0, 0, argv, environ) == ENOENT);
	// A vfork parent waits for exec, not for exit.
	t = now(CLOCK_MONOTONIC);
	p = vfork();
	if (p == 0) {
		execl("/bin/sleep", "sleep", "0.2", (char *)0);
		_exit(1);
	}
	t = now(CLOCK_MONOTONIC) - t;
	CHECK(t < 150 * MS, "vfork parent waited %ld", t);
	wait_ok(p);
	printf("%ld\n", t);
}

PROBE(proc_clone3)
{
	struct clone_args a = {.exit_signal = SIGCHLD};
	int st, pidfd = -1;
	pid_t ptid = 0;
	pid_t p = syscall(SYS_clone3, &a, sizeof a);
	if (p == 0)
		_exit(6);
	if (p < 0) {
		printf("clone3 %s\n", errname(errno));
		CHECK(errno == ENOSYS);
		return;
	}
	MUST(waitpid(p, &st, 0) == p && WEXITSTATUS(st) == 6);
	a.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND;
	a.pidfd = (uintptr_t)&pidfd;
	a.parent_tid = (uintptr_t)&ptid;
	p = syscall(SYS_clone3, &a, sizeof a);
	if (p == 0)
		_exit(8);
	printf("pidfd %d %s\n", pidfd, errname(p < 0 ? errno : 0));
	if (p > 0) {
		CHECK(ptid == p);
		siginfo_t si = {0};
		CHECK(waitid(P_PIDFD, pidfd, &si, WEXITED) == 0 && si.si_status == 8 && si.si_pid == p);
	}
	memset(&a, 0, sizeof a);
	a.exit_signal = 0;
	p = syscall(SYS_clone3, &a, sizeof a);
	if (p == 0)
		_exit(2);
	CHECK(waitpid(p, &st, 0) == -1 && errno == ECHILD);
	CHECK(waitpid(p, &st, __WALL) == p);
	a.flags = CLONE_THREAD;
	CHECK(syscall(SYS_clone3, &a, sizeof a) == -1 && errno == EINVAL);
	printf("%d\n", p);
}

static void *exec_thread(void *arg)
{
	execl("/proc/self/exe", "x", "proc_exec_thread", "after", (char *)0);
	_exit(1);
	return arg;
}

PROBE(proc_exec_thread)
{
	pthread_t t;
	printf("pid %d tid %d\n", getpid(), gettid());
	CHECK(getpid() == gettid());
	if (arg_count)
		return;
	fflush(stdout);
	MUST(pthread_create(&t, 0, exec_thread, 0) == 0);
	for (;;)
		pause();
}

static void *block_thread(void *arg)
{
	int p[2];
	char c;
	MUST(pipe(p) == 0);
	(void)!read(p[0], &c, 1);
	return arg;
}

PROBE(proc_exit_group)
{
	int st;
	pid_t p = fork();
	if (p == 0) {
		pthread_t t[4];
		for (int i = 0; i < 4; i++)
			MUST(pthread_create(&t[i], 0, block_thread, 0) == 0);
		usleep(1000);
		_exit(17);
	}
	MUST(waitpid(p, &st, 0) == p);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 17);
	printf("%x %d\n", st, p);
}

PROBE(proc_groups)
{
	int st;
	pid_t a = fork();
	if (a == 0) {
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(a, a);
	pid_t b = fork();
	if (b == 0) {
		setpgid(0, a);
		pause();
		_exit(0);
	}
	setpgid(b, a);
	CHECK(getpgid(a) == a && getpgid(b) == a);
	CHECK(kill(-a, SIGTERM) == 0);
	for (int i = 0; i < 2; i++) {
		pid_t w = waitpid(-a, &st, 0);
		CHECK(w > 0 && WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
		printf("%s ", w == a ? "a" : "b");
	}
	CHECK(waitpid(-a, &st, 0) == -1 && errno == ECHILD);
	pid_t s = fork();
	if (s == 0) {
		CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
		_exit(failed);
	}
	wait_ok(s);
	printf("%d %d %d\n", a, b, s);
}

// Job control on a terminal of our own.
PROBE(proc_job_control)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), st;
	MUST(m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0);
	char name[64];
	MUST(ptsname_r(m, name, sizeof name) == 0);
	pid_t leader = fork();
	if (leader == 0) {
		setsid();
		int s = open(name, O_RDWR);
		MUST(s >= 0);
		CHECK(ioctl(s, TIOCSCTTY, 0) == 0 && tcgetsid(s) == getpid());
		signal(SIGTTOU, SIG_IGN);
		pid_t job = fork();
		if (job == 0) {
			setpgid(0, 0);
			char c;
			signal(SIGTTIN, SIG_DFL);
			_exit(read(s, &c, 1) == 1 ? 0 : 1); // background: stops
		}
		setpgid(job, job);
		MUST(waitpid(job, &st, WUNTRACED) == job);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTTIN, "%x", st);
		CHECK(tcsetpgrp(s, job) == 0 && tcgetpgrp(s) == job);
		kill(job, SIGCONT);
		MUST(write(m, "\003", 1) == 1); // ^C kills the foreground job
		MUST(waitpid(job, &st, 0) == job);
		CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGINT, "%x", st);
		_exit(failed);
	}
	wait_ok(leader);
	printf("%s %d\n", name, leader);
}

PROBE(proc_pipes)
{
	int p[2];
	char *b = calloc(1, 1 << 20);
	MUST(pipe(p) == 0);
	printf("capacity %d\n", fcntl(p[0], F_GETPIPE_SZ));
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	long n = 0, w;
	while ((w = write(p[1], b, 1000)) > 0)
		n += w;
	CHECK(errno == EAGAIN);
	printf("full after %ld\n", n);
	fcntl(p[1], F_SETFL, 0);
	printf("resize %d\n", fcntl(p[1], F_SETPIPE_SZ, 1 << 18));
	pid_t c = fork();
	if (c == 0) {
		close(p[0]);
		for (int i = 0; i < 300; i++)
			MUST(write(p[1], b, 1 + i * 37) == 1 + i * 37);
		_exit(0);
	}
	close(p[1]);
	long total = 0, r;
	while ((r = read(p[0], b, 70000)) > 0) {
		total += r;
		printf("%ld ", r);
	}
	puts("");
	wait_ok(c);
	CHECK(total == n + 300 + 37l * 299 * 300 / 2, "%ld", total);
	signal(SIGPIPE, SIG_IGN);
	MUST(pipe(p) == 0 && close(p[0]) == 0);
	CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE);
}

PROBE(proc_fifo)
{
	char b[64];
	int n, fd;
	MUST(mkfifo("p", 0600) == 0);
	CHECK(open("p", O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
	for (int i = 0; i < 5; i++) {
		pid_t c = fork();
		if (c == 0) {
			usleep(i * 1000);
			fd = open("p", O_WRONLY);
			MUST(fd >= 0);
			say(fd, "message %d from %d", i, getpid());
			_exit(0);
		}
		fd = open("p", O_RDONLY);
		MUST(fd >= 0);
		n = read(fd, b, 63);
		MUST(n > 0);
		b[n] = 0;
		puts(b);
		CHECK(read(fd, b, 1) == 0);
		close(fd);
		wait_ok(c);
	}
}

PROBE(proc_pty)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), st;
	char name[64], b[4096];
	MUST(m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0 && ptsname_r(m, name, sizeof name) == 0);
	pid_t c = fork();
	if (c == 0) {
		setsid();
		int s = open(name, O_RDWR);
		dup2(s, 0);
		dup2(s, 1);
		dup2(s, 2);
		execl("/bin/sh", "sh", "-c", "tty; stty size; read x; echo got $x; exit 4", (char *)0);
		_exit(1);
	}
	MUST(write(m, "line\n", 5) == 5);
	int n = 0, r;
	while (n < 4000 && (r = read(m, b + n, 4000 - n)) > 0)
		n += r;
	b[n] = 0;
	CHECK(strstr(b, "got line"), "%s", b);
	MUST(waitpid(c, &st, 0) == c);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 4, "%x", st);
	printf("%s", b);
}

// Two processes race on shared memory, without any synchronisation.
PROBE(proc_race_memory)
{
	volatile unsigned *m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t p[4];
	for (int i = 0; i < 4; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			for (unsigned k = 0; k < 500000; k++) {
				unsigned v = m[0];
				m[1 + (v & 0xffff)] += i + 1;
				m[0] = v + 1;
				if (k % 50000 == 0)
					sched_yield();
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		wait_ok(p[i]);
	printf("%u %lx\n", m[0], hash_bytes(HASH0, (void *)m, 1 << 19));
	CHECK(m[0] >= 500000 && m[0] <= 2000000);
}

// A race of files: who creates what first.
PROBE(proc_race_files)
{
	pid_t p[6];
	for (int i = 0; i < 6; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			for (int k = 0; k < 40; k++) {
				char n[32];
				snprintf(n, sizeof n, "lock%d", k);
				int fd = open(n, O_CREAT | O_EXCL | O_WRONLY, 0644);
				if (fd >= 0) {
					say(fd, "%d", i);
					int log = open("log", O_CREAT | O_APPEND | O_WRONLY, 0644);
					say(log, "%d:%d ", k, i);
					close(log);
					close(fd);
				}
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		wait_ok(p[i]);
	char b[4096];
	MUST(slurp("log", b, sizeof b) > 0);
	puts(b);
	int n = 0;
	for (char *c = b; *c; c++)
		n += *c == ':';
	CHECK(n == 40, "%d winners", n);
}

// Who gets the bytes when several readers wait on one pipe.
PROBE(proc_readers)
{
	int in[2], out[2];
	pid_t p[5];
	MUST(pipe(in) == 0 && pipe(out) == 0);
	for (int i = 0; i < 5; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			char c;
			close(in[1]);
			while (read(in[0], &c, 1) == 1)
				say(out[1], "%d%c ", i, c);
			_exit(0);
		}
	}
	for (int i = 0; i < 40; i++) {
		char c = 'a' + i % 26;
		MUST(write(in[1], &c, 1) == 1);
		if (i % 8 == 0)
			usleep(500);
	}
	close(in[1]);
	close(out[1]);
	for (int i = 0; i < 5; i++)
		wait_ok(p[i]);
	char b[1024];
	int n = 0, r;
	while ((r = read(out[0], b + n, 1000 - n)) > 0)
		n += r;
	b[n] = 0;
	puts(b);
	CHECK(n == 120, "%d", n);
}

// Spinning on another process with every kind of polling call.
PROBE(proc_poll_loops)
{
	pid_t p = fork();
	long n[4] = {0};
	int st;
	if (p == 0) {
		usleep(3000);
		spit("flag", "1");
		usleep(3000);
		_exit(0);
	}
	while (access("flag", F_OK))
		n[0]++;
	struct stat s;
	while (stat("flag", &s) || s.st_size == 0)
		n[1]++;
	while (waitpid(p, &st, WNOHANG) == 0)
		n[2]++;
	CHECK(kill(p, 0) == -1 && errno == ESRCH);
	int64_t t = now(CLOCK_MONOTONIC);
	while (now(CLOCK_MONOTONIC) < t + 2 * MS)
		n[3]++;
	printf("%ld %ld %ld %ld\n", n[0], n[1], n[2], n[3]);
}
