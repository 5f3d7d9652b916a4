// What is wrong with a call on an internet socket: which error comes first, what has been
// done by then, and what shutdown(2) before connect(2) leaves. Linux is the oracle.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int pipes;
static void on_pipe(int s) { (void)s; pipes++; }

static void tell(const char *what, long r)
{
	printf(" %s %ld%s%s", what, r, r < 0 ? " " : "", r < 0 ? strerrorname_np(errno) : "");
	if (pipes)
		printf(" SIGPIPE");
	pipes = 0;
}

static int bound(int type, struct sockaddr_in *a)
{
	socklen_t n = sizeof *a;
	int fd = socket(AF_INET, type, 0);
	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bind(fd, (void *)a, n);
	getsockname(fd, (void *)a, &n);
	return fd;
}

static void *const bad = (void *)8;
static char buf[64];
static struct sockaddr_in from;

// Every way to send on fd that something is wrong with.
static void sends(const char *what, int fd)
{
	printf("%s:", what);
	tell("address", sendto(fd, "x", 1, 0, bad, sizeof from));
	tell("long", sendto(fd, "x", 1, 0, (void *)&from, 129));
	tell("negative", sendto(fd, "x", 1, 0, (void *)&from, -1));
	tell("no address", sendto(fd, "x", 1, 0, 0, 129));
	tell("short", sendto(fd, "x", 0, 0, (void *)&from, 1));
	tell("buffer", sendto(fd, bad, 1, 0, 0, 0));
	tell("header", sendmsg(fd, bad, 0));
	struct iovec v = {"x", 0}, wrong = {bad, 1}, huge = {"x", -1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	m.msg_iovlen = 1025;
	tell("vectors", sendmsg(fd, &m, 0));
	m.msg_name = bad, m.msg_namelen = 16;
	tell("vectors, name", sendmsg(fd, &m, 0));
	m.msg_namelen = -1;
	tell("vectors, length", sendmsg(fd, &m, 0));
	m.msg_iovlen = 1;
	m.msg_iov = bad;
	tell("length, vector", sendmsg(fd, &m, 0));
	m.msg_namelen = 16;
	tell("name, vector", sendmsg(fd, &m, 0));
	m.msg_name = 0;
	tell("vector", sendmsg(fd, &m, 0));
	m.msg_iov = &huge;
	tell("huge", sendmsg(fd, &m, 0));
	m.msg_iov = &wrong;
	tell("base", sendmsg(fd, &m, 0));
	m.msg_iov = &v;
	m.msg_name = 0, m.msg_namelen = -1;
	tell("no name", sendmsg(fd, &m, 0));
	m.msg_name = &from, m.msg_namelen = 200;
	tell("longer", sendmsg(fd, &m, MSG_DONTWAIT));
	printf("\n");
}

// Control messages that are of other sockets, or none.
static void controls(const char *what, int fd, int peer)
{
	static const int kinds[][2] = {{SOL_SOCKET, SCM_RIGHTS}, {SOL_SOCKET, SCM_CREDENTIALS}, {SOL_SOCKET, 99}, {SOL_IP, 99 }, {IPPROTO_TCP, 1}};
	union { struct cmsghdr h; char b[64]; } u, got;
	struct iovec v = {"c", 1}, w = {buf, sizeof buf};
	printf("%s:", what);
	for (int i = 0; i < 8; i++) {
		struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(sizeof(int))};
		memset(&u, 0, sizeof u);
		u.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), kinds[i % 5][0], kinds[i % 5][1]};
		if (i == 5)
			u.h.cmsg_len = 15;
		if (i == 6)
			u.h.cmsg_len = 1000;
		if (i == 7)
			m.msg_control = bad;
		if (i != 3 || what[0] == 't')
			tell("send", sendmsg(fd, &m, 0));
		m = (struct msghdr){.msg_iov = &w, .msg_iovlen = 1, .msg_control = &got, .msg_controllen = sizeof got};
		tell("get", recvmsg(peer, &m, MSG_DONTWAIT));
		printf(" %d,", (int)m.msg_controllen);
	}
	printf("\n");
}

