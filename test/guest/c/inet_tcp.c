// TCP on the loopback: what Linux says to a program with both ends. No line
// holds a port that the kernel chose.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipes;
static void onpipe(int s) { pipes++; }

#define SAY(...) do { printf(__VA_ARGS__); fflush(stdout); } while (0)
#define TRY(x) do { errno = 0; long r_ = (x); SAY("%-52s %ld %s\n", #x, r_, r_ < 0 ? strerrorname_np(errno) : ""); } while (0)

static struct sockaddr_in in4(const char *ip, int port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}
static struct sockaddr_in6 in6(const char *ip, int port) {
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	inet_pton(AF_INET6, ip, &a.sin6_addr);
	return a;
}
#define A(a) (struct sockaddr *)&(a), sizeof(a)

static int port(int fd) {
	struct sockaddr_storage s;
	socklen_t n = sizeof s;
	if (getsockname(fd, (struct sockaddr *)&s, &n)) return -1;
	return ntohs(((struct sockaddr_in *)&s)->sin_port);
}
static void show(const char *what, int fd, int peer) {
	struct sockaddr_storage s;
	socklen_t n = sizeof s;
	memset(&s, 0xee, sizeof s);
	int r = peer ? getpeername(fd, (struct sockaddr *)&s, &n) : getsockname(fd, (struct sockaddr *)&s, &n);
	if (r) { SAY("%s: %s\n", what, strerrorname_np(errno)); return; }
	char b[64] = "?";
	int p = ntohs(((struct sockaddr_in *)&s)->sin_port);
	if (s.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&s)->sin_addr, b, sizeof b);
	if (s.ss_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&s)->sin6_addr, b, sizeof b);
	SAY("%s: family %d len %d %s port %s\n", what, s.ss_family, n, b, p >= 32768 ? "ephemeral" : p ? "fixed" : "0");
}
static const char *ev(int fd) {
	static char b[64];
	struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
	poll(&p, 1, 0);
	snprintf(b, sizeof b, "%s%s%s%s%s", p.revents & POLLIN ? "in " : "", p.revents & POLLOUT ? "out " : "", p.revents & POLLRDHUP ? "rdhup " : "",
		 p.revents & POLLERR ? "err " : "", p.revents & POLLHUP ? "hup " : "");
	return b;
}
static int opt(int fd, int level, int name) {
	int v = -1;
	socklen_t n = sizeof v;
	if (getsockopt(fd, level, name, &v, &n)) return -errno;
	return v;
}
static int set(int fd, int level, int name, int v) { return setsockopt(fd, level, name, &v, sizeof v); }

static int l; // listener
static int lport;
static void pair(int *c, int *s) {
	struct sockaddr_in a = in4("127.0.0.1", lport);
	*c = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(*c, A(a))) perror("connect");
	*s = accept(l, 0, 0);
}

