// Moving data between pipes and files inside the kernel, also where it blocks.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

static char buf[1 << 20];

static void show(const char *what, ssize_t n)
{
	int e = errno;
	printf("%s %zd %s\n", what, n, n < 0 ? strerrorname_np(e) : "");
	fflush(stdout);
}

static void on_alarm(int sig) {}

int main(void)
{
	memset(buf, 'x', sizeof buf);
	int p[2], q[2], f = open("src", O_RDWR | O_CREAT | O_TRUNC, 0644), g = open("dst", O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (write(f, buf, sizeof buf) != sizeof buf || pipe(p) || pipe(q))
		return 1;
	loff_t off = 0;
	show("file to pipe", splice(f, &off, p[1], 0, 1000, 0));
	show("tee", tee(p[0], q[1], 400, 0));
	show("pipe to file", splice(p[0], 0, g, 0, 1000, 0));
	show("pipe to pipe", splice(q[0], 0, p[1], 0, 300, 0));
	show("nonblocking", splice(q[0], 0, p[1], 0, 300, SPLICE_F_NONBLOCK));
	show("nothing there", splice(q[0], 0, p[1], 0, 300, SPLICE_F_NONBLOCK));
	off = 0;
	show("sendfile to pipe", sendfile(q[1], f, &off, 500));
	show("sendfile to file", sendfile(g, f, &off, 500));
	show("no pipe", splice(f, 0, g, 0, 10, 0));
	show("closed", splice(99, 0, p[1], 0, 10, 0));
	// A writer that outruns its reader, and a reader that waits.
	int d[2];
	if (pipe(d))
		return 1;
	pid_t c = fork();
	if (!c) {
		close(d[1]);
		long sum = 0;
		ssize_t n;
		while ((n = splice(d[0], 0, g, 0, 1 << 20, 0)) > 0)
			sum += n;
		printf("read %ld, then %zd\n", sum, n);
		fflush(stdout);
		_exit(0);
	}
	close(d[0]);
	long sum = 0;
	off = 0;
	while (sum < (long)sizeof buf) {
		ssize_t n = sum < 500000 ? splice(f, &off, d[1], 0, sizeof buf - sum, 0) : sendfile(d[1], f, &off, sizeof buf - sum);
		if (n <= 0)
			break;
		sum += n;
	}
	close(d[1]);
	waitpid(c, 0, 0);
	printf("wrote %ld\n", sum);
	// Interrupted while it waits.
	int e[2];
	if (pipe(e))
		return 1;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, 0);
	alarm(1);
	show("interrupted", splice(e[0], 0, g, 0, 10, 0));
	// Nobody reads.
	signal(SIGPIPE, SIG_IGN);
	close(e[0]);
	show("no reader", splice(f, &off, e[1], 0, 10, 0));
	off = 0;
	show("no reader", sendfile(e[1], f, &off, 10));
	return 0;
}