// And to receive.
static void receives(const char *what, int fd)
{
	printf("%s:", what);
	socklen_t n = sizeof from;
	tell("header", recvmsg(fd, bad, MSG_DONTWAIT));
	struct iovec v = {buf, sizeof buf}, wrong = {bad, 8};
	struct msghdr m = {.msg_iov = bad, .msg_iovlen = 1};
	tell("vector", recvmsg(fd, &m, MSG_DONTWAIT));
	m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1025};
	tell("vectors", recvmsg(fd, &m, MSG_DONTWAIT));
	m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = -1};
	tell("length", recvmsg(fd, &m, MSG_DONTWAIT));
	tell("then", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
	printf(" %c", buf[0]);
	m.msg_namelen = 16, m.msg_name = bad;
	tell("name", recvmsg(fd, &m, MSG_DONTWAIT));
	m = (struct msghdr){.msg_iov = &wrong, .msg_iovlen = 1};
	tell("base", recvmsg(fd, &m, MSG_DONTWAIT));
	tell("then", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
	printf(" %c", buf[0]);
	tell("buffer", recvfrom(fd, bad, 8, MSG_DONTWAIT, 0, 0));
	tell("address", recvfrom(fd, buf, 8, MSG_DONTWAIT, bad, &n));
	tell("length at", recvfrom(fd, buf, 8, MSG_DONTWAIT, (void *)&from, bad));
	n = -1;
	tell("negative", recvfrom(fd, buf, 8, MSG_DONTWAIT, (void *)&from, &n));
	printf(" %d", (int)n);
	tell("then", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
	printf(" %c", buf[0]);
	tell("peeked", recvfrom(fd, buf, 8, MSG_DONTWAIT | MSG_PEEK, (void *)&from, bad));
	tell("then", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
	printf(" %c\n", buf[0]);
}

static void state(const char *what, int fd)
{
	printf("%s:", what);
	struct pollfd p = {fd, 0x7ff & ~POLLNVAL, 0};
	poll(&p, 1, 0);
	printf(" %x", p.revents);
	socklen_t n = sizeof from;
	tell("peer", getpeername(fd, (void *)&from, &n));
	tell("name", getsockname(fd, (void *)&from, &n));
	tell("read", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
	tell("write", send(fd, "x", 1, 0));
	tell("shutdown", shutdown(fd, SHUT_WR));
	tell("peer", getpeername(fd, (void *)&from, &n));
	printf("\n");
}

int main(void)
{
	signal(SIGPIPE, on_pipe);
	struct sockaddr_in a, b;
	int l = bound(SOCK_STREAM, &a), fd = socket(AF_INET, SOCK_STREAM, 0);
	listen(l, 8);
	sends("not connected", fd);
	receives("not connected", fd);
	sends("listening", l);
	receives("listening", l);
	connect(fd, (void *)&a, sizeof a);
	int peer = accept(l, 0, 0);
	sends("connected", fd);
	while (recv(peer, buf, sizeof buf, MSG_DONTWAIT) > 0)
		;
	controls("tcp", fd, peer);
	for (int i = 0; i < 3; i++) // bytes to receive, none of which a wrong call takes
		send(peer, "abcdefghijklmnopqrstuvwxyz", 26, 0);
	receives("bytes", fd);
	shutdown(fd, SHUT_WR);
	sends("shut", fd);
	close(peer);
	close(fd);

	int to = bound(SOCK_DGRAM, &b), u = bound(SOCK_DGRAM, &a);
	sends("datagrams", u);
	connect(u, (void *)&b, sizeof b);
	sends("datagrams, connected", u);
	while (recv(to, buf, sizeof buf, MSG_DONTWAIT) >= 0)
		;
	controls("udp", u, to);
	receives("no datagram", to);
	for (char c = 'a'; c <= 'z'; c++)
		send(u, &c, 1, 0);
	receives("datagrams", to);
	struct mmsghdr many[3] = {0};
	struct iovec v = {buf, sizeof buf}, wrong = {bad, 8};
	for (int i = 0; i < 3; i++)
		many[i].msg_hdr = (struct msghdr){.msg_iov = i == 1 ? &wrong : &v, .msg_iovlen = 1};
	tell("many", recvmmsg(to, many, 3, MSG_DONTWAIT, 0));
	tell("then", recv(to, buf, sizeof buf, MSG_DONTWAIT));
	tell("then", recv(to, buf, sizeof buf, MSG_DONTWAIT));
	printf(" %c\n", buf[0]);
	close(u);
	close(to);

	for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
		l = bound(SOCK_STREAM, &a);
		listen(l, 8);
		for (int last = 0; last < 3; last++) {
			fd = socket(AF_INET, SOCK_STREAM, 0);
			printf("shutdown %d", how);
			tell("before", shutdown(fd, how));
			tell("connect", connect(fd, (void *)&a, sizeof a));
			peer = accept(l, 0, 0);
			if (last == 1)
				send(peer, "y", 1, 0);
			if (last == 2)
				shutdown(peer, SHUT_WR);
			state(", connected", fd);
			close(peer);
			state("and closed", fd);
			close(fd);
		}
		close(l);
	}
	return 0;
}
