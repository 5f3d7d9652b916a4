// epoll(7): several threads that wait for one file with EPOLLEXCLUSIVE, and sets within
// sets. What Linux determines goes to standard output; who got what, which only a
// schedule determines, to standard error.
#define _GNU_SOURCE
#include "random.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAITERS = 6, BYTES = 60 };

static int p[2], stop, same;
static char order[BYTES + 1];
static atomic_int got, each[WAITERS];

static void add(int set, int fd, unsigned events, int data) {
	struct epoll_event v = {events, {.fd = data}};
	printf(" %s", said(epoll_ctl(set, EPOLL_CTL_ADD, fd, &v)));
}
static int waits(int set, int ms) {
	struct epoll_event v;
	int n = epoll_wait(set, &v, 1, ms);
	return n == 1 ? v.data.fd * 0x1000 + v.events : n;
}

// reader takes them in blocking reads.
static void *reader(void *arg) {
	int me = (long)arg;
	char c;
	while (read(p[0], &c, 1) == 1) {
		order[got++] = 'a' + me;
		each[me]++;
	}
	return 0;
}

// waiter takes bytes one by one, through a set of its own or one that all share.
static void *waiter(void *arg) {
	int me = (long)arg, set = same ? same : epoll_create1(0);
	if (!same) {
		struct epoll_event v = {EPOLLIN | EPOLLEXCLUSIVE, {.fd = 1}}, end = {EPOLLIN, {.fd = 2}};
		epoll_ctl(set, EPOLL_CTL_ADD, p[0], &v);
		epoll_ctl(set, EPOLL_CTL_ADD, stop, &end);
	}
	for (;;) {
		struct epoll_event v[2];
		int n = epoll_wait(set, v, 2, -1);
		for (int i = 0; i < n; i++) {
			char c;
			if (v[i].data.fd == 2) return 0;
			if (read(p[0], &c, 1) != 1) continue;
			order[got++] = 'a' + me;
			each[me]++;
		}
	}
}

enum { EXCLUSIVE, SHARED, READERS };

static void many(int how) {
	pthread_t t[WAITERS];
	pipe2(p, how == READERS ? 0 : O_NONBLOCK);
	stop = eventfd(0, 0);
	same = 0;
	if (how == SHARED) {
		same = epoll_create1(0);
		add(same, p[0], EPOLLIN, 1);
		add(same, stop, EPOLLIN, 2);
	}
	got = 0;
	for (long i = 0; i < WAITERS; i++) each[i] = 0, pthread_create(&t[i], 0, how == READERS ? reader : waiter, (void *)i);
	for (int i = 0; i < BYTES; i++) {
		write(p[1], "x", 1);
		if (i % 3 == 0) usleep(1000);
	}
	while (got < BYTES) usleep(1000);
	eventfd_write(stop, 1);
	close(p[1]);
	for (int i = 0; i < WAITERS; i++) pthread_join(t[i], 0);
	int sum = 0;
	for (int i = 0; i < WAITERS; i++) sum += each[i];
	printf(" all %d\n", sum);
	fprintf(stderr, "%.*s\n", BYTES, order);
}

static void rules(void) {
	int a = epoll_create1(0), b = epoll_create1(0), e = eventfd(0, EFD_NONBLOCK);
	struct epoll_event v = {EPOLLIN | EPOLLEXCLUSIVE, {0}};
	printf("exclusive: set");
	add(a, b, EPOLLIN | EPOLLEXCLUSIVE, 1);
	printf(" once");
	add(a, e, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1);
	printf(" rdhup");
	add(a, e, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1);
	printf(" fine");
	add(a, e, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 1);
	printf(" mod %s", said(epoll_ctl(a, EPOLL_CTL_MOD, e, &v)));
	v.events = EPOLLIN;
	printf(" mod %s", said(epoll_ctl(a, EPOLL_CTL_MOD, e, &v)));
	printf(" del %s", said(epoll_ctl(a, EPOLL_CTL_DEL, e, 0)));
	printf("\ncycles: self");
	add(a, a, EPOLLIN, 1);
	printf(" one");
	add(a, b, EPOLLIN, 1);
	printf(" back");
	add(b, a, EPOLLIN, 1);
	int chain[8];
	printf("\nchain:");
	for (int i = 0; i < 8; i++) {
		chain[i] = epoll_create1(0);
		if (i) add(chain[i], chain[i - 1], EPOLLIN, i);
	}
	printf("\n");
}

// nested: inner holds an eventfd, outer holds inner, each level and edge triggered.
static void nested(void) {
	static const unsigned flags[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT};
	for (int i = 0; i < 16; i++) {
		int e = eventfd(0, EFD_NONBLOCK), inner = epoll_create1(0), outer = epoll_create1(0);
		eventfd_t x;
		printf("nested %x %x", flags[i / 4], flags[i % 4]);
		add(inner, e, EPOLLIN | flags[i / 4], 1);
		add(outer, inner, EPOLLIN | flags[i % 4], 2);
		printf(" quiet %x", waits(outer, 0));
		eventfd_write(e, 1);
		printf(" ready %x", waits(outer, 0));
		printf(" again %x", waits(outer, 0));
		printf(" inner %x", waits(inner, 0));
		printf(" again %x", waits(inner, 0));
		printf(" outer %x", waits(outer, 0));
		eventfd_write(e, 1);
		printf(" edge %x", waits(outer, 0));
		printf(" inner %x", waits(inner, 0));
		struct epoll_event v = {EPOLLIN | flags[i / 4], {.fd = 1}};
		printf(" rearm %s", said(epoll_ctl(inner, EPOLL_CTL_MOD, e, &v)));
		v = (struct epoll_event){EPOLLIN | flags[i % 4], {.fd = 2}};
		printf(" %s", said(epoll_ctl(outer, EPOLL_CTL_MOD, inner, &v)));
		printf(" outer %x", waits(outer, 0));
		eventfd_read(e, &x);
		printf(" drained %x\n", waits(outer, 10));
		close(e), close(inner), close(outer);
	}
}

static void *ring(void *arg) {
	usleep(1000);
	eventfd_write(*(int *)arg, 1);
	return 0;
}

// Who waits in the outer set is woken by the file in the innermost.
static void woken(void) {
	for (int depth = 1; depth < 5; depth++) {
		int e = eventfd(0, EFD_NONBLOCK), set[5], at = e;
		pthread_t t;
		printf("depth %d", depth);
		for (int i = 0; i < depth; i++) {
			set[i] = epoll_create1(0);
			add(set[i], at, EPOLLIN | EPOLLET * (i % 2), i + 1);
			at = set[i];
		}
		pthread_create(&t, 0, ring, &e);
		printf(" woken %x\n", waits(at, -1));
		pthread_join(t, 0);
	}
}

int main(void) {
	rules();
	nested();
	woken();
	many(EXCLUSIVE);
	many(SHARED);
	many(READERS);
	return 0;
}
