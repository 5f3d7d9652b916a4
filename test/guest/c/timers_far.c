// Timers with intervals of nearly all time and of one nanosecond, and more timerfds,
// one after the other, than anybody can have open.
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t got;
static void handler(int sig) { got++; }

static void rest(long ns)
{
	struct timespec left = {0, ns};
	while (nanosleep(&left, &left))
		;
}

int main(void)
{
	const long far[] = {LONG_MAX, LONG_MAX / 1000000000 + 1, LONG_MAX / 1000000000, 4000000000};
	struct itimerspec left;
	uint64_t n;
	signal(SIGUSR1, handler);
	for (int i = 0; i < 4; i++) {
		struct itimerspec s = {{far[i], 0}, {0, 1000}};
		int fd = timerfd_create(CLOCK_MONOTONIC, 0);
		int set = timerfd_settime(fd, 0, &s, 0), r = read(fd, &n, 8);
		rest(10000000);
		timerfd_gettime(fd, &left);
		printf("timerfd %d %d %lu %d\n", set, r, n, left.it_value.tv_sec > 1000000);
		close(fd);
		timer_t t;
		struct sigevent e = {.sigev_signo = SIGUSR1};
		got = 0;
		timer_create(CLOCK_MONOTONIC, &e, &t);
		set = timer_settime(t, 0, &s, 0);
		rest(10000000);
		timer_gettime(t, &left);
		printf("timer %d %d %d\n", set, (int)got, left.it_value.tv_sec > 1000000);
		timer_delete(t);
	}
	struct itimerspec s = {{0, 1}, {0, 1}};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(fd, 0, &s, 0);
	rest(300000000);
	read(fd, &n, 8);
	printf("%d\n", n >= 299000000);
	close(fd);
	for (n = 0; n < 25000; n++) {
		if ((fd = timerfd_create(CLOCK_MONOTONIC, 0)) < 0)
			break;
		close(fd);
	}
	printf("%lu\n", n);
}
