// Sockets section: internet sockets, what the kernel numbers by itself, and
// the interfaces.
#include "probe.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#define A(a) (struct sockaddr *)&(a), sizeof(a)

static struct sockaddr_in lo4(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static struct sockaddr_in6 lo6(int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	return a;
}

static int port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	MUST(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static int listener(int family)
{
	struct sockaddr_in a = lo4(0);
	struct sockaddr_in6 b = lo6(0);
	int l = socket(family, SOCK_STREAM, 0);
	MUST(l >= 0 && (family == AF_INET ? bind(l, A(a)) : bind(l, A(b))) == 0 && listen(l, 64) == 0);
	return l;
}

static int dial(int family, int port)
{
	struct sockaddr_in a = lo4(port);
	struct sockaddr_in6 b = lo6(port);
	int c = socket(family, SOCK_STREAM, 0);
	MUST(c >= 0 && (family == AF_INET ? connect(c, A(a)) : connect(c, A(b))) == 0);
	return c;
}

// Ephemeral ports: bind, listen, connect, the first datagram; all different.
PROBE(inet_ports)
{
	int seen[40], n = 0;
	for (int i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET;
		int l = listener(family);
		seen[n++] = port_of(l);
		for (int k = 0; k < 8; k++) {
			int c = dial(family, port_of(l));
			seen[n++] = port_of(c);
		}
		int s = socket(family, SOCK_STREAM, 0);
		MUST(listen(s, 1) == 0);
		seen[n++] = port_of(s);
	}
	for (int i = 0; i < n; i++) {
		printf("%d ", seen[i]);
		CHECK(seen[i] >= 1024, "%d", seen[i]);
		for (int k = 0; k < i; k++)
			CHECK(seen[i] != seen[k], "%d twice", seen[i]);
	}
	struct sockaddr_in none = lo4(9);
	int u = socket(AF_INET, SOCK_DGRAM, 0);
	sendto(u, "x", 1, 0, A(none));
	printf("udp %d\n", port_of(u));
}

// Clients race to a server: processes of one parent that start together.
PROBE(inet_race)
{
	int l = listener(AF_INET), start[2];
	MUST(pipe(start) == 0);
	for (int i = 0; i < 12; i++)
		if (fork() == 0) {
			char b;
			read(start[0], &b, 1);
			int c = dial(AF_INET, port_of(l));
			dprintf(c, "%d", i);
			_exit(0);
		}
	MUST(write(start[1], "123456789012", 12) == 12);
	int all = 0;
	for (int i = 0; i < 12; i++) {
		char b[8] = "";
		int s = accept(l, 0, 0);
		MUST(s >= 0 && read(s, b, 7) > 0);
		printf("%s ", b);
		all |= 1 << atoi(b);
		close(s);
	}
	printf("\n");
	CHECK(all == 0xfff, "%x", all);
	while (wait(0) > 0)
		;
}

static void *writer(void *arg)
{
	char b[5000];
	memset(b, 'x', sizeof b);
	for (int i = 0; i < 2000; i++)
		MUST(write(*(int *)arg, b, 1 + i * 37 % sizeof b) > 0);
	shutdown(*(int *)arg, SHUT_WR);
	return 0;
}

// How much one read gets while the other side goes on writing, and how much a
// connection holds.
PROBE(inet_sizes)
{
	int l = listener(AF_INET), c = dial(AF_INET, port_of(l)), s = accept(l, 0, 0);
	pthread_t t;
	char b[4096];
	long total = 0, want = 0;
	unsigned hash = 0;
	int n, reads = 0;
	pthread_create(&t, 0, writer, &c);
	while ((n = read(s, b, sizeof b)) > 0)
		total += n, hash = hash * 31 + n, reads++;
	pthread_join(t, 0);
	for (int i = 0; i < 2000; i++)
		want += 1 + i * 37 % 5000;
	printf("%d reads, %u\n", reads, hash);
	CHECK(total == want, "%ld, not %ld", total, want);
	c = dial(AF_INET, port_of(l)), s = accept(l, 0, 0);
	fcntl(c, F_SETFL, O_NONBLOCK);
	for (total = 0; (n = write(c, b, sizeof b)) > 0;)
		total += n;
	printf("full after %ld\n", total);
	CHECK(n < 0 && errno == EAGAIN && total >= 65536);
}

PROBE(inet_tcp_info)
{
	int l = listener(AF_INET), c = dial(AF_INET, port_of(l)), s = accept(l, 0, 0);
	struct tcp_info i;
	socklen_t n = sizeof i;
	char b[10000];
	MUST(write(c, b, sizeof b) == sizeof b && read(s, b, sizeof b) > 0);
	memset(&i, 0, sizeof i);
	MUST(getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &n) == 0);
	printf("%d bytes: state %d rtt %u var %u rto %u cwnd %u received %u last %u %u\n", n, i.tcpi_state, i.tcpi_rtt, i.tcpi_rttvar, i.tcpi_rto,
	       i.tcpi_snd_cwnd, i.tcpi_rcv_space, i.tcpi_last_data_sent, i.tcpi_last_ack_recv);
	CHECK(i.tcpi_state == TCP_ESTABLISHED);
	unsigned long all = 0; // one pair of figures may be the same by chance
	for (int k = 0; k < 30; k++) {
		MUST(write(c, b, 1) == 1 && read(s, b, 1) == 1 && write(s, b, 1) == 1 && read(c, b, 1) == 1);
		MUST(getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &n) == 0);
		all = all * 31 + i.tcpi_rtt * 1000 + i.tcpi_rttvar;
	}
	printf("round trips %lx\n", all);
}

