// Threads that look at something under a lock, in a loop without a call: parked in it
// with the lock, they would keep it for ever. One argument: the case.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_int spinlock;
static int done;

// Lower than what takes the lock: the canonical place of a loop that does both has it.
__attribute__((noinline, no_reorder)) static void drop(void) { atomic_store(&spinlock, 0); }
__attribute__((noinline, no_reorder)) static int try(void) { return !atomic_exchange(&spinlock, 1); }
__attribute__((noinline)) static void grab(void) { while (!try()) __builtin_ia32_pause(); }

// Those who end the loops of the others take the lock each in a way of its own.
static void *end(void) { done = 1; drop(); return 0; }
static void *grabs(void *p) { grab(); return end(); }
static void *tries_and_sleeps(void *p) { while (!try()) usleep(10); return end(); }
static void *tries_and_yields(void *p) { while (!try()) sched_yield(); return end(); }
static void *sleeps_first(void *p) { sleep(3); return grabs(p); }

static void *looks(void *p) {
	for (int d = 0; !d;) { grab(); d = done; drop(); }
	return 0;
}

static void with(void *(*f)(void *), int others) {
	pthread_t t[4], x;
	struct timespec now;
	done = 0;
	pthread_create(&x, 0, f, 0);
	for (int i = 0; i < others; i++) pthread_create(&t[i], 0, looks, 0);
	looks(0);
	for (int i = 0; i < others; i++) pthread_join(t[i], 0);
	pthread_join(x, 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("done %ld\n", (long)now.tv_sec);
}

int main(int n, char **arg) {
	pthread_t t;
	switch (n > 1 ? *arg[1] : 0) {
	case '1': // nobody ends it
		looks(0);
		return 1;
	case '4': // nor these, which disturb each other
		with(looks, 3);
		return 1;
	}
	with(grabs, 0);
	with(tries_and_sleeps, 0);
	with(tries_and_yields, 0);
	with(sleeps_first, 0);
	with(sleeps_first, 2);
	done = 0;
	pthread_create(&t, 0, looks, 0);
	sleep(5); // while nobody else does anything
	puts("slept");
	fflush(stdout);
	_exit(0);
}
