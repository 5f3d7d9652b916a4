// Internet sockets that several processes have, files sent into them, and
// signals about them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY(...) do { printf(__VA_ARGS__); fflush(stdout); } while (0)
#define TRY(x) do { errno = 0; long r_ = (x); SAY("%-52s %ld %s\n", #x, r_, r_ < 0 ? strerrorname_np(errno) : ""); } while (0)
#define A(a) (struct sockaddr *)&(a), sizeof(a)

static struct sockaddr_in lo(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return a;
}
static int port(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	getsockname(fd, (struct sockaddr *)&a, &n);
	return ntohs(a.sin_port);
}
static int listener(void)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	listen(l, 16);
	return l;
}
static int dial(int p)
{
	struct sockaddr_in a = lo(p);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c, A(a))) SAY("connect: %s\n", strerrorname_np(errno));
	return c;
}

static void give(int way, int fd)
{
	char c[CMSG_SPACE(sizeof fd)] = {0}, b = 'f';
	struct iovec v = {&b, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	TRY(sendmsg(way, &m, 0));
}
static int take(int way)
{
	char c[CMSG_SPACE(sizeof(int))], b;
	struct iovec v = {&b, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
	int fd = -1;
	if (recvmsg(way, &m, 0) == 1) memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

// A listener in flight keeps its port; its last descriptor frees it.
static void rights(void)
{
	SAY("-- rights\n");
	int way[2], l = listener(), p = port(l), d, s;
	struct sockaddr_in a = lo(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, way);
	give(way[0], l);
	close(l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	TRY(bind(s, A(a)));
	int c = dial(p);
	TRY(write(c, "through the air", 15));
	l = take(way[1]);
	SAY("same port %d\n", port(l) == p);
	d = dup(l);
	close(l);
	pid_t pid = fork();
	if (!pid) {
		char b[32];
		int n = accept(d, 0, 0);
		SAY("child read %zd\n", read(n, b, sizeof b));
		dup2(n, 1);
		execlp("echo", "echo", "from echo", NULL);
		_exit(1);
	}
	waitpid(pid, 0, 0);
	char b[32] = "";
	TRY(read(c, b, sizeof b));
	SAY("%s", b);
	TRY(read(c, b, sizeof b));
	close(c);
	TRY(bind(s, A(a)));
	close(d);
	int on = 1;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	TRY(bind(s, A(a)));
	close(s);
	// a queued connection is reset when the listener goes
	l = listener();
	c = dial(port(l));
	close(l);
	TRY(read(c, b, sizeof b));
	close(c);
	TRY(socketpair(AF_INET, SOCK_STREAM, 0, way) < 0);
}

static void files(void)
{
	SAY("-- sendfile\n");
	enum { N = 3000001 };
	char name[] = "fileXXXXXX";
	int fd = mkstemp(name), l = listener();
	unlink(name);
	char *b = malloc(N);
	for (int i = 0; i < N; i++) b[i] = i * 31 >> 3;
	TRY(write(fd, b, N));
	lseek(fd, 1, SEEK_SET);
	int out[2];
	pipe(out);
	pid_t pid = fork();
	if (!pid) {
		for (int k = 0; k < 3; k++) {
			int s = accept(l, 0, 0), n, all = 0;
			unsigned sum = 0;
			while ((n = read(s, b, 100000)) > 0) {
				for (int i = 0; i < n; i++) sum = sum * 7 + b[i];
				all += n;
			}
			dprintf(out[1], "read %d bytes, sum %u\n", all, sum);
			close(s);
		}
		_exit(0);
	}
	int c = dial(port(l));
	TRY(sendfile(c, fd, 0, N));
	SAY("at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
	close(c);
	c = dial(port(l));
	off_t o = 1000;
	TRY(sendfile(c, fd, &o, 2000000));
	SAY("at %ld, offset %ld\n", (long)lseek(fd, 0, SEEK_CUR), (long)o);
	close(c);
	c = dial(port(l));
	fcntl(c, F_SETFL, O_NONBLOCK);
	long sent = 0, n;
	for (o = 0; o < N;) {
		if ((n = sendfile(c, fd, &o, N - o)) > 0) {
			sent += n;
			continue;
		}
		struct pollfd p = {c, POLLOUT, 0};
		if (n < 0 && errno == EAGAIN) poll(&p, 1, -1);
		else break;
	}
	SAY("sent %ld\n", sent);
	close(c);
	waitpid(pid, 0, 0);
	char text[500] = "";
	read(out[0], text, sizeof text - 1);
	SAY("%s", text);
	close(out[0]), close(out[1]);
	c = socket(AF_INET, SOCK_STREAM, 0);
	o = 0;
	TRY(sendfile(c, fd, &o, 1));
	close(c), close(l), close(fd), free(b);
}

static volatile int sigs;
static void onsig(int s) { sigs++; }

static void io(void)
{
	SAY("-- signals\n");
	char b[8];
	int l = listener(), u = socket(AF_INET, SOCK_DGRAM, 0);
	struct sigaction sa = {.sa_handler = onsig};
	sigaction(SIGIO, &sa, 0);
	sigaction(SIGALRM, &sa, 0);
	int c = dial(port(l)), s = accept(l, 0, 0);
	TRY(fcntl(s, F_SETOWN, getpid()));
	TRY(fcntl(s, F_SETFL, O_ASYNC));
	sigset_t block, old;
	sigemptyset(&block);
	sigaddset(&block, SIGIO);
	sigprocmask(SIG_BLOCK, &block, &old);
	pid_t pid = fork();
	if (!pid) {
		usleep(20000);
		write(c, "x", 1);
		_exit(0);
	}
	TRY(sigsuspend(&old));
	SAY("signals %d\n", sigs);
	TRY(read(s, b, 8));
	waitpid(pid, 0, 0);
	sigprocmask(SIG_SETMASK, &old, 0);
	sigs = 0;
	ualarm(20000, 0);
	TRY(accept(l, 0, 0));
	ualarm(20000, 0);
	TRY(read(s, b, 1));
	SAY("signals %d\n", sigs);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, 0);
	ualarm(20000, 0);
	pid = fork();
	if (!pid) {
		usleep(60000);
		int x = dial(port(l));
		_exit(x < 0);
	}
	int n = accept(l, 0, 0);
	SAY("accept after a restart: %d, signals %d\n", n > 0, sigs);
	waitpid(pid, 0, 0);
	close(n), close(c), close(s), close(l), close(u);
}

static void *echo(void *arg)
{
	int l = *(int *)arg, s, n;
	char b[64];
	while ((s = accept(l, 0, 0)) >= 0) {
		while ((n = read(s, b, sizeof b)) > 0) write(s, b, n);
		close(s);
	}
	return errno == EINVAL ? "listener shut down" : "error";
}

// Threads that accept; select(2) and epoll(7) on both ends.
static void threads(void)
{
	SAY("-- threads\n");
	int l = listener(), c[4];
	pthread_t t[3];
	for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, echo, &l);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++) c[i] = dial(port(l));
		for (int i = 0; i < 3; i++) dprintf(c[i], "client %d", i);
		for (int i = 0; i < 3; i++) {
			char b[64] = "";
			fd_set r;
			FD_ZERO(&r);
			FD_SET(c[i], &r);
			int ready = select(c[i] + 1, &r, 0, 0, 0);
			shutdown(c[i], SHUT_WR);
			int n = 0, k;
			while ((k = read(c[i], b + n, sizeof b - n)) > 0) n += k;
			SAY("%d %s\n", ready, b);
			close(c[i]);
		}
	}
	shutdown(l, SHUT_RD);
	for (int i = 0; i < 3; i++) {
		void *why;
		pthread_join(t[i], &why);
		SAY("%s\n", (char *)why);
	}
	struct sockaddr_in a = lo(port(l));
	int x = socket(AF_INET, SOCK_STREAM, 0);
	TRY(connect(x, A(a)));
	close(x), close(l);
	l = listener();
	int e = epoll_create1(0);
	struct epoll_event v = {.events = EPOLLIN | EPOLLET}, w[4];
	fcntl(l, F_SETFL, O_NONBLOCK);
	epoll_ctl(e, EPOLL_CTL_ADD, l, &v);
	for (int i = 0; i < 3; i++) {
		c[i] = dial(port(l));
		TRY(epoll_wait(e, w, 4, 0));
	}
	TRY(epoll_wait(e, w, 4, 0));
	int n = 0, s[4];
	while ((s[n] = accept(l, 0, 0)) >= 0) n++;
	SAY("accepted %d\n", n);
	v.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
	epoll_ctl(e, EPOLL_CTL_ADD, s[0], &v);
	TRY(epoll_wait(e, w, 4, 0));
	for (int i = 0; i < 2; i++) {
		write(c[0], "a", 1);
		TRY(epoll_wait(e, w, 4, 0));
		TRY(epoll_wait(e, w, 4, 0));
	}
	shutdown(c[0], SHUT_WR);
	TRY(epoll_wait(e, w, 4, 0));
	SAY("events %x\n", w[0].events);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	rights();
	files();
	io();
	threads();
	return 0;
}
