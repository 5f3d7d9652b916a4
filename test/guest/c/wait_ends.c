// What wait4(2) and waitid(2) find, in the ways in which a parent can look.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t names[32]; // the children, in order
static int born;

static pid_t name(pid_t p) {
	if (p > 0) names[born++] = p;
	return p;
}

static int number(pid_t p) {
	for (int i = 0; i < born; i++)
		if (names[i] == p) return i;
	return -1;
}

static pid_t child(int status) {
	int fds[2];
	if (pipe(fds)) abort();
	pid_t p = name(fork());
	if (p == 0) {
		char c;
		close(fds[1]);
		if (read(fds[0], &c, 1) != 0) _exit(99); // the end: the parent goes on
		_exit(status);
	}
	close(fds[0]);
	close(fds[1]);
	return p;
}

static void show(const char *what, pid_t p, int status) {
	if (p < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: child %d, status %#x\n", what, number(p), status);
}

static void w4(const char *what, pid_t pid, int options) {
	int st = -1;
	pid_t p = waitpid(pid, &st, options);
	show(what, p, p > 0 ? st : 0);
}

static void wid(const char *what, idtype_t type, id_t id, int options) {
	siginfo_t si;
	memset(&si, 0, sizeof si);
	int r = waitid(type, id, &si, options);
	show(what, r < 0 ? -1 : si.si_pid, si.si_status);
}

static void nothing(int sig) {}

static int odd(void *arg) { return (int)(long)arg; }

static void *waiter(void *arg) {
	w4("thread", *(pid_t *)arg, 0);
	return 0;
}

int main(void) {
	setvbuf(stdout, 0, _IONBF, 0);
	w4("nobody", -1, 0);
	pid_t a = child(1), b = child(2), c = child(3);
	w4("one of three", b, 0);
	w4("the same again", b, 0);
	w4("any of two", -1, 0);
	w4("the last", -1, 0);
	w4("none left", -1, 0);

	a = child(4);
	wid("look only", P_PID, a, WEXITED | WNOWAIT);
	w4("take it", a, 0);
	a = child(5);
	wid("any by waitid", P_ALL, 0, WEXITED);
	wid("none by waitid", P_ALL, 0, WEXITED);
	a = child(6);
	w4("its group", 0, 0);
	a = child(7);
	w4("at a bad address", -1, 0);
	a = child(8);
	errno = 0;
	long r = syscall(SYS_wait4, a, (int *)1, 0, 0);
	printf("bad address: %s\n", r < 0 ? strerror(errno) : "no error");
	w4("after that", a, 0);
	a = child(9);
	struct rusage ru;
	memset(&ru, 0xff, sizeof ru);
	r = wait4(a, 0, 0, &ru);
	printf("rusage: child %d, swaps %ld\n", number(r), ru.ru_nswap);
	a = child(17);
	sleep(1);
	w4("at once", -1, WNOHANG);
	w4("at once, nobody", -1, WNOHANG);

	// A signal ends a wait.
	int hold[2];
	if (pipe(hold)) abort();
	pid_t p = name(fork());
	if (p == 0) {
		char x;
		close(hold[1]);
		_exit(read(hold[0], &x, 1) != 0);
	}
	close(hold[0]);
	struct sigaction act = {.sa_handler = nothing};
	sigaction(SIGALRM, &act, 0);
	alarm(1);
	w4("interrupted", p, 0);
	alarm(1);
	w4("interrupted, any", -1, 0);
	w4("at once, alive", -1, WNOHANG);
	w4("at once, alive, by number", p, WNOHANG);
	close(hold[1]);
	w4("and ended", p, 0);

	// Children that are not waited for.
	signal(SIGCHLD, SIG_IGN);
	a = child(10);
	w4("ignored", a, 0);
	a = child(11);
	b = child(12);
	w4("ignored, any", -1, 0);
	signal(SIGCHLD, SIG_DFL);
	a = child(13);
	w4("not ignored any more", -1, 0);

	// Job control.
	p = name(fork());
	if (p == 0) {
		raise(SIGSTOP);
		_exit(14);
	}
	w4("stopped", p, WUNTRACED);
	kill(p, SIGCONT);
	w4("ended", p, 0);

	// A child that ends without SIGCHLD.
	static char stack[65536];
	p = name(clone(odd, stack + sizeof stack, 0, (void *)15));
	w4("odd child", -1, 0);
	w4("odd child with __WALL", p, __WALL);

	// Another thread waits for the same child.
	pthread_t t;
	a = child(16);
	pthread_create(&t, 0, waiter, &a);
	pthread_join(t, 0);
	w4("after the thread", a, 0);

	// More zombies than are remembered one by one.
	for (int i = 0; i < 150; i++)
		if (fork() == 0) _exit(i);
	sleep(1);
	int sum = 0, st;
	while (wait(&st) > 0) sum += WEXITSTATUS(st);
	printf("sum %d\n", sum);
	w4("none", -1, 0);
	return 0;
}