PROBE(inet_cookies)
{
	int l = listener(AF_INET), c = dial(AF_INET, port_of(l)), p[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	int fds[] = {l, c, accept(l, 0, 0), p[0], p[1]};
	uint64_t last = 0;
	for (int i = 0; i < 5; i++) {
		uint64_t k[2] = {0}, again = 0;
		int cpu = -2;
		socklen_t n = 8;
		if (getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &k[0], &n) < 0)
			printf("SO_COOKIE %s ", strerror(errno));
		n = 8;
		getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &again, &n);
		CHECK(again == k[0] && k[0] != last, "%lu then %lu", k[0], again);
		last = k[0];
		if (getsockopt(fds[i], SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &k[1], &n) < 0)
			printf("SO_NETNS_COOKIE %s ", strerror(errno));
		n = 4;
		if (getsockopt(fds[i], SOL_SOCKET, SO_INCOMING_CPU, &cpu, &n) < 0)
			printf("SO_INCOMING_CPU %s ", strerror(errno));
		printf("%lu %lu %d\n", k[0], k[1], cpu);
	}
}

// Names that the kernel chooses: abstract unix names, ports of netlink.
PROBE(inet_autobind)
{
	struct sockaddr_un a;
	socklen_t n;
	char last[6] = "";
	for (int i = 0; i < 3; i++) {
		int s = socket(AF_UNIX, i ? SOCK_DGRAM : SOCK_STREAM, 0);
		a.sun_family = AF_UNIX;
		MUST(bind(s, (struct sockaddr *)&a, sizeof(sa_family_t)) == 0);
		n = sizeof a;
		memset(&a, 0, sizeof a);
		MUST(getsockname(s, (struct sockaddr *)&a, &n) == 0);
		CHECK(n == 2 + 6 && !a.sun_path[0], "%d", n);
		printf("@%.5s ", a.sun_path + 1);
		CHECK(strncmp(last, a.sun_path + 1, 5));
		memcpy(last, a.sun_path + 1, 5);
	}
	int r = socket(AF_UNIX, SOCK_DGRAM, 0), s = socket(AF_UNIX, SOCK_DGRAM, 0), on = 1;
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "sock"};
	char b[4];
	MUST(bind(r, A(to)) == 0 && setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
	MUST(sendto(s, "x", 1, 0, A(to)) == 1);
	n = sizeof a;
	MUST(recvfrom(r, b, 4, 0, (struct sockaddr *)&a, &n) == 1 && n == 2 + 6);
	printf("@%.5s ", a.sun_path + 1);
	unlink("sock");
	struct sockaddr_nl k = {.nl_family = AF_NETLINK};
	n = sizeof k;
	int l = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	MUST(l >= 0 && bind(l, A(k)) == 0 && getsockname(l, (struct sockaddr *)&k, &n) == 0);
	printf("netlink %d\n", k.nl_pid);
}

