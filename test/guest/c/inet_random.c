// Random calls on internet sockets, one line each: what Linux says is the
// oracle. Nothing blocks, and no line holds a port that the kernel chose.
//
// Left out, because only the kernel's sockets can do it: connecting a TCP
// socket to itself, or once more after it had a peer; and what becomes of an
// IPv6 socket that connects to another kind of address than before.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { N = 8, STEPS = 200 };

struct sock { int fd, family, type, had_peer; };

static unsigned long state;
static int pipes;

static unsigned rnd(unsigned n)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (state >> 33) % n;
}

static void on_pipe(int s) { pipes++; }

static socklen_t address(int family, struct sockaddr_storage *s)
{
	int port = 20001 + rnd(3), any = rnd(4) == 0;
	memset(s, 0, sizeof *s);
	s->ss_family = family;
	if (family == AF_INET) {
		struct sockaddr_in *a = (void *)s;
		a->sin_port = htons(port);
		a->sin_addr.s_addr = any ? 0 : htonl(INADDR_LOOPBACK + (rnd(6) == 0));
		return sizeof *a;
	}
	struct sockaddr_in6 *a = (void *)s;
	a->sin6_port = htons(port);
	if (!any)
		inet_pton(AF_INET6, rnd(3) ? "::1" : "::ffff:127.0.0.1", &a->sin6_addr);
	return sizeof *a;
}

static void show(const char *what, struct sockaddr_storage *s, socklen_t n)
{
	char b[64] = "?";
	int port = ntohs(((struct sockaddr_in *)s)->sin_port);
	if (s->ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)s)->sin_addr, b, sizeof b);
	else if (s->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)s)->sin6_addr, b, sizeof b);
	printf(" %s %d/%d/%s/", what, s->ss_family, n, b);
	if (port >= 32768)
		printf("ephemeral");
	else
		printf("%d", port);
}

static int bound(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t n = sizeof a;
	getsockname(fd, (struct sockaddr *)&a, &n);
	return a.sin_port != 0 && ntohs(a.sin_port) < 32768;
}

static int has_peer(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	return getpeername(fd, (struct sockaddr *)&a, &n) == 0;
}

// step makes one call on s and returns what it returned.
static long step(struct sock *s, struct sock *all)
{
	struct sockaddr_storage a = {0};
	struct sockaddr *p = (struct sockaddr *)&a;
	socklen_t n = sizeof a;
	char b[64];
	long r = 0;
	int on = 1, e = 0;
	memset(b, 'a' + (s - all), sizeof b);
	if (s->fd < 0) {
		s->family = rnd(3) ? AF_INET : AF_INET6;
		s->type = rnd(3) ? SOCK_STREAM : SOCK_DGRAM;
		s->had_peer = 0;
		s->fd = socket(s->family, s->type | SOCK_NONBLOCK, 0);
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (s->family == AF_INET6 && rnd(2))
			setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
		printf("socket %d %d", s->family, s->type);
		return s->fd < 0 ? -1 : 0;
	}
	switch (rnd(14)) {
	case 0:
		n = address(s->family, &a);
		r = bind(s->fd, p, n);
		printf("bind");
		show("to", &a, n);
		break;
	case 1:
		if (s->type == SOCK_STREAM || rnd(2)) {
			printf("listen");
			return listen(s->fd, 5);
		}
		// fall through
	case 11:
		r = close(s->fd);
		s->fd = -1;
		printf("close");
		break;
	case 2:
	case 3:
		n = address(s->family, &a);
		if (bound(s->fd) || s->had_peer) {
			printf("nothing");
			break;
		}
		r = connect(s->fd, p, n);
		e = errno;
		s->had_peer = s->family == AF_INET6 || has_peer(s->fd);
		errno = e;
		printf("connect");
		show("to", &a, n);
		break;
	case 4:
	case 5:
		r = accept4(s->fd, p, &n, SOCK_NONBLOCK);
		printf("accept");
		if (r < 0)
			break;
		show("peer", &a, n);
		for (struct sock *t = all; t < all + N; t++)
			if (t->fd < 0) {
				*t = (struct sock){r, s->family, s->type, 1};
				return 0;
			}
		close(r);
		return 0;
	case 6:
	case 7:
		r = send(s->fd, b, 1 + rnd(30), 0);
		printf("send");
		break;
	case 8:
	case 9:
		e = 1 + rnd(20);
		r = recvfrom(s->fd, b, e, rnd(4) ? 0 : MSG_PEEK, p, &n);
		printf("recv");
		if (r > 0 && s->type == SOCK_DGRAM)
			show("from", &a, n);
		if (r > 0)
			printf(" %c", b[0]);
		break;
	case 10:
		e = rnd(3);
		if (!has_peer(s->fd)) {
			printf("nothing");
			break;
		}
		r = shutdown(s->fd, e);
		printf("shutdown %d", e);
		break;
	case 12:
		e = rnd(2);
		r = e ? getsockname(s->fd, p, &n) : getpeername(s->fd, p, &n);
		printf("%s", e ? "name" : "peer");
		if (r == 0)
			show("is", &a, n);
		break;
	case 13:
		n = sizeof e;
		r = getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &n);
		printf("error %s", e ? strerrorname_np(e) : "0");
		break;
	}
	return r;
}

// alone leaves the network of the host, where the ports may be taken.
static void alone(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return;
	ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &r);
}

int main(int c, char **v)
{
	alone();
	signal(SIGPIPE, on_pipe);
	for (int seed = atoi(v[1]); seed <= atoi(v[2]); seed++) {
		struct sock all[N];
		state = seed * 7919 + 13;
		for (int i = 0; i < N; i++)
			all[i].fd = -1;
		for (int k = 0; k < STEPS; k++) {
			int i = rnd(N);
			pipes = 0;
			printf("%d/%d socket %d: ", seed, k, i);
			errno = 0;
			long r = step(&all[i], all);
			printf(" = %ld %s%s\n", r, r < 0 ? strerrorname_np(errno) : "", pipes ? " SIGPIPE" : "");
		}
		for (int i = 0; i < N; i++)
			if (all[i].fd >= 0)
				close(all[i].fd);
	}
	return 0;
}
