// Several who wait for one file by epoll(7), and sets within sets: how many wake.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

static void tell(const char *what, int r) { printf("%s: %s\n", what, r ? strerrorname_np(errno) : "0"); }

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	run("own sets", 4, 1, EPOLLIN, 0);
	run("own sets, exclusive", 4, 1, EPOLLIN | EPOLLEXCLUSIVE, 0);
	run("own sets, exclusive edges", 4, 1, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 0);
	run("one set", 4, 0, EPOLLIN, 0);
	run("one set, edges", 4, 0, EPOLLIN | EPOLLET, 0);
	run("inner set", 1, 1, EPOLLIN, 1);
	run("inner set, four", 4, 1, EPOLLIN, 1);
	run("inner set, edges", 4, 0, EPOLLIN | EPOLLET, 1);
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