// Interfaces, addresses, routes, each by three ways.
PROBE(inet_interfaces)
{
	struct ifaddrs *l, *i;
	MUST(getifaddrs(&l) == 0);
	for (i = l; i; i = i->ifa_next) {
		char b[64] = "";
		int f = i->ifa_addr ? i->ifa_addr->sa_family : 0;
		if (f == AF_INET) inet_ntop(f, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, b, sizeof b);
		if (f == AF_INET6) inet_ntop(f, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, b, sizeof b);
		printf("%s %x %d %s\n", i->ifa_name, i->ifa_flags, f, b);
		if (f == AF_PACKET && i->ifa_data)
			for (int k = 0; k < 8; k++)
				printf("%u%c", ((uint32_t *)i->ifa_data)[k], k < 7 ? ' ' : '\n');
	}
	struct if_nameindex *x = if_nameindex();
	MUST(x);
	for (int k = 0; x[k].if_name; k++)
		printf("%d %s\n", x[k].if_index, x[k].if_name);
	struct ifreq r[16];
	struct ifconf c = {.ifc_len = sizeof r, .ifc_req = r};
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	MUST(ioctl(s, SIOCGIFCONF, &c) == 0);
	for (unsigned k = 0; k < c.ifc_len / sizeof *r; k++)
		printf("%s %s\n", r[k].ifr_name, inet_ntoa(((struct sockaddr_in *)&r[k].ifr_addr)->sin_addr));
	s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct { struct nlmsghdr h; struct rtmsg m; } q = {{sizeof q, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {.rtm_family = AF_INET}};
	char b[32768];
	MUST(send(s, &q, sizeof q, 0) == sizeof q);
	int n = recv(s, b, sizeof b, 0), routes = 0;
	MUST(n > 0);
	for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
		routes += h->nlmsg_type == RTM_NEWROUTE;
	printf("%d routes\n", routes);
}

// Anything outside is unreachable, at once and with one errno.
PROBE(inet_outside)
{
	const char *to[] = {"192.0.2.1", "8.8.8.8", "10.0.0.1", "169.254.169.254", "255.255.255.255", "224.0.0.1", "2001:db8::1", "fe80::1", "ff02::1"};
	for (unsigned i = 0; i < sizeof to / sizeof *to; i++)
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct sockaddr_in a = lo4(53);
			struct sockaddr_in6 b = lo6(53);
			int six = !inet_pton(AF_INET, to[i], &a.sin_addr);
			if (six)
				MUST(inet_pton(AF_INET6, to[i], &b.sin6_addr) == 1);
			int s = socket(six ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0);
			int r = six ? connect(s, A(b)) : connect(s, A(a));
			printf("%s %d: %s", to[i], type, r ? strerror(errno) : "connected");
			r = six ? sendto(s, "x", 1, MSG_NOSIGNAL, A(b)) : sendto(s, "x", 1, MSG_NOSIGNAL, A(a));
			printf(", %s\n", r < 0 ? strerror(errno) : "sent");
			close(s);
		}
	struct { int f, t, p; } k[] = {{AF_INET, SOCK_RAW, IPPROTO_ICMP}, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, {AF_PACKET, SOCK_RAW, 0}, {AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT},
		{AF_NETLINK, SOCK_RAW, NETLINK_GENERIC}, {40 /* AF_VSOCK */, SOCK_STREAM, 0}, {31 /* AF_BLUETOOTH */, SOCK_RAW, 1}, {38 /* AF_ALG */, SOCK_SEQPACKET, 0}};
	for (unsigned i = 0; i < sizeof k / sizeof *k; i++) {
		int s = socket(k[i].f, k[i].t, k[i].p);
		printf("socket %d %d %d: %s\n", k[i].f, k[i].t, k[i].p, s < 0 ? strerror(errno) : "opened");
		if (s >= 0)
			close(s);
	}
}

