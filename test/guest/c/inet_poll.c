// What poll(2), select(2) and epoll(7) say of internet sockets in all states that
// loopback brings them into at once: what Linux says is the oracle.
#define _GNU_SOURCE
#include "random.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

static int pipes;
static void on_pipe(int s) { (void)s; pipes++; }

static struct sockaddr_in closed_port, open_port;
static int closer, listener;

static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static int bound(int fd, struct sockaddr_in *a) {
	socklen_t n = sizeof *a;
	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bind(fd, (void *)a, n);
	getsockname(fd, (void *)a, &n);
	return fd;
}
static int join(int fd, const struct sockaddr_in *a) { return connect(fd, (void *)a, sizeof *a); }
static int error(int fd) {
	int e = -1;
	socklen_t n = sizeof e;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
	return e;
}

static const short masks[] = {POLLIN, POLLOUT, POLLIN | POLLRDHUP, POLLOUT | POLLWRBAND, POLLRDNORM | POLLWRNORM | POLLRDHUP, 0x7ff & ~POLLNVAL};

enum { SETS = 1 };

// show asks for fd in all ways. with SETS: also in epoll sets.
static void show(const char *what, int fd, int sets) {
	printf("%s: poll", what);
	short more[] = {0, POLLPRI, POLLWRBAND};
	for (unsigned i = 0; i < sizeof masks / sizeof *masks + 3; i++) {
		struct pollfd p = {fd, i < 3 ? more[i] : masks[i - 3], 0};
		int n = poll(&p, 1, 0);
		printf(" %d/%x", n, p.revents);
	}
	struct pollfd two[] = {{fd, POLLIN, 0}, {-1, POLLIN, 0}, {fd, POLLOUT, 0}};
	int n = poll(two, 3, 0);
	printf(" two %d/%x/%x", n, two[0].revents, two[2].revents);
	fd_set s[3];
	for (int i = 0; i < 3; i++) {
		FD_ZERO(&s[i]);
		FD_SET(fd, &s[i]);
	}
	struct timeval now = {0, 0};
	n = select(fd + 1, &s[0], &s[1], &s[2], &now);
	printf(" select %d %d%d%d", n, !!FD_ISSET(fd, &s[0]), !!FD_ISSET(fd, &s[1]), !!FD_ISSET(fd, &s[2]));
	if (sets) {
		printf(" epoll");
		for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++) {
			int e = epoll_create1(0), outer = epoll_create1(0);
			struct epoll_event v = {(uint16_t)masks[i], {.u64 = 0x123456789abcdef0}}, got = {0}, nested = {EPOLLIN, {.fd = e}};
			epoll_ctl(e, EPOLL_CTL_ADD, fd, &v);
			epoll_ctl(outer, EPOLL_CTL_ADD, e, &nested);
			n = epoll_wait(e, &got, 1, 0);
			printf(" %d/%x%s", n, got.events, n == 1 && got.data.u64 != v.data.u64 ? " data" : "");
			got.events = 0;
			n = epoll_wait(outer, &got, 1, 0);
			printf("/%d", n);
			v.events = EPOLLIN | EPOLLONESHOT;
			epoll_ctl(e, EPOLL_CTL_MOD, fd, &v);
			n = epoll_wait(e, &got, 1, 0);
			printf("/%d", n);
			close(e);
			close(outer);
		}
	}
	printf("\n");
}

static void connected(int *a, int *b) {
	*a = tcp();
	join(*a, &open_port);
	*b = accept(listener, 0, 0);
}

static void fresh(void) {
	for (int how = -1; how < 3; how++) {
		int fd = tcp();
		if (how >= 0) printf("shutdown %d %s\n", how, said(shutdown(fd, how)));
		show("new", fd, how < 0 || how == SHUT_WR);
		printf("recv %s\n", said(recv(fd, &how, 1, MSG_DONTWAIT)));
		close(fd);
		fd = udp();
		if (how >= 0) printf("shutdown %d %s\n", how, said(shutdown(fd, how)));
		show("new UDP", fd, 1);
		close(fd);
	}
}

