// Births, deaths, stops, and waiting for them.
#include "tree.h"

void op_kill(void)
{
	static const int sigs[] = {SIGTERM, SIGKILL, SIGUSR1, SIGINT, SIGHUP, SIGALRM, SIGPIPE, SIGVTALRM};
	int p[2], q[2], s = sigs[rnd(8)];
	union sigval v = {.sival_int = 3};
	MUST(pipe(p) == 0 && pipe(q) == 0);
	pid_t c = child("k");
	if (c == 0) {
		tell(p[1]);
		for (;;)
			if (depth & 1)
				pause();
			else
				await(q[0]); // nobody tells: it waits for ever
	}
	if (rnd(2)) {
		close(p[1]);
		MUST(await(p[0]) == 1);
	}
	int r = 0;
	switch (rnd(4)) {
	case 0:
		r = kill(c, s);
		break;
	case 1:
		r = syscall(SYS_tgkill, c, c, s);
		break;
	case 2:
		r = sigqueue(c, s, v);
		break;
	case 3: {
		int fd = syscall(SYS_pidfd_open, c, 0);
		r = syscall(SYS_pidfd_send_signal, fd, s, 0, 0);
		close(fd);
	}
	}
	R("kill %d: %d, %x", s, r, reap(c));
	R("again: %s", err(kill(c, 0)));
}

void op_stop(void)
{
	int st, p[2], q[2];
	MUST(pipe(p) == 0 && pipe(q) == 0);
	pid_t c = child("s");
	if (c == 0) {
		close(q[1]);
		setpgid(0, 0); // SIGTSTP does nothing in an orphaned group
		if (rnd(2))
			raise(SIGSTOP);
		else
			raise(SIGTSTP);
		tell(p[1]);
		R("goes on %d", await(q[0]));
		_exit(7);
	}
	MUST(waitpid(c, &st, WUNTRACED) == c);
	R("stopped %x", st);
	MUST(waitpid(c, &st, WUNTRACED | WNOHANG) == 0);
	siginfo_t i = {0};
	MUST(kill(c, SIGCONT) == 0);
	if (rnd(2)) {
		MUST(waitpid(c, &st, WCONTINUED) == c);
		R("continued %x", st);
	} else {
		MUST(waitid(P_PID, c, &i, WCONTINUED) == 0);
		R("continued %d %d", i.si_code, i.si_status);
	}
	await(p[0]);
	if (rnd(2)) { // stopped in a call that waits
		ms(rnd(5));
		kill(c, SIGSTOP);
		MUST(waitid(P_PID, c, &i, WSTOPPED | WNOWAIT) == 0);
		R("stopped %d %d", i.si_code, i.si_status);
		MUST(waitpid(c, &st, WUNTRACED) == c);
		R("stopped %x", st);
		kill(c, rnd(2) ? SIGCONT : SIGKILL);
	}
	if (rnd(2))
		tell(q[1]);
	else
		close(q[1]);
	close(q[1]);
	st = reap(c);
	R("end %d", st == 0x700 || st == 9);
}

void op_group(void)
{
	int n = 1 + rnd(6), st, sum = 0;
	pid_t g = 0;
	for (int i = 0; i < n; i++) {
		pid_t c = child("g");
		if (c == 0) {
			setpgid(0, g);
			if (i % 3 == 2)
				_exit(i);
			for (;;)
				pause();
		}
		MUST(setpgid(c, g) == 0 || errno == EACCES || errno == ESRCH);
		if (!g)
			g = c;
	}
	MUST(kill(-g, SIGTERM) == 0);
	for (int i = 0; i < n; i++) {
		pid_t w = waitpid(-g, &st, 0);
		MUST(w > 0);
		race("%d %x", w - g, st);
		sum += WIFSIGNALED(st);
	}
	race("killed %d", sum);
	R("none left %s", err(waitpid(-g, &st, 0)));
	R("no group %s", err(kill(-g, SIGTERM)));
}

void op_session(void)
{
	int p[2];
	char b[8];
	MUST(pipe(p) == 0);
	pid_t c = child("s");
	if (c == 0) {
		pid_t s = setsid();
		MUST(s == getpid() && getsid(0) == s && getpgrp() == s);
		R("twice %s", err(setsid()));
		pid_t d = child("t");
		if (d == 0) {
			MUST(getsid(0) == s && setpgid(0, 0) == 0 && getpgrp() == getpid());
			tell(p[1]);
			ms(rnd(3));
			_exit(getsid(0) != s);
		}
		R("end %x", reap(d));
		_exit(4);
	}
	close(p[1]);
	R("end %x", reap(c));
	R("told %zd", read(p[0], b, 8));
	R("not a child %s", err(setpgid(1, 1)));
}

