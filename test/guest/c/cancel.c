// cancel.c: calls made at a site that is used for files often, which then wait: they are
// cancelled, interrupted, and made again after a handler. Usage: cancel ROUNDS.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { fprintf(stderr, "line %d: %s: errno %d\n", __LINE__, #x, errno); exit(1); } } while (0)

static int empty[2], ready[2];
static volatile int handled;
static void handler(int sig) { (void)sig; handled++; }

static void files(int n) {
	char b[100];
	int fd = open("/proc/self/exe", O_RDONLY);
	CHECK(fd >= 0);
	while (n--) CHECK(pread(fd, b, sizeof b, n) == sizeof b && read(fd, b, 1) == 1);
	CHECK(close(fd) == 0);
}

static void *waits(void *p) {
	char c;
	files(20);
	CHECK(write(ready[1], "", 1) == 1);
	long r = read(empty[0], &c, 1);
	*(long *)p = r < 0 ? -errno : r;
	return p;
}

int main(int argc, char **argv) {
	int cancelled = 0, restarted = 0, interrupted = 0;
	CHECK(argc == 2 && pipe(empty) == 0 && pipe(ready) == 0);
	files(100);
	for (int i = 0; i < atoi(argv[1]); i++) {
		struct sigaction sa = {.sa_handler = handler, .sa_flags = i % 3 == 1 ? SA_RESTART : 0};
		CHECK(sigaction(SIGUSR1, &sa, 0) == 0);
		long got = 0;
		char c;
		void *p;
		pthread_t th;
		CHECK(pthread_create(&th, 0, waits, &got) == 0);
		CHECK(read(ready[0], &c, 1) == 1);
		usleep(1000); // it waits now
		switch (i % 3) {
		case 0:
			CHECK(pthread_cancel(th) == 0 && pthread_join(th, &p) == 0);
			CHECK(p == PTHREAD_CANCELED && got == 0);
			cancelled++;
			break;
		case 1:
			CHECK(pthread_kill(th, SIGUSR1) == 0);
			usleep(1000);
			CHECK(write(empty[1], "", 1) == 1 && pthread_join(th, &p) == 0 && p == &got && got == 1);
			restarted++;
			break;
		case 2:
			CHECK(pthread_kill(th, SIGUSR1) == 0 && pthread_join(th, &p) == 0 && p == &got && got == -EINTR);
			interrupted++;
			break;
		}
	}
	printf("%d cancelled, %d restarted, %d interrupted, %d handled\n", cancelled, restarted, interrupted, handled);
	return 0;
}