static void names(void) {
	SAY("-- names\n");
	int s = socket(AF_INET, SOCK_STREAM, 0), s2;
	show("unbound", s, 0);
	show("unbound peer", s, 1);
	struct sockaddr_in a = in4("127.0.0.1", 0), any = in4("0.0.0.0", 0), out = in4("192.0.2.1", 0);
	TRY(bind(s, A(out)));
	TRY(bind(s, (struct sockaddr *)&a, 8));
	TRY(bind(s, A(a)));
	TRY(bind(s, A(a)));
	show("bound", s, 0);
	int p = port(s);
	a.sin_port = any.sin_port = htons(p);
	s2 = socket(AF_INET, SOCK_STREAM, 0);
	TRY(bind(s2, A(a)));
	TRY(bind(s2, A(any)));
	TRY(set(s, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(bind(s2, A(any)));
	TRY(set(s2, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(bind(s2, A(any)));
	TRY(listen(s, 5));
	TRY(listen(s2, 5));
	int s3 = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in b = in4("127.0.0.2", p);
	TRY(set(s3, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(bind(s3, A(a)));
	close(s2);
	TRY(bind(s3, A(b)));
	TRY(listen(s3, 1));
	close(s);
	close(s3);
	s = socket(AF_INET, SOCK_STREAM, 0);
	TRY(bind(s, A(a)));
	close(s);
	int r1 = socket(AF_INET, SOCK_STREAM, 0), r2 = socket(AF_INET, SOCK_STREAM, 0);
	TRY(set(r1, SOL_SOCKET, SO_REUSEPORT, 1));
	TRY(set(r2, SOL_SOCKET, SO_REUSEPORT, 1));
	TRY(bind(r1, A(a)));
	TRY(bind(r2, A(a)));
	TRY(listen(r1, 1));
	TRY(listen(r2, 1));
	close(r1), close(r2);
	TRY(socket(AF_INET, SOCK_SEQPACKET, 0));
	TRY(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	TRY(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	TRY(socket(AF_INET, 99, 0));
}

static void six(void) {
	SAY("-- IPv6\n");
	int s = socket(AF_INET6, SOCK_STREAM, 0), c, n;
	show("unbound", s, 0);
	struct sockaddr_in6 any = in6("::", 0), lo = in6("::1", 0), map = in6("::ffff:127.0.0.1", 0), out = in6("2001:db8::1", 9);
	TRY(bind(s, A(any)));
	TRY(listen(s, 5));
	show("listener", s, 0);
	TRY(set(s, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	lo.sin6_port = map.sin6_port = any.sin6_port = htons(port(s));
	struct sockaddr_in lo4 = in4("127.0.0.1", port(s)), any4 = in4("0.0.0.0", port(s));
	c = socket(AF_INET6, SOCK_STREAM, 0);
	TRY(connect(c, A(lo)));
	n = accept(s, 0, 0);
	show("client", c, 0), show("client peer", c, 1), show("server", n, 0), show("server peer", n, 1);
	close(c), close(n);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	TRY(connect(c, A(map)));
	n = accept(s, 0, 0);
	show("mapped client", c, 0), show("mapped peer", c, 1), show("mapped server", n, 0), show("mapped server peer", n, 1);
	close(c), close(n);
	c = socket(AF_INET, SOCK_STREAM, 0);
	TRY(connect(c, A(lo4)));
	n = accept(s, 0, 0);
	show("v4 client", c, 0), show("v4 server", n, 0), show("v4 server peer", n, 1);
	close(c), close(n);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	TRY(set(c, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	TRY(connect(c, A(map)) < 0);
	TRY(connect(c, A(lo4)));
	close(c);
	c = socket(AF_INET, SOCK_STREAM, 0);
	TRY(connect(c, A(lo)));
	TRY(bind(c, A(any4)));
	close(s);
	TRY(bind(c, A(any4)));
	int o = socket(AF_INET6, SOCK_STREAM, 0);
	TRY(set(o, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	TRY(bind(o, A(any)));
	TRY(listen(c, 1));
	TRY(listen(o, 1));
	close(c), close(o);
	(void)out;
}

static void flow(void) {
	SAY("-- connections\n");
	int c, s;
	char b[64];
	l = socket(AF_INET, SOCK_STREAM, 0);
	SAY("idle: %s\n", ev(l));
	TRY(recv(l, b, 1, 0));
	TRY(send(l, "x", 1, MSG_NOSIGNAL));
	TRY(send(l, "x", 1, 0));
	SAY("SIGPIPE %d\n", pipes);
	TRY(accept(l, 0, 0));
	c = socket(AF_INET, SOCK_STREAM, 0);
	TRY(shutdown(c, SHUT_WR));
	close(c);
	TRY(listen(l, 16));
	lport = port(l);
	show("autobound", l, 0);
	SAY("listening: %s\n", ev(l));
	TRY(set(l, SOL_SOCKET, SO_KEEPALIVE, 1));
	TRY(recv(l, b, 1, 0));
	c = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = in4("127.0.0.1", lport), zero = in4("0.0.0.0", lport);
	TRY(connect(c, A(a)));
	SAY("queued: %s; client: %s\n", ev(l), ev(c));
	TRY(connect(c, A(a)));
	TRY(send(c, "early", 5, 0));
	struct sockaddr_in from;
	socklen_t n = sizeof from;
	memset(&from, 0xee, sizeof from);
	s = accept4(l, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	SAY("accept: family %d len %d %s same %d nonblock %d cloexec %d\n", from.sin_family, n, inet_ntoa(from.sin_addr), ntohs(from.sin_port) == port(c),
	    !!(fcntl(s, F_GETFL) & O_NONBLOCK), fcntl(s, F_GETFD));
	SAY("inherited keepalive %d\n", opt(s, SOL_SOCKET, SO_KEEPALIVE));
	show("client", c, 0), show("client peer", c, 1), show("server", s, 0), show("server peer", s, 1);
	SAY("server: %s\n", ev(s));
	int k;
	TRY(ioctl(s, FIONREAD, &k));
	SAY("FIONREAD %d\n", k);
	TRY(recv(s, b, 2, MSG_PEEK));
	memset(&from, 0xee, sizeof from);
	n = sizeof from;
	TRY(recvfrom(s, b, 3, 0, (struct sockaddr *)&from, &n));
	SAY("recvfrom on TCP: len %d family %x\n", n, from.sin_family);
	TRY(recv(s, b, 64, 0));
	TRY(recv(s, b, 64, 0));
	TRY(accept(s, 0, 0));
	fcntl(l, F_SETFL, O_NONBLOCK);
	TRY(accept(l, 0, 0));
	fcntl(l, F_SETFL, 0);
	// half-close
	TRY(send(c, "last", 4, 0));
	TRY(shutdown(c, SHUT_WR));
	SAY("after SHUT_WR: client %s\n", ev(c));
	SAY("server %s\n", ev(s));
	TRY(send(c, "x", 1, MSG_NOSIGNAL));
	TRY(recv(s, b, 64, 0));
	TRY(recv(s, b, 64, 0));
	TRY(send(s, "answer", 6, 0));
	TRY(recv(c, b, 64, 0));
	close(s);
	TRY(recv(c, b, 64, 0));
	SAY("both ended: %s\n", ev(c));
	close(c);
	// the peer closes; the first write is lost, the second fails
	pair(&c, &s);
	close(s);
	TRY(send(c, "lost", 4, 0));
	pipes = 0;
	TRY(send(c, "fails", 5, 0));
	SAY("SIGPIPE %d\n", pipes);
	TRY(recv(c, b, 64, 0));
	close(c);
	// closed with unread data: reset
	pair(&c, &s);
	TRY(send(c, "unread", 6, 0));
	close(s);
	SAY("reset: %s\n", ev(c));
	TRY(recv(c, b, 64, 0));
	TRY(recv(c, b, 64, 0));
	close(c);
	pair(&c, &s);
	TRY(send(c, "unread", 6, 0));
	close(s);
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	close(c);
	pair(&c, &s);
	TRY(send(c, "unread", 6, 0));
	close(s);
	TRY(send(c, "more", 4, 0));
	close(c);
	// closed by force
	struct linger g = {1, 0};
	pair(&c, &s);
	TRY(setsockopt(s, SOL_SOCKET, SO_LINGER, &g, sizeof g));
	TRY(send(s, "bye", 3, 0));
	close(s);
	TRY(recv(c, b, 64, 0));
	TRY(recv(c, b, 64, 0));
	TRY(recv(c, b, 64, 0));
	close(c);
	// SHUT_RD is local
	pair(&c, &s);
	TRY(shutdown(c, SHUT_RD));
	TRY(recv(c, b, 64, 0));
	TRY(send(s, "to nobody", 9, 0));
	TRY(send(c, "on", 2, 0));
	TRY(recv(s, b, 64, 0));
	close(c), close(s);
	// SHUT_RDWR
	pair(&c, &s);
	TRY(send(s, "rest", 4, 0));
	TRY(shutdown(c, SHUT_RDWR));
	TRY(shutdown(c, SHUT_RDWR) == 0 || errno == ENOTCONN);
	TRY(recv(s, b, 64, 0));
	close(c), close(s);
	// out of band
	pair(&c, &s);
	TRY(send(c, "ab", 2, 0));
	TRY(send(c, "!", 1, MSG_OOB));
	TRY(recv(s, b, 64, 0));
	TRY(ioctl(s, SIOCATMARK, &k));
	SAY("at mark %d\n", k);
	TRY(recv(s, b, 64, MSG_OOB));
	SAY("urgent %c\n", b[0]);
	close(c), close(s);
	// vectors and both directions
	pair(&c, &s);
	struct iovec v[2] = {{"one ", 4}, {"two", 3}};
	TRY(writev(c, v, 2));
	char x[3], y[9];
	struct iovec w[2] = {{x, 3}, {y, 9}};
	struct msghdr m = {.msg_iov = w, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = sizeof from};
	TRY(recvmsg(s, &m, 0));
	SAY("name length %d flags %x %.3s%.4s\n", m.msg_namelen, m.msg_flags, x, y);
	TRY(sendto(s, "with address", 12, 0, A(zero)));
	TRY(read(c, b, 64));
	TRY(set(c, SOL_SOCKET, SO_RCVBUF, 4096));
	struct timeval tv = {0, 20000};
	TRY(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	TRY(recv(c, b, 64, 0));
	TRY(recv(c, b, 64, MSG_DONTWAIT));
	close(c), close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	TRY(connect(c, A(zero)));
	show("to 0.0.0.0", c, 1);
	close(c);
	close(accept(l, 0, 0));
}

static void refused(void) {
	SAY("-- refused\n");
	struct sockaddr_in a = in4("127.0.0.1", 1), un = {.sin_family = AF_UNSPEC}, lp = in4("127.0.0.1", lport);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	TRY(connect(c, A(a)));
	show("refused", c, 1);
	TRY(connect(c, (struct sockaddr *)&a, 4));
	TRY(connect(c, A(lp))); // the same socket tries again
	close(c);
	close(accept(l, 0, 0));
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	TRY(connect(c, A(a)));
	SAY("refused later: %s\n", strstr(ev(c), "out") ? "out" : "not");
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	TRY(connect(c, A(un)));
	TRY(connect(c, A(lp)));
	struct pollfd p = {c, POLLOUT, 0};
	TRY(poll(&p, 1, 1000));
	SAY("events %x\n", p.revents);
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	TRY(connect(c, A(lp)));
	TRY(connect(c, A(lp)));
	close(c);
	close(accept(l, 0, 0));
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int e = epoll_create1(0);
	struct epoll_event x = {.events = EPOLLOUT | EPOLLET}, y;
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, c, &x));
	epoll_wait(e, &y, 1, 0);
	TRY(connect(c, A(lp)));
	TRY(epoll_wait(e, &y, 1, 1000));
	SAY("events %x\n", y.events);
	close(c), close(e);
	close(accept(l, 0, 0));
}

static void options(void) {
	SAY("-- options\n");
	int s = socket(AF_INET, SOCK_STREAM, 0);
	SAY("type %d domain %d protocol %d accepts %d/%d\n", opt(s, SOL_SOCKET, SO_TYPE), opt(s, SOL_SOCKET, SO_DOMAIN), opt(s, SOL_SOCKET, SO_PROTOCOL),
	    opt(s, SOL_SOCKET, SO_ACCEPTCONN), opt(l, SOL_SOCKET, SO_ACCEPTCONN));
	struct { int level, name; } o[] = {{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_OOBINLINE},
		{SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_PRIORITY}, {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK},
		{IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_SYNCNT}, {IPPROTO_TCP, TCP_LINGER2},
		{IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_QUICKACK}, {IPPROTO_IP, IP_TOS}, {IPPROTO_IP, IP_TTL}, {IPPROTO_IP, IP_MTU_DISCOVER},
		{IPPROTO_IPV6, IPV6_V6ONLY}, {SOL_SOCKET, 9999}, {IPPROTO_TCP, 9999}};
	for (unsigned i = 0; i < sizeof o / sizeof *o; i++) {
		int was = opt(s, o[i].level, o[i].name);
		int r = set(s, o[i].level, o[i].name, 5), e = r ? errno : 0;
		SAY("option %d %d: %d, set 5: %s, %d, ", o[i].level, o[i].name, was, r ? strerrorname_np(e) : "ok", opt(s, o[i].level, o[i].name));
		if (o[i].level == SOL_SOCKET && o[i].name == SO_PRIORITY) { // the rest needs CAP_NET_ADMIN
			SAY("\n");
			continue;
		}
		r = set(s, o[i].level, o[i].name, -7), e = r ? errno : 0;
		SAY("set -7: %s, %d\n", r ? strerrorname_np(e) : "ok", opt(s, o[i].level, o[i].name));
	}
	TRY(set(s, SOL_SOCKET, SO_SNDBUF, 10000));
	TRY(opt(s, SOL_SOCKET, SO_SNDBUF));
	TRY(set(s, SOL_SOCKET, SO_RCVBUF, 1));
	TRY(opt(s, SOL_SOCKET, SO_RCVBUF));
	struct linger g = {1, 3};
	TRY(setsockopt(s, SOL_SOCKET, SO_LINGER, &g, sizeof g));
	memset(&g, 0, sizeof g);
	socklen_t n = sizeof g;
	TRY(getsockopt(s, SOL_SOCKET, SO_LINGER, &g, &n));
	SAY("linger %d %d\n", g.l_onoff, g.l_linger);
	struct tcp_info i;
	n = 4;
	memset(&i, 0xff, sizeof i);
	TRY(getsockopt(l, IPPROTO_TCP, TCP_INFO, &i, &n));
	SAY("TCP_INFO state %d len %d\n", i.tcpi_state, n);
	char a[16];
	n = sizeof a;
	TRY(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, a, &n));
	TRY(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "none", 4));
	TRY(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, a, 2));
	TRY(opt(1000, SOL_SOCKET, SO_TYPE));
	close(s);
}

// A server in a child; the queue keeps the order of the connections.
static void order(void) {
	SAY("-- order\n");
	int out[2];
	pipe(out);
	pid_t pid = fork();
	if (!pid) {
		for (int i = 0; i < 8; i++) {
			int s = accept(l, 0, 0);
			char b[100];
			int n, all = 0;
			while ((n = read(s, b, 7)) > 0) all += n;
			dprintf(out[1], "served %c %d\n", b[0], all);
			write(s, b, 1);
			close(s);
		}
		_exit(0);
	}
	int c[8];
	for (int i = 0; i < 8; i++) {
		struct sockaddr_in a = in4("127.0.0.1", lport);
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		connect(c[i], A(a));
	}
	for (int i = 7; i >= 0; i--) {
		char b[32];
		memset(b, 'a' + i, sizeof b);
		write(c[i], b, sizeof b);
		shutdown(c[i], SHUT_WR);
	}
	for (int i = 0; i < 8; i++) {
		char b = 0;
		int n = read(c[i], &b, 1);
		if (n != 1 || b != 'a' + i) SAY("client %d got %d %c\n", i, n, b);
		close(c[i]);
	}
	waitpid(pid, 0, 0);
	close(out[1]);
	char all[1000];
	int n = read(out[0], all, sizeof all);
	write(1, all, n);
	close(out[0]);
}

// More than any buffer holds, through a blocking socket.
static void bulk(void) {
	SAY("-- bulk\n");
	int c, s;
	pair(&c, &s);
	pid_t pid = fork();
	static char b[1 << 20];
	if (!pid) {
		close(c);
		long sum = 0, n;
		while ((n = recv(s, b, sizeof b, 0)) > 0)
			for (int i = 0; i < n; i++) sum += (unsigned char)b[i];
		SAY("sum %ld\n", sum);
		_exit(0);
	}
	close(s);
	for (unsigned i = 0; i < sizeof b; i++) b[i] = i * 7;
	for (int i = 0; i < 12; i++) TRY(write(c, b, sizeof b));
	close(c);
	waitpid(pid, 0, 0);
}

// later runs f(fd) in a child that has only fd of the two ends, after a pause.
static void later(int fd, int other, void (*f)(int)) {
	if (fork()) return;
	close(other);
	usleep(20000);
	f(fd);
	_exit(0);
}
static void say3(int fd) { send(fd, "abc", 3, 0); usleep(20000); send(fd, "defg", 4, 0); }
static void closes(int fd) { close(fd); }

// What poll and select say of ends of which the other has gone, and recvmsg that waits
// for all with room for control data.
static void ends(void) {
	int c, s, d;
	pair(&c, &s);
	char b[8], ctl[64];
	struct iovec v = {b, 7};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
	later(s, c, say3);
	SAY("all %ld control %zu\n", recvmsg(c, &m, MSG_WAITALL), m.msg_controllen);
	wait(0);
	close(s);
	struct pollfd p[3] = {{c, 0}, {c, POLLPRI}, {c, POLLRDHUP}};
	TRY(poll(p, 2, 0));
	TRY(poll(p, 2, 30));
	SAY("%x %x\n", p[0].revents, p[1].revents);
	TRY(poll(p, 3, -1));
	SAY("%x %x %x\n", p[0].revents, p[1].revents, p[2].revents);
	fd_set e;
	FD_ZERO(&e);
	FD_SET(c, &e);
	struct timeval tv = {0, 30000};
	TRY(select(c + 1, 0, 0, &e, &tv));
	FD_SET(c, &e);
	TRY(select(c + 1, &e, 0, 0, 0));
	SAY("closed by the peer: %s\n", ev(c));
	d = dup(c);
	if (!fork()) {
		usleep(20000);
		shutdown(d, SHUT_WR);
		_exit(0);
	}
	TRY(poll(p, 2, -1));
	SAY("%x %x; %s\n", p[0].revents, p[1].revents, ev(c));
	wait(0);
	close(c);
	close(d);
	pair(&c, &s);
	later(s, c, closes);
	close(s);
	p[0] = (struct pollfd){c, POLLIN};
	TRY(poll(p, 1, -1));
	SAY("%x\n", p[0].revents);
	wait(0);
	close(c);
}

int main(void) {
	signal(SIGPIPE, onpipe);

	names();
	six();
	flow();
	ends();
	refused();
	options();
	order();
	bulk();
	return 0;
}
