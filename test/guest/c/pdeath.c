// Children that die with their parent: at once, and in order.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int p[2];
	if (pipe(p) || prctl(PR_SET_CHILD_SUBREAPER, 1))
		return 1;
	pid_t parent = fork();
	if (!parent) {
		for (int i = 0; i < 20; i++) {
			if (!fork()) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				if (write(p[1], "x", 1) != 1)
					_exit(1);
				for (;;)
					i & 1 ? (void)pause() : (void)getppid();
			}
		}
		char c;
		for (int i = 0; i < 20; i++)
			if (read(p[0], &c, 1) != 1)
				_exit(1);
		_exit(7);
	}
	int st, n = 0;
	pid_t c = waitpid(parent, &st, 0);
	printf("parent %d\n", c == parent && WEXITSTATUS(st) == 7);
	while ((c = waitpid(-1, &st, 0)) > 0) {
		n++;
		if (!WIFSIGNALED(st) || WTERMSIG(st) != SIGKILL)
			printf("status %x\n", st);
	}
	printf("%d children\n", n);
	return 0;
}
