// UDP on the loopback, and what route netlink and netdevice(7) say of it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
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

#define SAY(...) do { printf(__VA_ARGS__); fflush(stdout); } while (0)
#define TRY(x) do { errno = 0; long r_ = (x); SAY("%-60s %ld %s\n", #x, r_, r_ < 0 ? strerrorname_np(errno) : ""); } while (0)
#define A(a) (struct sockaddr *)&(a), sizeof(a)

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
static int port(int fd) {
	struct sockaddr_storage s;
	socklen_t n = sizeof s;
	if (getsockname(fd, (struct sockaddr *)&s, &n)) return -1;
	return ntohs(((struct sockaddr_in *)&s)->sin_port);
}
static void say(const char *what, struct sockaddr_storage *s, int n) {
	char b[64] = "?";
	int p = ntohs(((struct sockaddr_in *)s)->sin_port);
	if (s->ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)s)->sin_addr, b, sizeof b);
	if (s->ss_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)s)->sin6_addr, b, sizeof b);
	SAY("%s: family %d len %d %s port %s\n", what, s->ss_family, n, b, p >= 32768 ? "ephemeral" : p ? "fixed" : "0");
}
static void show(const char *what, int fd, int peer) {
	struct sockaddr_storage s;
	socklen_t n = sizeof s;
	if (peer ? getpeername(fd, (struct sockaddr *)&s, &n) : getsockname(fd, (struct sockaddr *)&s, &n)) {
		SAY("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	say(what, &s, n);
}
static int from(int fd, char *b, int len, int flags) {
	struct sockaddr_storage s;
	socklen_t n = sizeof s;
	int r = recvfrom(fd, b, len, flags, (struct sockaddr *)&s, &n);
	if (r < 0) SAY("recvfrom: %s\n", strerrorname_np(errno));
	else {
		SAY("%d bytes '%.*s' ", r, r < len ? r : len, b);
		say("from", &s, n);
	}
	return r;
}
static int in(int fd) {
	struct pollfd p = {fd, POLLIN, 0};
	poll(&p, 1, 0);
	return p.revents;
}
static int opt(int fd, int level, int name) {
	int v = -1;
	socklen_t n = sizeof v;
	if (getsockopt(fd, level, name, &v, &n)) return -errno;
	return v;
}
static int set(int fd, int level, int name, int v) { return setsockopt(fd, level, name, &v, sizeof v); }

static void basics(void) {
	SAY("-- basics\n");
	char b[70000];
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), k;
	struct sockaddr_in any = in4("0.0.0.0", 0), lo = in4("127.0.0.1", 0), none = {.sin_family = AF_UNSPEC};
	show("unbound", s, 0), show("unbound", s, 1);
	TRY(send(s, "x", 1, 0));
	TRY(bind(s, A(any)));
	show("bound", s, 0);
	lo.sin_port = any.sin_port = htons(port(s));
	TRY(sendto(c, "one", 3, 0, A(lo)));
	show("sender", c, 0);
	SAY("poll %x\n", in(s));
	TRY(ioctl(s, FIONREAD, &k));
	SAY("FIONREAD %d\n", k);
	from(s, b, 2, MSG_PEEK);
	from(s, b, 2, MSG_PEEK | MSG_TRUNC);
	from(s, b, 64, 0);
	SAY("poll %x\n", in(s));
	from(s, b, 64, MSG_DONTWAIT);
	TRY(sendto(c, "", 0, 0, A(lo)));
	TRY(sendto(c, "longer", 6, 0, A(any)));
	SAY("poll %x\n", in(s));
	from(s, b, 64, 0);
	struct iovec v[2] = {{b, 2}, {b + 2, 2}};
	struct sockaddr_storage n;
	struct msghdr m = {.msg_name = &n, .msg_namelen = sizeof n, .msg_iov = v, .msg_iovlen = 2};
	TRY(recvmsg(s, &m, 0));
	SAY("flags %x name %d controls %ld %.4s\n", m.msg_flags, m.msg_namelen, (long)m.msg_controllen, b);
	TRY(connect(c, A(lo)));
	show("connected", c, 0), show("connected", c, 1);
	TRY(write(c, "written", 7));
	TRY(read(s, b, 64));
	TRY(sendto(c, "both", 4, 0, A(lo)));
	from(s, b, 64, 0);
	struct sockaddr_in cl = in4("127.0.0.1", port(c));
	int x = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(sendto(x, "stranger", 8, 0, A(cl)));
	TRY(recv(c, b, 64, MSG_DONTWAIT));
	TRY(sendto(s, "answer", 6, 0, A(cl)));
	TRY(recv(c, b, 64, 0));
	TRY(connect(c, A(none)));
	show("disconnected", c, 1);
	TRY(send(c, "x", 1, 0));
	TRY(sendto(c, b, 65507, 0, A(lo)));
	TRY(recv(s, b, sizeof b, 0));
	TRY(sendto(c, b, 65508, 0, A(lo)));
	struct sockaddr_in zero = in4("127.0.0.1", 0);
	TRY(sendto(c, b, 1, 0, A(zero)));
	TRY(listen(s, 1));
	TRY(accept(s, 0, 0));
	TRY(shutdown(x, SHUT_RD));
	TRY(bind(x, A(any)));
	close(x);
	x = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(bind(x, A(any)));
	TRY(set(x, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(bind(x, A(any)));
	TRY(set(s, SOL_SOCKET, SO_REUSEADDR, 1));
	TRY(bind(x, A(any)));
	close(x), close(c), close(s);
}

static void closed(void) {
	SAY("-- closed ports\n");
	char b[64];
	struct sockaddr_in no = in4("127.0.0.1", 9), lo = in4("127.0.0.1", 0);
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(sendto(c, "x", 1, 0, A(no)));
	TRY(recv(c, b, 1, MSG_DONTWAIT));
	TRY(connect(c, A(no)));
	TRY(send(c, "x", 1, 0));
	TRY(recv(c, b, 1, 0));
	TRY(recv(c, b, 1, MSG_DONTWAIT));
	TRY(send(c, "x", 1, 0));
	TRY(send(c, "y", 1, 0));
	TRY(send(c, "z", 1, 0));
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	TRY(opt(c, SOL_SOCKET, SO_ERROR));
	close(c);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(bind(s, A(lo)));
	lo.sin_port = htons(port(s));
	c = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(connect(c, A(lo)));
	close(s);
	TRY(send(c, "x", 1, 0));
	TRY(recv(c, b, 1, 0));
	close(c);
}

static void six(void) {
	SAY("-- IPv6\n");
	char b[64];
	struct sockaddr_in6 any = in6("::", 0), lo = in6("::1", 0), map = in6("::ffff:127.0.0.1", 0);
	struct sockaddr_in lo4 = in4("127.0.0.1", 0);
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), c4 = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	TRY(set(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
	TRY(bind(s, A(any)));
	lo.sin6_port = map.sin6_port = lo4.sin_port = htons(port(s));
	TRY(sendto(c, "six", 3, 0, A(lo)));
	TRY(sendto(c, "mapped", 6, 0, A(map)));
	TRY(sendto(c4, "four", 4, 0, A(lo4)));
	char ctl[256];
	struct iovec v = {b, sizeof b};
	struct sockaddr_storage n;
	struct msghdr m = {.msg_name = &n, .msg_namelen = sizeof n, .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
	TRY(recvmsg(s, &m, 0));
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		SAY("control %d %d len %ld", h->cmsg_level, h->cmsg_type, (long)h->cmsg_len);
		if (h->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *p = (void *)CMSG_DATA(h);
			SAY(" interface %d to %s", p->ipi6_ifindex, inet_ntop(AF_INET6, &p->ipi6_addr, b, sizeof b));
		}
		SAY("\n");
	}
	from(s, b, 64, 0);
	from(s, b, 64, 0);
	close(s), close(c), close(c4);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(set(s, IPPROTO_IP, IP_PKTINFO, 1));
	TRY(set(s, IPPROTO_IP, IP_RECVTTL, 1));
	TRY(set(s, IPPROTO_IP, IP_RECVTOS, 1));
	struct sockaddr_in any4 = in4("0.0.0.0", 0), two = in4("127.0.0.2", 0);
	TRY(bind(s, A(any4)));
	two.sin_port = htons(port(s));
	c = socket(AF_INET, SOCK_DGRAM, 0);
	TRY(set(c, IPPROTO_IP, IP_TOS, 0x10));
	TRY(sendto(c, "info", 4, 0, A(two)));
	m.msg_namelen = sizeof n, m.msg_controllen = sizeof ctl;
	TRY(recvmsg(s, &m, 0));
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		SAY("control %d %d len %ld", h->cmsg_level, h->cmsg_type, (long)h->cmsg_len);
		if (h->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *p = (void *)CMSG_DATA(h);
			SAY(" interface %d to %s", p->ipi_ifindex, inet_ntoa(p->ipi_addr));
			SAY(" at %s", inet_ntoa(p->ipi_spec_dst));
		} else if (h->cmsg_type == IP_TTL)
			SAY(" ttl %d", *(int *)CMSG_DATA(h));
		else
			SAY(" tos %d", *CMSG_DATA(h));
		SAY("\n");
	}
	close(s), close(c);
}

static void many(void) {
	SAY("-- many\n");
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), n;
	struct sockaddr_in lo = in4("127.0.0.1", 0);
	bind(s, A(lo));
	lo.sin_port = htons(port(s));
	connect(c, A(lo));
	int e = epoll_create1(0);
	struct epoll_event x = {.events = EPOLLIN | EPOLLET}, y;
	epoll_ctl(e, EPOLL_CTL_ADD, s, &x);
	TRY(epoll_wait(e, &y, 1, 0));
	for (int i = 0; i < 100; i++) {
		char b[16];
		n = sprintf(b, "packet %d", i);
		if (write(c, b, n) != n) SAY("write %d: %s\n", i, strerrorname_np(errno));
	}
	TRY(epoll_wait(e, &y, 1, 0));
	TRY(epoll_wait(e, &y, 1, 0));
	struct mmsghdr m[40];
	struct iovec v[40];
	char b[40][16];
	memset(m, 0, sizeof m);
	for (int i = 0; i < 40; i++) {
		v[i].iov_base = b[i], v[i].iov_len = 16;
		m[i].msg_hdr.msg_iov = &v[i], m[i].msg_hdr.msg_iovlen = 1;
	}
	TRY(recvmmsg(s, m, 40, 0, 0));
	SAY("%.*s, %.*s\n", m[0].msg_len, b[0], m[39].msg_len, b[39]);
	TRY(write(c, "more", 4));
	TRY(epoll_wait(e, &y, 1, 0));
	TRY(recvmmsg(s, m, 40, MSG_WAITFORONE, 0));
	TRY(recvmmsg(s, m, 40, MSG_WAITFORONE, 0));
	SAY("%.*s\n", m[20].msg_len, b[20]);
	TRY(recvmmsg(s, m, 40, MSG_DONTWAIT, 0));
	for (int i = 0; i < 5; i++) v[i].iov_len = 4;
	TRY(sendmmsg(c, m, 5, 0));
	struct timeval tv = {0, 20000};
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	TRY(recvmmsg(s, m, 40, 0, 0));
	TRY(recv(s, b[0], 16, 0));
	pid_t p = fork();
	if (!p) {
		for (int i = 0; i < 3; i++) usleep(10000), send(c, "late", 4, 0);
		_exit(0);
	}
	tv.tv_usec = 0;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	TRY(recvmmsg(s, m, 3, 0, 0));
	waitpid(p, 0, 0);
	close(c), close(s), close(e);
}

// Calls with vectors, and with an offset that says there is none.
static void vectors(void) {
	SAY("-- vectors\n");
	char b[8] = "abcd";
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in lo = in4("127.0.0.1", 0);
	struct iovec v[2] = {{b, 2}, {b + 2, 2}}, none[1] = {{b, 0}};
	bind(s, A(lo));
	lo.sin_port = htons(port(s));
	TRY(pwritev2(c, v, 2, -1, 0));
	connect(c, A(lo));
	TRY(pwritev2(c, v, 2, -1, 0));
	TRY(pwritev2(c, v, 2, 0, 0));
	TRY(pwritev2(c, none, 1, -1, 0));
	TRY(writev(c, none, 1));
	TRY(preadv2(s, v, 2, 0, 0));
	TRY(preadv2(s, none, 1, -1, 0));
	TRY(readv(s, none, 1));
	TRY(read(s, b, 0));
	memset(b, 0, sizeof b);
	TRY(preadv2(s, v, 2, -1, RWF_NOWAIT));
	SAY("%s\n", b);
	TRY(preadv2(s, v, 2, -1, RWF_NOWAIT));
	close(s), close(c);
}

static void onalrm(int s) {}
static void signals(void) {
	SAY("-- signals\n");
	char b[8];
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in lo = in4("127.0.0.1", 0);
	bind(s, A(lo));
	struct sigaction sa = {.sa_handler = onalrm};
	sigaction(SIGALRM, &sa, 0);
	ualarm(20000, 0);
	TRY(recv(s, b, 1, 0));
	close(s);
}

static void interfaces(void) {
	SAY("-- interfaces\n");
	struct ifreq r;
	struct ifconf c = {0};
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	memset(&r, 0, sizeof r);
	strcpy(r.ifr_name, "lo");
	TRY(ioctl(s, SIOCGIFINDEX, &r));
	SAY("index %d\n", r.ifr_ifindex);
	TRY(ioctl(s, SIOCGIFFLAGS, &r));
	SAY("flags %x\n", r.ifr_flags & (IFF_UP | IFF_LOOPBACK));
	TRY(ioctl(s, SIOCGIFADDR, &r));
	SAY("address %s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
	TRY(ioctl(s, SIOCGIFNETMASK, &r));
	SAY("mask %s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
	TRY(ioctl(s, SIOCGIFMTU, &r));
	SAY("mtu %d\n", r.ifr_mtu);
	TRY(ioctl(s, SIOCGIFHWADDR, &r));
	SAY("type %d\n", r.ifr_hwaddr.sa_family);
	strcpy(r.ifr_name, "nosuch");
	TRY(ioctl(s, SIOCGIFFLAGS, &r));
	memset(&r, 0, sizeof r);
	r.ifr_ifindex = 1;
	TRY(ioctl(s, SIOCGIFNAME, &r));
	SAY("name %s, index %d\n", r.ifr_name, if_nametoindex("lo"));
	c.ifc_len = sizeof r, c.ifc_req = &r;
	TRY(ioctl(s, SIOCGIFCONF, &c));
	SAY("length %d %s\n", c.ifc_len, r.ifr_name);
	close(s);
	struct ifaddrs *l, *i;
	TRY(getifaddrs(&l));
	for (i = l; i; i = i->ifa_next) {
		char b[64] = "";
		if (strcmp(i->ifa_name, "lo") || !i->ifa_addr) continue;
		if (i->ifa_addr->sa_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, b, sizeof b);
		if (i->ifa_addr->sa_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, b, sizeof b);
		SAY("%s family %d %s\n", i->ifa_name, i->ifa_addr->sa_family, b);
	}
	struct addrinfo *ai, hint = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	TRY(getaddrinfo("localhost", "80", &hint, &ai));
	SAY("localhost family %d\n", ai->ai_family); // how often depends on /etc/hosts
	s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl n = {.nl_family = AF_NETLINK}, f;
	TRY(bind(s, A(n)));
	socklen_t len = sizeof n;
	TRY(getsockname(s, (struct sockaddr *)&n, &len));
	SAY("netlink name %d len %d port is pid %d\n", n.nl_family, len, n.nl_pid == getpid());
	struct { struct nlmsghdr h; struct ifinfomsg m; } q = {{sizeof q, RTM_GETLINK, NLM_F_REQUEST, 7, 0}, {.ifi_index = 99999}};
	TRY(send(s, &q, sizeof q, 0));
	char b[8192];
	len = sizeof f;
	TRY(recvfrom(s, b, sizeof b, 0, (struct sockaddr *)&f, &len) > 0);
	struct nlmsghdr *h = (void *)b;
	SAY("from %d len %d: type %d seq %d error %d\n", f.nl_pid, len, h->nlmsg_type, h->nlmsg_seq, ((struct nlmsgerr *)NLMSG_DATA(h))->error);
	TRY(recv(s, b, sizeof b, MSG_DONTWAIT));
	close(s);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	basics();
	closed();
	six();
	many();
	vectors();
	signals();
	interfaces();
	return 0;
}