void op_vfork(void)
{
	volatile int word = 0;
	int n = rnd(100);
	char num[16];
	snprintf(num, sizeof num, "%d", n);
	char *av[] = {"tree", "exit", num, 0};
	pid_t c = vfork();
	if (c == 0) {
		word = n + 1;
		if (n & 1)
			_exit(n);
		execv(self, av);
		_exit(98);
	}
	MUST(word == n + 1);
	R("vfork %x", reap(c));
}

// A vfork child that is killed, or whose parent is.
void op_kill_vfork(void)
{
	pid_t *m = mmap(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t c = child("v");
	if (c == 0) {
		if (vfork() == 0) {
			*m = getpid();
			for (;;)
				pause();
		}
		ms(50);
		_exit(5);
	}
	while (!*(volatile pid_t *)m)
		ms(1);
	if (rnd(2)) {
		kill(*m, SIGKILL);
		R("child killed %x", reap(c));
	} else {
		kill(c, SIGKILL);
		R("parent killed %x", reap(c));
		kill(*m, SIGKILL);
	}
}

void op_spawn(void)
{
	pid_t c;
	int p[2], n = rnd(100);
	char num[16];
	MUST(pipe(p) == 0);
	snprintf(num, sizeof num, "%d", n);
	char *av[] = {"tree", "exit", num, 0}, *no[] = {"none", 0};
	posix_spawn_file_actions_t fa;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addclose(&fa, p[1]);
	MUST(posix_spawn(&c, self, &fa, 0, av, environ) == 0);
	close(p[1]);
	R("end of file %d", await(p[0]));
	R("spawn %x", reap(c));
	R("none %d", posix_spawn(&c, "/no/such", 0, 0, no, environ));
}

void op_orphan(void)
{
	int p[2];
	MUST(pipe(p) == 0);
	pid_t c = child("m");
	if (c == 0) {
		pid_t me = getpid();
		if (child("o") == 0) {
			while (getppid() == me)
				ms(1);
			tell(p[1]);
			_exit(0);
		}
		_exit(3);
	}
	close(p[1]);
	R("end %x", reap(c));
	R("orphan %d", await(p[0]));
	R("gone %d", await(p[0]));
}

void op_reaper(void)
{
	int st, sum = 0, n = 1 + rnd(4);
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid_t c = child("m");
	if (c == 0) {
		for (int i = 0; i < n; i++)
			if (child("o") == 0) {
				ms(rnd(4));
				_exit(1 << i);
			}
		_exit(64);
	}
	for (int i = 0; i <= n; i++) {
		pid_t w = wait(&st);
		MUST(w > 0);
		race("%d %x", w, st);
		sum += WEXITSTATUS(st);
	}
	R("all %d %s", sum, err(wait(&st)));
}

void op_pdeath(void)
{
	int p[2], q[2], s = rnd(2) ? SIGKILL : SIGTERM;
	MUST(pipe(p) == 0 && pipe(q) == 0);
	pid_t c = child("m");
	if (c == 0) {
		if (child("o") == 0) {
			prctl(PR_SET_PDEATHSIG, s);
			tell(q[1]);
			close(q[1]);
			for (;;)
				pause();
		}
		await(q[0]);
		_exit(3);
	}
	close(p[1]);
	R("end %x", reap(c));
	R("gone %d", await(p[0]));
}

void op_sigchld(void)
{
	int n = 1 + rnd(4), seen = 0;
	block(SIGCHLD);
	handle(SIGCHLD, rnd(2) ? SA_NOCLDSTOP : 0);
	for (int i = 0; i < n; i++)
		if (child("c") == 0)
			_exit(i);
	sigset_t none;
	sigemptyset(&none);
	while (seen < n) {
		int r = sigsuspend(&none);
		MUST(r == -1 && errno == EINTR);
		while (waitpid(-1, 0, WNOHANG) > 0)
			seen++;
	}
	race("signals %d", caught[SIGCHLD]);
	R("children %d of %d", seen, n);
}

void op_autoreap(void)
{
	int n = 1 + rnd(4), st;
	if (rnd(2)) {
		signal(SIGCHLD, SIG_IGN);
	} else {
		struct sigaction a = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
		sigaction(SIGCHLD, &a, 0);
	}
	for (int i = 0; i < n; i++)
		if (child("c") == 0) {
			ms(rnd(4));
			_exit(i);
		}
	R("wait %s", err(wait(&st)));
}

// A subtree at work is killed: only the kill shows.
void op_massacre(void)
{
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid_t c = child("m");
	if (c == 0) {
		setpgid(0, 0);
		for (int i = 0; i < 3; i++) {
			if (fork() == 0) {
				int p[2];
				(void)!pipe(p);
				for (int k = 0; k < 3000; k++) { // ends by itself if nobody kills
					pid_t d = rnd(2) ? fork() : vfork();
					if (d == 0)
						_exit(k);
					waitpid(d, 0, 0);
					if (rnd(8) == 0)
						ms(1);
					if (rnd(8) == 0) {
						tell(p[1]);
						await(p[0]);
					}
				}
				_exit(0);
			}
		}
		ms(60000);
		_exit(0);
	}
	setpgid(c, c);
	ms(rnd(20));
	R("kill %s", err(kill(-c, SIGKILL)));
	R("end %x", reap(c));
	while (wait(0) > 0)
		;
	R("all gone %s", err(kill(-c, 0)));
}

void op_wait_any(void)
{
	int n = 2 + rnd(6), st, sum = 0;
	siginfo_t i;
	for (int k = 0; k < n; k++)
		if (child("a") == 0) {
			ms(rnd(6));
			if (rnd(4) == 0)
				raise(SIGUSR1);
			_exit(k);
		}
	for (int k = 0; k < n; k++) {
		if (rnd(2)) {
			pid_t w = waitpid(rnd(2) ? -1 : 0, &st, 0);
			MUST(w > 0);
			sum += st;
			race("%x", st);
		} else {
			MUST(waitid(P_ALL, 0, &i, WEXITED) == 0);
			sum += i.si_code == CLD_EXITED ? i.si_status << 8 : i.si_status;
			race("%x", i.si_status);
		}
	}
	R("sum %x %s", sum, err(waitpid(-1, &st, 0)));
}

// Siblings made with CLONE_PARENT are the grandparent's children.
void op_clone_parent(void)
{
	int st;
	pid_t c = child("p");
	if (c == 0) {
		struct rlimit l = {6, 7};
		MUST(setrlimit(RLIMIT_LOCKS, &l) == 0);
		pid_t d = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
		if (d == 0) {
			ms(2);
			MUST(getrlimit(RLIMIT_LOCKS, &l) == 0);
			_exit(l.rlim_cur); // from who made it
		}
		R("not mine %s", err(waitpid(d, &st, 0)));
		_exit(5);
	}
	int sum = 0;
	for (int i = 0; i < 2; i++) {
		MUST(wait(&st) > 0);
		sum += WEXITSTATUS(st);
	}
	R("sum %d", sum);
	c = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0); // another signal at the end
	handle(SIGUSR1, SA_RESTART);
	if (c == 0) {
		ms(2);
		_exit(1);
	}
	R("plain %s", err(waitpid(c, &st, 0)));
	MUST(waitpid(c, &st, rnd(2) ? __WALL : __WCLONE) == c);
	R("all %x %d", st, caught[SIGUSR1]);
}

