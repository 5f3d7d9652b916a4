// Several who wait for one file by epoll(7), and sets within sets: how many wake.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { most = 6 };
static int set[most], woken, ready;
static uint32_t got[most];

static void *waiter(void *arg)
{
	long i = (long)arg;
	struct epoll_event e;
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	int n = epoll_wait(set[i], &e, 1, -1);
	got[i] = n == 1 ? e.events : 0;
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void pause_ms(int ms) { nanosleep(&(struct timespec){0, ms * 1000000L}, 0); }

static void add(int epoll, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		printf("add: %s\n", strerror(errno));
}

// n threads wait, each by a set of its own or all by one, while one value after the
// other is written. None is read, so only the edges can wake more than one by one.
static void run(const char *name, int n, int own, uint32_t events, int inner)
{
	int fd = eventfd(0, EFD_NONBLOCK), watched = fd;
	pthread_t t[most];
	if (inner) {
		watched = epoll_create1(0);
		add(watched, fd, EPOLLIN);
	}
	ready = woken = 0;
	for (int i = 0; i < n; i++) {
		if (own || i == 0) {
			set[i] = epoll_create1(0);
			add(set[i], watched, events);
		} else
			set[i] = set[0];
	}
	for (long i = 0; i < n; i++)
		pthread_create(&t[i], 0, waiter, (void *)i);
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < n)
		pause_ms(1);
	pause_ms(20);
	printf("%s:", name);
	for (int i = 0; i < 2 * n && woken < n; i++) {
		eventfd_write(fd, 1);
		pause_ms(20);
		printf(" %d", __atomic_load_n(&woken, __ATOMIC_SEQ_CST));
	}
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
	for (int i = 0; i < n; i++)
		printf(" %x", got[i]);
	printf("\n");
	for (int i = 0; i < n; i++)
		if (own || i == 0)
			close(set[i]);
	close(fd);
	if (inner)
		close(watched);
}

// What several wait for exclusively: each event is one connection, byte or message.
enum kind { pipes, unixes, messages, tcp, tcp_data, udp, events };
static const char *const names[] = {"pipe", "unix listener", "unix datagrams", "TCP listener", "TCP data", "UDP", "eventfd"};
static int ends[2]; // the one that is waited for, the one that makes events
static struct sockaddr_in in;
static struct sockaddr_un un = {.sun_family = AF_UNIX};

static void make(enum kind k)
{
	socklen_t n = sizeof in;
	in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (k == pipes)
		pipe(ends);
	else if (k == messages)
		socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	else if (k == events)
		ends[0] = ends[1] = eventfd(0, EFD_SEMAPHORE);
	else if (k == unixes) {
		n = sizeof un.sun_family;
		ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
		bind(ends[0], (void *)&un, n);
		n = sizeof un;
		getsockname(ends[0], (void *)&un, &n);
		listen(ends[0], 64);
	} else {
		ends[0] = socket(AF_INET, k == udp ? SOCK_DGRAM : SOCK_STREAM, 0);
		bind(ends[0], (void *)&in, n);
		getsockname(ends[0], (void *)&in, &n);
		if (k != udp)
			listen(ends[0], 64);
		if (k != tcp) {
			ends[1] = socket(AF_INET, k == udp ? SOCK_DGRAM : SOCK_STREAM, 0);
			connect(ends[1], (void *)&in, n);
		}
		if (k == tcp_data) {
			int l = ends[0];
			ends[0] = accept(l, 0, 0);
			close(l);
		}
	}
}

static void happen(enum kind k)
{
	if (k == unixes) {
		if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof un.sun_family + 6))
			perror("connect");
	} else if (k == tcp) {
		if (connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&in, sizeof in))
			perror("connect");
	} else if (k == events)
		eventfd_write(ends[1], 1);
	else
		write(ends[1], "", 1);
}

// One waits by a set without the flag, the others with it; events come one by one, then
// two at once, then for some the end.
static void exclusive(enum kind k, int n, int plain)
{
	pthread_t t[most];
	make(k);
	ready = woken = 0;
	for (int i = 0; i < n; i++) {
		set[i] = epoll_create1(0);
		add(set[i], ends[0], i < plain ? EPOLLIN : EPOLLIN | EPOLLEXCLUSIVE);
	}
	for (long i = 0; i < n; i++) {
		pthread_create(&t[i], 0, waiter, (void *)i);
		while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) <= i)
			pause_ms(1);
	}
	pause_ms(20);
	printf("%s, %d of %d exclusively:", names[k], n - plain, n);
	for (int i = 0; i < n && woken < n; i++) {
		happen(k);
		if (i == 1)
			happen(k);
		pause_ms(20);
		printf(" %d", __atomic_load_n(&woken, __ATOMIC_SEQ_CST));
		if (i == 2 && (k == tcp_data || k == pipes)) { // the end wakes all
			if (k == pipes)
				close(ends[1]);
			else
				shutdown(ends[1], SHUT_WR);
			pause_ms(20);
			printf(" end %d", __atomic_load_n(&woken, __ATOMIC_SEQ_CST));
		}
	}
	printf("\n");
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
	for (int i = 0; i < n; i++)
		close(set[i]);
	close(ends[0]);
	if (k != events && k != pipes)
		close(ends[1]);
}

static void tell(const char *what, int r) { printf("%s: %s\n", what, r ? strerrorname_np(errno) : "0"); }

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	signal(SIGPIPE, SIG_IGN);
	run("own sets", 4, 1, EPOLLIN, 0);
	run("own sets, exclusive", 4, 1, EPOLLIN | EPOLLEXCLUSIVE, 0);
	run("own sets, exclusive edges", 4, 1, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 0);
	run("one set", 4, 0, EPOLLIN, 0);
	run("one set, edges", 4, 0, EPOLLIN | EPOLLET, 0);
	run("inner set", 1, 1, EPOLLIN, 1);
	run("inner set, four", 4, 1, EPOLLIN, 1);
	run("inner set, edges", 4, 0, EPOLLIN | EPOLLET, 1);
	for (enum kind k = pipes; k <= events; k++)
		exclusive(k, 6, 0);
	for (enum kind k = pipes; k <= events; k++)
		exclusive(k, 6, 2);
	int a = epoll_create1(0), b = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN};
	add(a, b, EPOLLIN);
	tell("circle", epoll_ctl(b, EPOLL_CTL_ADD, a, &e));
	tell("itself", epoll_ctl(a, EPOLL_CTL_ADD, a, &e));
	e.events = EPOLLIN | EPOLLEXCLUSIVE;
	int fd = eventfd(0, 0);
	tell("exclusive set", epoll_ctl(a, EPOLL_CTL_ADD, b, &e));
	tell("exclusive", epoll_ctl(a, EPOLL_CTL_ADD, fd, &e));
	e.events = EPOLLIN;
	tell("changed", epoll_ctl(a, EPOLL_CTL_MOD, fd, &e));
	return 0;
}
