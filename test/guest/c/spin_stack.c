// A loop that calls one function from two places: within a round the registers
// come back, with another return address on the stack.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int flag;

static void *sets(void *p)
{
	for (int i = 0; i < 5; i++)
		getppid();
	puts("sets");
	atomic_store(&flag, 1);
	return p;
}

static void __attribute__((noinline)) nothing(void) { __asm__ volatile("" ::: "memory"); }

int main(void)
{
	pthread_t t;

	pthread_create(&t, 0, sets, 0);
	while (!atomic_load(&flag)) {
		nothing();
		nothing();
	}
	puts("seen");
	pthread_join(t, 0);
	return 0;
}
