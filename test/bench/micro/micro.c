// micro.c: the system call loops of the benchmark. Usage: micro NAME COUNT.
// Nothing is timed here: the harness times the process, so that the same
// clock measures both sides.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) { perror(what); exit(1); }

static void do_stat(long n) {
	struct stat st;
	while (n--)
		if (stat("/usr/bin/env", &st) < 0) die("stat");
}

static void do_open(long n) {
	while (n--) {
		int fd = open("/usr/bin/env", O_RDONLY);
		if (fd < 0) die("open");
		close(fd);
	}
}

static void do_fstat(long n) {
	struct stat st;
	int fd = open("/usr/bin/env", O_RDONLY);
	if (fd < 0) die("open");
	while (n--)
		if (fstat(fd, &st) < 0) die("fstat");
}

static void do_read(long n) {
	char buf[4096];
	int fd = open("/usr/bin/env", O_RDONLY);
	if (fd < 0) die("open");
	while (n--)
		if (pread(fd, buf, sizeof buf, 0) != sizeof buf) die("pread");
}

// echo sends a byte to a child and waits for it to come back: two switches of
// the running process.
static void echo(long n, int to, int from, int child_in, int child_out) {
	char c = 0;
	pid_t pid = fork();
	if (pid < 0) die("fork");
	if (pid == 0) {
		while (n--)
			if (read(child_in, &c, 1) != 1 || write(child_out, &c, 1) != 1) _exit(1);
		_exit(0);
	}
	for (long i = 0; i < n; i++)
		if (write(to, &c, 1) != 1 || read(from, &c, 1) != 1) die("echo");
	int status;
	waitpid(pid, &status, 0);
	if (status) die("child");
}

static void do_pipe(long n) {
	int to[2], from[2];
	if (pipe(to) < 0 || pipe(from) < 0) die("pipe");
	echo(n, to[1], from[0], to[0], from[1]);
}

static void do_tcp(long n) {
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (listen(l, 1) || getsockname(l, (struct sockaddr *)&a, &len) || connect(c, (struct sockaddr *)&a, len)) die("tcp");
	int s = accept(l, 0, 0);
	if (setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) || setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) die("tcp");
	echo(n, c, c, s, s);
}

static void do_clock(long n) {
	struct timespec ts;
	while (n--) clock_gettime(CLOCK_MONOTONIC, &ts);
}

static void do_getpid(long n) {
	while (n--) syscall(SYS_getpid);
}

static void do_cpu(long n) {
	volatile unsigned long out;
	unsigned long x = 88172645463325252UL;
	for (long i = 0; i < n * 1000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	out = x;
	(void)out;
}

// Sequential write, then read, of n MiB in blocks of 128 KiB.
static void do_seq(long n) {
	static char buf[128 << 10];
	memset(buf, 'x', sizeof buf);
	int fd = open("seq.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) die("open");
	for (long i = 0; i < n * 8; i++)
		if (write(fd, buf, sizeof buf) != sizeof buf) die("write");
	lseek(fd, 0, SEEK_SET);
	for (long i = 0; i < n * 8; i++)
		if (read(fd, buf, sizeof buf) != sizeof buf) die("read");
	close(fd);
	unlink("seq.dat");
}

// Output of n MiB that stays.
static void do_output(long n) {
	static char buf[1 << 20];
	memset(buf, 'x', sizeof buf);
	int fd = open("big.out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) die("open");
	for (long i = 0; i < n; i++) {
		memcpy(buf, &i, sizeof i);
		if (write(fd, buf, sizeof buf) != sizeof buf) die("write");
	}
	close(fd);
}

static int turn;
static void *pong(void *n) {
	for (long i = 0; i < (long)n; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 1) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
		__atomic_store_n(&turn, 0, __ATOMIC_RELEASE);
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	}
	return 0;
}

// Two threads hand a word to and fro.
static void do_futex(long n) {
	pthread_t t;
	if (pthread_create(&t, 0, pong, (void *)n)) die("pthread_create");
	for (long i = 0; i < n; i++) {
		__atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 0) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
	}
	pthread_join(t, 0);
}

static void *nothing(void *p) { return p; }

// n threads are started, then joined.
static void do_threads(long n) {
	pthread_t *t = calloc(n, sizeof *t);
	for (long i = 0; i < n; i++)
		if (pthread_create(&t[i], 0, nothing, 0)) die("pthread_create");
	for (long i = 0; i < n; i++) pthread_join(t[i], 0);
	free(t);
}

int main(int argc, char **argv) {
	static const struct { const char *name; void (*run)(long); } all[] = {
		{"stat", do_stat}, {"open", do_open}, {"fstat", do_fstat}, {"read", do_read},
		{"pipe", do_pipe}, {"tcp", do_tcp}, {"clock", do_clock}, {"getpid", do_getpid}, {"cpu", do_cpu},
		{"futex", do_futex}, {"threads", do_threads}, {"seq", do_seq}, {"output", do_output},
	};
	for (unsigned i = 0; argc == 3 && i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name)) {
			all[i].run(atol(argv[2]));
			return 0;
		}
	fprintf(stderr, "usage: micro NAME COUNT\n");
	return 2;
}