// A whole group is stopped and goes on, with somebody waiting for each.
void op_stop_group(void)
{
	int n = 1 + rnd(4), st, p[2];
	pid_t g = 0, c[5];
	MUST(pipe(p) == 0);
	for (int i = 0; i < n; i++) {
		if ((c[i] = child("g")) == 0) {
			setpgid(0, g);
			tell(p[1]);
			if (rnd(2))
				ms(100000);
			for (;;)
				pause();
		}
		setpgid(c[i], g);
		if (!g)
			g = c[i];
	}
	for (int i = 0; i < n; i++)
		await(p[0]);
	for (int k = 1 + rnd(3); k; k--) {
		MUST(kill(-g, rnd(2) ? SIGSTOP : SIGTSTP) == 0);
		for (int i = 0; i < n; i++)
			MUST(waitpid(c[i], &st, WUNTRACED) == c[i] && WIFSTOPPED(st));
		MUST(kill(-g, SIGCONT) == 0);
		for (int i = 0; i < n; i++)
			MUST(waitpid(c[i], &st, WCONTINUED) == c[i] && WIFCONTINUED(st));
		if (rnd(2))
			ms(1);
	}
	if (rnd(2))
		kill(-g, SIGSTOP);
	kill(-g, SIGKILL);
	for (int i = 0; i < n; i++)
		R("end %x", reap(c[i]));
}

// An orphaned group with a stopped member gets SIGHUP and SIGCONT.
void op_jobs(void)
{
	int p[2], q[2];
	MUST(pipe(p) == 0 && pipe(q) == 0);
	pid_t c = child("s");
	if (c == 0) {
		setsid();
		pid_t d = child("j");
		if (d == 0) {
			setpgid(0, 0);
			if (rnd(2)) {
				handle(SIGHUP, 0);
				raise(SIGSTOP);
				R("hup %d", caught[SIGHUP]);
			} else {
				raise(SIGSTOP);
			}
			_exit(0);
		}
		setpgid(d, d);
		MUST(waitpid(d, 0, WUNTRACED) == d);
		_exit(2);
	}
	close(p[1]);
	R("end %x", reap(c));
	R("orphans %d", await(p[0]));
}