static void listening(void) {
	struct sockaddr_in at;
	int l = bound(tcp(), &at);
	show("bound", l, SETS);
	listen(l, 5);
	show("listening", l, SETS);
	int c = tcp();
	join(c, &at);
	show("one waits", l, SETS);
	close(accept(l, 0, 0));
	show("accepted", l, SETS);
	printf("shutdown %s\n", said(shutdown(l, SHUT_RD)));
	show("shut listener", l, 0);
	close(c);
	close(l);
}

static void refused(void) {
	int c = tcp(), e = epoll_create1(0);
	struct epoll_event v = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.fd = c}}, got;
	fcntl(c, F_SETFL, O_NONBLOCK);
	epoll_ctl(e, EPOLL_CTL_ADD, c, &v);
	printf("set %d", epoll_wait(e, &got, 1, 0));
	printf(" %x\n", got.events);
	join(c, &closed_port);
	printf("set %d", epoll_wait(e, &got, 1, 5000));
	printf(" %x\n", got.events);
	printf("set %d\n", epoll_wait(e, &got, 1, 0));
	show("refused", c, SETS);
	printf("error %d\n", error(c));
	show("told", c, SETS);
	printf("again %s\n", said(join(c, &closed_port)));
	show("idle again", c, SETS);
	join(c, &open_port);
	int s = accept(listener, 0, 0);
	show("connected at last", c, SETS);
	close(s);
	close(c);
	close(e);
	// Refused while both directions were shut: forgotten, too.
	c = tcp();
	shutdown(c, SHUT_RDWR);
	printf("refused %s\n", said(join(c, &closed_port)));
	show("refused", c, SETS);
	printf("connect %s", said(join(c, &open_port)));
	printf(" send %s\n", said(send(c, "x", 1, 0)));
	close(accept(listener, 0, 0));
	close(c);
}

static void ends(void) {
	int a, b;
	char buf[8];
	connected(&a, &b);
	show("client", a, SETS);
	show("server", b, SETS);
	send(a, "abc", 3, 0);
	show("unread", b, SETS);
	close(a);
	show("unread and closed", b, SETS);
	recv(b, buf, 8, 0);
	show("closed", b, SETS);
	printf("send %s\n", said(send(b, "x", 1, 0)));
	show("answered", b, SETS);
	printf("send %s pipes %d\n", said(send(b, "x", 1, 0)), pipes);
	show("after", b, SETS);
	close(b);

	connected(&a, &b);
	shutdown(a, SHUT_WR);
	show("half", a, SETS);
	show("half, peer", b, SETS);
	shutdown(b, SHUT_WR);
	show("both", a, SETS);
	show("both, peer", b, SETS);
	close(a);
	close(b);

	connected(&a, &b);
	shutdown(a, SHUT_RD);
	show("deaf", a, 0);
	show("deaf, peer", b, SETS);
	printf("recv %s\n", said(recv(a, buf, 8, 0)));
	close(a);
	close(b);

	struct linger no = {1, 0};
	connected(&a, &b);
	setsockopt(a, SOL_SOCKET, SO_LINGER, &no, sizeof no);
	close(a);
	show("reset", b, SETS);
	printf("error %d\n", error(b));
	show("reset and told", b, SETS);
	close(b);

	connected(&a, &b);
	send(b, "abc", 3, 0);
	close(a); // with something unread
	show("thrown away", b, SETS);
	printf("recv %s\n", said(recv(b, buf, 8, 0)));
	show("thrown away and told", b, SETS);
	close(b);
}

