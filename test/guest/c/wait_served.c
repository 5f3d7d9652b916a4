/* Waits with and without children, many times, so that those without are answered in
 * the guest: a child that ends while another is collected is still there. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int gone[2];

/* A child that ends when something comes from p, or at once; the read end of gone
 * tells when. */
static void child(const int *p) {
	char b;
	pipe(gone);
	if (!fork()) {
		if (p) read(p[0], &b, 1);
		_exit(0);
	}
	close(gone[1]);
}

static void await(int fd) {
	char b;
	read(fd, &b, 1);
	close(fd);
}

int main(void) {
	int got = 0, none = 0;
	sigset_t set; /* else signals come where wait4(2) ends, and its instruction stays */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, 0);
	for (int i = 0; i < 40; i++) {
		int p[2], first;
		pipe(p);
		child(0);
		first = gone[0];
		child(p);
		await(first);
		got += i % 2 ? waitpid(-1, 0, WNOHANG) > 0 : wait(0) > 0; /* there is another */
		write(p[1], "x", 1);
		await(gone[0]);
		got += i % 3 ? wait(0) > 0 : waitpid(-1, 0, WNOHANG) > 0; /* the last */
		for (int n = 0; n < 3; n++) none += wait(0) < 0 && errno == ECHILD;
		close(p[0]), close(p[1]);
	}
	printf("%d collected, none %d times\n", got, none);
	return 0;
}
