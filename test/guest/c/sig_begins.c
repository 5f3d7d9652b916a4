/* A reader gives up its turn as it is about to read what is there. Before it goes on
 * the other takes it, and sends a signal. The reader, which has to wait now, must not
 * miss that. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void handler(int sig) {}

int main(void) {
	int p[2], rounds = 0;
	char c;
	struct sigaction a = {.sa_handler = handler};
	pid_t parent = getpid(), child;
	sigaction(SIGUSR1, &a, 0);
	pipe(p);
	child = fork();
	if (!child) {
		read(p[0], &c, 1); /* woken by the first byte that lies there as the turn ends */
		kill(parent, SIGUSR1);
		pause();
	}
	for (;;) {
		write(p[1], "x", 1);
		rounds++;
		if (read(p[0], &c, 1) < 0) break;
	}
	printf("%s\n", errno == EINTR ? "interrupted" : "failed");
	kill(child, SIGKILL);
	wait(0);
	return rounds > 1000000;
}
