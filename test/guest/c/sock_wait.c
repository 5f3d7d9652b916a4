// Calls on sockets and pipes that wait half-way, or for a limited time.
// What is printed does not depend on the speed of the machine.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ms(long n) { nanosleep(&(struct timespec){n / 1000, n % 1000 * 1000000}, 0); }

static void say(const char *what, long r)
{
	printf("%s %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : "");
	fflush(stdout);
}

// send_slowly lets a child send parts with pauses between.
static pid_t send_slowly(int fd, int parts, int size)
{
	pid_t p = fork();
	if (p)
		return p;
	char b[65536];
	memset(b, 'x', sizeof b);
	for (int i = 0; i < parts; i++) {
		ms(20);
		send(fd, b, size, 0);
	}
	_exit(0);
}

static void on_signal(int s)
{
	if (s == SIGPIPE)
		write(1, "SIGPIPE\n", 8);
}

static void limit(int fd, int opt, int msec)
{
	setsockopt(fd, SOL_SOCKET, opt, &(struct timeval){0, msec * 1000}, sizeof(struct timeval));
}

static void wait_all(void)
{
	int s[2];
	static char b[300000];
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	send_slowly(s[1], 3, 10);
	say("waitall", recv(s[0], b, 30, MSG_WAITALL));
	wait(0);
	send_slowly(s[1], 5, 60000);
	struct iovec v[3] = {{b, 7}, {b + 7, 100000}, {b + 100007, 199993}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
	say("waitall of a vector", recvmsg(s[0], &m, MSG_WAITALL));
	wait(0);
	send_slowly(s[1], 2, 10);
	limit(s[0], SO_RCVTIMEO, 200);
	say("waitall, timeout", recv(s[0], b, 30, MSG_WAITALL));
	say("waitall, nothing", recv(s[0], b, 30, MSG_WAITALL));
	wait(0);
	limit(s[0], SO_RCVTIMEO, 0);
	send_slowly(s[1], 2, 10);
	close(s[1]);
	say("waitall, end", recv(s[0], b, 30, MSG_WAITALL));
	wait(0);
	close(s[0]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	send_slowly(s[1], 1, 10);
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &sa, 0);
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 200000}}, 0);
	say("waitall, signal", recv(s[0], b, 30, MSG_WAITALL));
	wait(0);
	close(s[0]);
	close(s[1]);
}

static void many(void)
{
	int s[2];
	char b[4][16];
	struct iovec v[4];
	struct mmsghdr m[4] = {0};
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){b[i], 16};
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	send_slowly(s[1], 4, 5);
	say("recvmmsg", recvmmsg(s[0], m, 4, 0, 0));
	for (int i = 0; i < 4; i++)
		printf("%d ", m[i].msg_len);
	wait(0);
	send(s[1], "abc", 3, 0);
	say("recvmmsg, one", recvmmsg(s[0], m, 4, MSG_WAITFORONE, 0));
	limit(s[0], SO_RCVTIMEO, 50);
	send(s[1], "abc", 3, 0);
	say("recvmmsg, timeout", recvmmsg(s[0], m, 4, 0, 0));
	say("recvmmsg, nothing", recvmmsg(s[0], m, 4, 0, 0));
	close(s[0]);
	close(s[1]);
}

static void timeouts(void)
{
	int s[2];
	static char b[1 << 20];
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	limit(s[0], SO_RCVTIMEO, 50);
	limit(s[0], SO_SNDTIMEO, 50);
	say("read", read(s[0], b, 1));
	say("recvfrom", recv(s[0], b, 1, 0));
	say("recvmsg", recvmsg(s[0], &(struct msghdr){0}, 0));
	long r = write(s[0], b, sizeof b);
	say("write", r > 0 && r < sizeof b);
	say("write, full", write(s[0], b, sizeof b));
	say("send, full", send(s[0], b, sizeof b, 0));
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &sa, 0);
	limit(s[0], SO_RCVTIMEO, 500);
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
	say("read, signal", read(s[0], b, 1));
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = 0;
	struct sockaddr_un a = {AF_UNIX, "\0sock_wait"};
	bind(l, (void *)&a, sizeof a);
	listen(l, 0);
	limit(l, SO_RCVTIMEO, 50);
	say("accept", accept(l, 0, 0));
	for (int i = 0; i < 2; i++) {
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		limit(c, SO_SNDTIMEO, 50);
		say("connect", connect(c, (void *)&a, sizeof a));
	}
	int d[2];
	socketpair(AF_UNIX, SOCK_DGRAM, 0, d);
	limit(d[0], SO_SNDTIMEO, 50);
	int n = 0;
	while (send(d[0], b, 100, 0) == 100)
		n++;
	say("datagrams", n > 1 ? -1 : 0);
}

// A pipe or socket that polls full still takes what fits.
static void room(void)
{
	int p[2], n = 0;
	char b[100] = {0};
	pipe(p);
	for (int i = 0; i < 640; i++)
		n += write(p[1], b, 100);
	say("pipe takes", n);
	struct pollfd f = {p[1], POLLOUT};
	say("and polls", poll(&f, 1, 0));
	int s[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	for (n = 0; n < 200; n++)
		write(s[0], b, 1);
	say("socket takes", n);
	f.fd = s[0];
	say("and polls", poll(&f, 1, 0));
	// A pipe with no room at all and a writer of many pages.
	pid_t c = fork();
	if (!c) {
		static char big[300000];
		_exit(write(p[1], big, sizeof big) != sizeof big);
	}
	static char in[300000];
	close(p[1]);
	for (n = 0; (c = read(p[0], in, sizeof in)) > 0;)
		n += c;
	int st;
	wait(&st);
	say("all of it", n);
	say("writer", st);
	int e = eventfd(5, 0);
	uint64_t v = ~0ull - 2;
	if (!fork()) {
		ms(20);
		_exit(read(e, &v, 8) != 8);
	}
	// The reader goes away after a part: a pipe's writer gets the signal too.
	for (int i = 0; i < 2; i++) {
		static char big[1000000];
		if (i)
			socketpair(AF_UNIX, SOCK_STREAM, 0, p);
		else
			pipe(p);
		signal(SIGPIPE, on_signal);
		if (!(c = fork())) {
			close(p[1]);
			ms(20);
			read(p[0], big, 50000);
			ms(20);
			_exit(0);
		}
		close(p[0]);
		n = write(p[1], big, sizeof big);
		say("part", n > 0 && n < sizeof big);
		wait(&st);
	}
	say("eventfd", write(e, &v, 8));
	wait(&st);
	say("reader", st);
	say("left", read(e, &v, 8) == 8 && v == ~0ull - 2);
}

int main(void)
{
	wait_all();
	many();
	timeouts();
	room();
	return 0;
}
