// Programs whose calls of futex(2) are all made by one instruction, at which
// somebody nearly always waits: its calls are answered within the guest all the same,
// and who waits there meanwhile goes on as if nothing had happened.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef long caller(int *w, long op, long val, void *ts, void *w2, long val3);

// The number from a register, as syscall(3) does it.
caller by_register, by_number;
asm(".globl by_register\n"
    "by_register:\n"
    "	mov %rcx, %r10\n"
    "	mov $202, %r11d\n"
    "	mov %r11d, %eax\n"
    "	syscall\n"
    "	cmp $-4095, %rax\n"
    "	jae 1f\n"
    "1:	ret\n"
    ".globl by_number\n"
    "by_number:\n"
    "	mov %rcx, %r10\n"
    "	mov $202, %eax\n"
    "	syscall\n"
    "	ret\n");

static caller *call;
static int words[8], ready, handled;
static long results[8];
static struct timespec limits[8];

static void handler(int sig) { __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST); }

static void *waiter(void *arg) {
	long me = (long)arg;
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	results[me] = call(&words[me], FUTEX_WAIT_PRIVATE, 0, limits[me].tv_sec + limits[me].tv_nsec ? &limits[me] : 0, 0, 0);
	return 0;
}

static void pause_ms(int ms) { nanosleep(&(struct timespec){0, ms * 1000000L}, 0); }

static void *ping(void *arg) {
	for (long i = 0; i < (long)arg; i++) {
		while (!__atomic_load_n(&words[6], __ATOMIC_SEQ_CST)) call(&words[6], FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
		__atomic_store_n(&words[6], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&words[7], 1, __ATOMIC_SEQ_CST);
		call(&words[7], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	}
	return 0;
}

int main(int argc, char **argv) {
	call = argc > 1 && !strcmp(argv[1], "number") ? by_number : by_register;
	setvbuf(stdout, 0, _IONBF, 0);
	struct sigaction restart = {.sa_handler = handler, .sa_flags = SA_RESTART}, interrupt = {.sa_handler = handler};
	sigaction(SIGUSR1, &restart, 0);
	sigaction(SIGUSR2, &interrupt, 0);
	pthread_t t[8];
	limits[2].tv_sec = limits[3].tv_sec = 100; // ends for any handler (ERESTART_RESTARTBLOCK)
	limits[4].tv_nsec = 1000000;
	for (long i = 0; i < 6; i++) pthread_create(&t[i], 0, waiter, (void *)i);
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 6) pause_ms(1);
	pause_ms(50);
	long woken = 0;
	for (int i = 0; i < 1000; i++) woken += call(&words[7], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	printf("woken %ld\n", woken);
	for (int i = 0; i < 4; i++) { // only 0 goes on
		pthread_kill(t[i], i % 2 ? SIGUSR2 : SIGUSR1);
		pause_ms(50);
	}
	printf("handled %d\n", handled);
	for (int i = 0; i < 1000; i++) woken += call(&words[7], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	for (int i = 0; i < 6; i++) printf("wake %d: %ld\n", i, i == 4 ? 0 : call(&words[i], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], 0);
		printf("result %d: %ld\n", i, results[i]);
	}
	long n = 500; // two that wait for each other
	pthread_create(&t[0], 0, ping, (void *)n);
	for (long i = 0; i < n; i++) {
		__atomic_store_n(&words[6], 1, __ATOMIC_SEQ_CST);
		call(&words[6], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
		while (!__atomic_load_n(&words[7], __ATOMIC_SEQ_CST)) call(&words[7], FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
		__atomic_store_n(&words[7], 0, __ATOMIC_SEQ_CST);
	}
	pthread_join(t[0], 0);
	puts("done");
}
