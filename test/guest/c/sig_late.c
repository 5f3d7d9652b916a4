// A signal for a thread that sleeps, whose time is over before it has its
// turn: the sleep has ended by itself, and the signal must not end the next.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int hits, asleep[2];

static void handler(int s) { (void)s; hits++; }

static void *sleeper(void *p)
{
	struct timespec first = {0, 50000}, rem = {0, 0}, second = {0, 20000000};

	if (write(asleep[1], "x", 1) != 1)
		return p;
	int a = nanosleep(&first, &rem);
	int b = nanosleep(&second, &rem);
	printf("slept %d %d, %d signal\n", a, b, hits);
	return p;
}

int main(void)
{
	struct sigaction sa = {.sa_handler = handler};
	sigset_t set;
	pthread_t t;
	char c;

	sigaction(SIGUSR1, &sa, 0);
	if (pipe(asleep))
		return 1;
	pthread_create(&t, 0, sleeper, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, 0);
	if (read(asleep[0], &c, 1) != 1)
		return 1;
	sched_yield();
	kill(getpid(), SIGUSR1);
	// Time goes by while this thread keeps the turn: one call is 1 us.
	for (int i = 0; i < 200; i++)
		syscall(SYS_getppid);
	pthread_join(t, 0);
	return 0;
}