static void shut_before(void) {
	char buf[8];
	struct iovec v = {"x", 1};
	struct mmsghdr many = {{.msg_iov = &v, .msg_iovlen = 1}};
	int file = open("/proc/self/exe", O_RDONLY);
	for (int how = 0; how < 3; how++) {
		int a = tcp(), b;
		shutdown(a, how);
		printf("shut %d, connect %s\n", how, said(join(a, &open_port)));
		b = accept(listener, 0, 0);
		show("shut before", a, how == SHUT_WR);
		show("shut before, peer", b, SETS);
		pipes = 0;
		printf("send %s", said(send(a, "x", 1, 0)));
		printf(" quiet %s", said(send(a, "x", 1, MSG_NOSIGNAL)));
		printf(" none %s", said(send(a, "x", 0, 0)));
		printf(" write %s", said(write(a, "x", 1)));
		printf(" sendmsg %s", said(sendmsg(a, &many.msg_hdr, 0)));
		printf(" sendmmsg %s", said(sendmmsg(a, &many, 1, 0)));
		printf(" sendfile %s", said(sendfile(a, file, 0, 1)));
		printf(" pipes %d\n", pipes);
		printf("peer's recv %s", said(recv(b, buf, 8, MSG_DONTWAIT)));
		printf(" send %s", said(send(b, "ab", 2, 0)));
		printf(" recv %s", said(recv(a, buf, 8, MSG_DONTWAIT)));
		if (how != SHUT_WR) printf(" again %s", said(recv(a, buf, 8, 0)));
		printf("\n");
		close(a);
		show("closed", b, SETS);
		close(b);
	}
	close(file);
}

static void datagrams(void) {
	char buf[8];
	struct sockaddr_in at, back;
	int p = bound(udp(), &at), s = bound(udp(), &back);
	join(s, &at);
	show("UDP", s, SETS);
	close(p);
	const char *names[] = {"recv", "send", "error", "recvmmsg"};
	struct iovec v[2] = {{buf, 8}, {buf, 8}};
	struct mmsghdr many[2] = {{{.msg_iov = v, .msg_iovlen = 1}}, {{.msg_iov = v + 1, .msg_iovlen = 1}}};
	for (int i = 0; i < 4; i++) {
		printf("send %s\n", said(send(s, "x", 1, 0)));
		show("UDP refused", s, SETS);
		long r = i == 0 ? recv(s, buf, 8, 0) : i == 1 ? send(s, "x", 1, 0) : i == 2 ? error(s) : recvmmsg(s, many, 2, 0, 0);
		printf("%s %s\n", names[i], said(r));
		show("UDP told", s, SETS);
		error(s);
	}
	// Who waits for nothing but errors is woken.
	fflush(stdout);
	if (fork() == 0) {
		struct pollfd p = {s, 0, 0};
		int n = poll(&p, 1, 5000);
		printf("woken %d %x\n", n, p.revents);
		fflush(stdout);
		_exit(0);
	}
	send(s, "x", 1, 0);
	wait(0);
	close(s);

	// With data in front of the error.
	p = bound(udp(), &at);
	s = bound(udp(), &back);
	join(s, &at);
	sendto(p, "abc", 3, 0, (void *)&back, sizeof back);
	sendto(p, "de", 2, 0, (void *)&back, sizeof back);
	close(p);
	send(s, "x", 1, 0);
	show("UDP data and error", s, SETS);
	printf("recvmmsg %s", said(recvmmsg(s, many, 1, 0, 0)));
	printf(" then %s\n", said(recvmmsg(s, many, 1, 0, 0)));
	show("UDP data", s, SETS);
	// An error while recvmmsg(2) waits for the second message is told by the next call.
	fflush(stdout);
	if (fork() == 0) {
		printf("got %s", said(recvmmsg(s, many, 2, 0, 0)));
		printf(" then %s\n", said(recvmmsg(s, many, 2, 0, 0)));
		fflush(stdout);
		_exit(0);
	}
	for (int n = 1; n > 0;) ioctl(s, FIONREAD, &n), usleep(1000);
	send(s, "x", 1, 0);
	wait(0);
	for (int how = 0; how < 3; how++) {
		printf("shutdown %s\n", said(shutdown(s, how)));
		show("UDP shut", s, how == SHUT_WR);
	}
	close(s);
}

int main(void) {
	signal(SIGPIPE, on_pipe);
	closer = bound(tcp(), &closed_port);
	listener = bound(tcp(), &open_port);
	listen(listener, 5);
	fresh();
	listening();
	refused();
	ends();
	shut_before();
	datagrams();
	return 0;
}