// A port is free again when nobody has it, however the connections ended.
PROBE(inet_rebind)
{
	int l = listener(AF_INET), port = port_of(l), c[3], s[3], on = 1;
	struct sockaddr_in a = lo4(port);
	for (int i = 0; i < 3; i++)
		c[i] = dial(AF_INET, port), s[i] = accept(l, 0, 0);
	close(s[0]), close(c[0]);
	close(c[1]), close(s[1]);
	close(l);
	l = socket(AF_INET, SOCK_STREAM, 0);
	printf("one connection left: %s\n", bind(l, A(a)) ? strerror(errno) : "bound");
	close(s[2]), close(c[2]), close(l);
	l = socket(AF_INET, SOCK_STREAM, 0);
	printf("none left: %s\n", bind(l, A(a)) ? strerror(errno) : "bound");
	close(l);
	l = socket(AF_INET, SOCK_STREAM, 0);
	MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && listen(l, 1) == 0);
	a = lo4(port_of(l));
	c[0] = dial(AF_INET, port_of(l)), s[0] = accept(l, 0, 0);
	close(l), close(s[0]), close(c[0]);
	l = socket(AF_INET, SOCK_STREAM, 0);
	MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
	CHECK(bind(l, A(a)) == 0 && listen(l, 1) == 0, "%s", strerror(errno));
}

// Many connections in one epoll set, level and edge.
PROBE(inet_epoll)
{
	enum { N = 300 };
	int l = listener(AF_INET), c[N], s[N], e = epoll_create1(0);
	for (int i = 0; i < N; i++) {
		c[i] = dial(AF_INET, port_of(l)), s[i] = accept(l, 0, 0);
		struct epoll_event v = {.events = i % 2 ? EPOLLIN : EPOLLIN | EPOLLET, .data.u32 = i};
		MUST(epoll_ctl(e, EPOLL_CTL_ADD, s[i], &v) == 0);
	}
	if (fork() == 0) {
		for (int i = 0; i < N; i++)
			write(c[i * 7 % N], "x", 1);
		_exit(0);
	}
	wait(0);
	struct epoll_event v[N];
	int n = epoll_wait(e, v, N, -1), again;
	for (int i = 0; i < n; i += 17)
		printf("%u ", v[i].data.u32);
	again = epoll_wait(e, v, N, 0);
	printf("%d, again %d\n", n, again);
	CHECK(n == N && again == N / 2);
}

// /proc/net/tcp has what there is.
PROBE(inet_proc)
{
	int l = listener(AF_INET), c = dial(AF_INET, port_of(l));
	char want[64];
	static char b[1 << 22]; // natively every connection of the host
	sprintf(want, "0100007F:%04X 00000000:0000 0A", port_of(l));
	int fd = open("/proc/net/tcp", O_RDONLY), n = 0, k;
	while ((k = read(fd, b + n, sizeof b - 1 - n)) > 0)
		n += k;
	CHECK(strstr(b, want), "no listener %s", want);
	sprintf(want, "0100007F:%04X 0100007F:%04X 01", port_of(c), port_of(l));
	CHECK(strstr(b, want), "no connection %s", want);
	fputs(b, stdout);
}
