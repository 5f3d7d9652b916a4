// What siginfo says of signals from timers, kill, sigqueue, faults, children.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static siginfo_t got;
static int n;
static void h(int s, siginfo_t *i, void *c) { (void)s; (void)c; got = *i; n++; }
static void ms(int v) { struct timespec t = {v / 1000, v % 1000 * 1000000L}; while (nanosleep(&t, &t)) {} }

int main(void) {
	struct sigaction sa = {.sa_sigaction = h, .sa_flags = SA_SIGINFO};
	sigaction(SIGALRM, &sa, 0);
	sigaction(SIGUSR1, &sa, 0);
	sigaction(SIGCHLD, &sa, 0);
	sigaction(SIGRTMIN, &sa, 0);
	struct itimerval it = {{0, 0}, {0, 20000}};
	setitimer(ITIMER_REAL, &it, 0);
	pause();
	printf("itimer: code %d pid %d uid %d\n", got.si_code, got.si_pid, got.si_uid);
	kill(getpid(), SIGALRM);
	printf("kill: code %d self %d\n", got.si_code, got.si_pid == getpid());
	raise(SIGUSR1);
	printf("raise: code %d self %d\n", got.si_code, got.si_pid == getpid());
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 77});
	printf("sigqueue: code %d value %d\n", got.si_code, got.si_value.sival_int);
	timer_t t;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
	timer_create(CLOCK_MONOTONIC, &ev, &t);
	sigset_t m, o;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_BLOCK, &m, &o);
	struct itimerspec ts = {{0, 100000000}, {0, 100000000}};
	timer_settime(t, 0, &ts, 0);
	ms(550);
	sigprocmask(SIG_SETMASK, &o, 0);
	// A busy host is late: there are more then.
	printf("timer: code %d overruns %d same %d value %d\n", got.si_code, got.si_overrun >= 4, timer_getoverrun(t) == got.si_overrun, got.si_value.sival_int);
	timer_delete(t);
	pid_t p = fork();
	if (!p) _exit(9);
	while (got.si_signo != SIGCHLD) pause();
	printf("child: code %d status %d pid %d\n", got.si_code, got.si_status, got.si_pid == p);
	waitpid(p, 0, 0);
	int q[2];
	pipe(q);
	if (!(p = fork())) {
		int w[2];
		pipe(w);
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			n = 0;
			write(w[1], "x", 1);
			while (!n) pause();
			dprintf(q[1], "parent died: signal %d\n", got.si_signo);
			_exit(0);
		}
		char c;
		read(w[0], &c, 1);
		ms(10);
		_exit(0);
	}
	while (waitpid(p, 0, 0) < 0) {}
	char b[64];
	int r;
	while ((r = read(q[0], b, sizeof b)) < 0) {}
	printf("%.*s", r, b);
	return 0;
}
