// descriptors.c: a descriptor that is known to be a file, a directory or a pipe
// becomes something else, in every way there is, and is read then. What is not there
// yet is written by another thread, which gets its turn only if the reader waits
// properly. Between the use of the first and that of the second nothing needs the
// supervisor, if all sites of calls are replaced. Usage: descriptors SEED.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"

static char dir[] = "descriptors.XXXXXX";
static const char text[] = "regular";

static void die(const char *what) { perror(what); exit(1); }

#define CHECK(x) do { if (!(x)) { fprintf(stderr, "line %d: %s: errno %d\n", __LINE__, #x, errno); exit(1); } } while (0)

// Closing. Some of these sites can be replaced, those with a RET behind cannot.
static long raw3(long nr, long a, long b, long c) {
	long r;
	asm volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}
long fixed_close(long fd), bare_close(long fd), bare3(long a, long b, long c, long nr);
asm("fixed_close: mov $3, %eax\n syscall\n ret\n"
    "bare_close: mov $3, %eax\n nop\n syscall\n ret\n"
    "bare3: mov %rcx, %rax\n nop\n syscall\n ret\n");

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif

enum { CLOSERS = 9 };
static void closes(int how, int n) {
	switch (how) {
	case 0: CHECK(close(n) == 0); break;
	case 1: CHECK(syscall(SYS_close, n) == 0); break;
	case 2: CHECK(fixed_close(n) == 0); break;
	case 3: CHECK(bare_close(n) == 0); break;
	case 4: CHECK(raw3(SYS_close, 0x100000000L | n, 0, 0) == 0); break; // the upper half means nothing
	case 5: CHECK(syscall(SYS_close_range, n, n, 0) == 0); break;
	case 6: CHECK(syscall(SYS_close_range, n, n, CLOSE_RANGE_UNSHARE) == 0); break;
	case 7: CHECK(bare3(n, n, 0, SYS_close_range) == 0); break;
	case 8: // for the next exec only, and then for good
		CHECK(syscall(SYS_close_range, n, n, 4) == 0);
		CHECK(close(n) == 0);
		break;
	}
}

// What can be at a number.
enum { REG, DIRECTORY, PIPE, FIFO, SOCK, EVENT, TIMER, PROC, DEVNULL, NONBLOCK, KINDS };
static const char *const names[] = {"file", "directory", "pipe", "fifo", "socket", "eventfd", "timerfd", "proc", "null", "nonblocking pipe"};

// create makes the lowest free descriptor a new one; peer is where to write what comes out of it.
static int create(int kind, int *peer) {
	char path[64];
	int p[2], fd = -1;
	*peer = -1;
	switch (kind) {
	case REG: snprintf(path, sizeof path, "%s/reg", dir); fd = open(path, O_RDONLY); break;
	case DIRECTORY: fd = open(dir, O_RDONLY | O_DIRECTORY); break;
	case PIPE: CHECK(pipe(p) == 0); fd = p[0]; *peer = p[1]; break;
	case NONBLOCK: CHECK(pipe2(p, O_NONBLOCK) == 0); fd = p[0]; *peer = p[1]; break;
	case FIFO: snprintf(path, sizeof path, "%s/fifo", dir); fd = open(path, O_RDWR); *peer = open(path, O_WRONLY); break;
	case SOCK: CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0); fd = p[0]; *peer = p[1]; break;
	case EVENT: fd = eventfd(0, 0); *peer = dup(fd); break;
	case TIMER: {
		struct itimerspec t = {.it_value = {0, 3000000}};
		fd = timerfd_create(CLOCK_MONOTONIC, 0);
		CHECK(timerfd_settime(fd, 0, &t, 0) == 0);
		break;
	}
	case PROC: fd = open("/proc/sys/kernel/random/uuid", O_RDONLY); break;
	case DEVNULL: fd = open("/dev/null", O_RDONLY); break;
	}
	CHECK(fd >= 0);
	return fd;
}

static long get(int n, void *buf, size_t size, int op) {
	struct iovec v = {buf, size};
	return op & 1 ? readv(n, &v, 1) : read(n, buf, size);
}

// The other thread writes to the descriptors that it reads of.
static int go[2];

static void *helper(void *p) {
	int fd;
	unsigned long one = 1;
	while (read(go[0], &fd, sizeof fd) == sizeof fd && fd >= 0)
		CHECK(write(fd, &one, 8) == 8);
	return p;
}

static pthread_t helps;

static void new_helper(void) { CHECK(pthread_create(&helps, 0, helper, 0) == 0); }

static void end_helper(void) {
	int none = -1;
	CHECK(write(go[1], &none, sizeof none) == sizeof none && pthread_join(helps, 0) == 0);
}

// use reads from n, which is kind.
static void use(int n, int kind, int peer, int op) {
	char b[512];
	long r;
	switch (kind) {
	case REG:
		CHECK(pread(n, b, sizeof b, 0) == sizeof text && !memcmp(b, text, sizeof text));
		lseek(n, 0, SEEK_SET);
		CHECK(get(n, b, sizeof b, op) == sizeof text && !memcmp(b, text, sizeof text));
		CHECK(get(n, b, sizeof b, op) == 0);
		break;
	case DIRECTORY:
		lseek(n, 0, SEEK_SET);
		CHECK(syscall(SYS_getdents64, n, b, sizeof b) > 0);
		CHECK(get(n, b, sizeof b, op) == -1 && (errno == EISDIR || errno == EINVAL));
		break;
	case PIPE: case FIFO: case SOCK: case EVENT:
		CHECK(write(go[1], &peer, sizeof peer) == sizeof peer);
		CHECK(get(n, b, 8, op) == 8 && b[0] == 1);
		if (kind == PIPE) { // of which it is known now that it holds something
			CHECK(write(peer, b, 8) == 8 && get(n, b, 4, op) == 4 && get(n, b, 100, op) == 4);
		}
		break;
	case TIMER: CHECK(get(n, b, 8, op) == 8 && b[0] == 1); break;
	case PROC:
		r = get(n, b, sizeof b, op);
		CHECK(r == 37);
		printf("%.*s", (int)r, b);
		break;
	case DEVNULL: CHECK(get(n, b, sizeof b, op) == 0); break;
	case NONBLOCK: CHECK(get(n, b, sizeof b, op) == -1 && errno == EAGAIN); break;
	}
}

static struct slot { int kind, peer; } slots[2];

// touch makes known what is at n.
static void touch(int n) {
	struct slot *s = &slots[n == 300];
	char b[512] = {0};
	switch (s->kind) {
	case REG: CHECK(pread(n, b, 1, 0) == 1); break;
	case DIRECTORY: CHECK(syscall(SYS_getdents64, n, b, sizeof b) >= 0); break;
	case PIPE: CHECK(write(s->peer, b, 8) == 8 && read(n, b, 8) == 8); break;
	}
}

static int carrier[2]; // a pair of sockets

static void pass(int fd) {
	char c = 0, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	CHECK(sendmsg(carrier[0], &m, 0) == 1);
}

static int receive(void) {
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	int fd;
	CHECK(recvmsg(carrier[1], &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

// become puts a new kind at n, where something is. The lowest free number is LOW.
enum { LOW = 10, HIGH = 300, WAYS = 8 };
static int become(int n, int kind, int way, int closer) {
	int peer, fd;
	if (n != LOW && (way == 3 || way == 4)) way = 2;
	switch (way) {
	case 3: // the number is free, and is taken
		touch(n);
		closes(closer, n);
		CHECK(create(kind, &peer) == n);
		return peer;
	case 4:
		fd = create(kind, &peer);
		pass(fd);
		close(fd);
		touch(n);
		closes(closer, n);
		CHECK(receive() == n);
		return peer;
	}
	fd = create(kind, &peer);
	CHECK(fd > LOW || n != LOW);
	touch(n);
	switch (way) {
	case 0: CHECK(dup2(fd, n) == n); break;
	case 1: CHECK(syscall(SYS_dup3, fd, n, O_CLOEXEC) == n); break;
	case 2: closes(closer, n); CHECK(fcntl(fd, F_DUPFD, n) == n); break;
	case 5: CHECK(bare3(fd, n, 0, SYS_dup2) == n && bare3(n, n, 0, SYS_dup2) == n); break;
	case 6: CHECK(raw3(SYS_dup3, fd, n, 0) == n); break;
	case 7: closes(closer, n); CHECK(fcntl(fd, F_DUPFD_CLOEXEC, n) == n); break;
	}
	close(fd);
	return peer;
}

// Who does it.
enum { SELF, THREAD, HANDLER, SHARING, AGENTS };
static struct { int n, kind, way, closer, peer; } job;

static void do_job(void) { job.peer = become(job.n, job.kind, job.way, job.closer); }
static void *in_thread(void *p) { do_job(); return p; }
static void in_handler(int sig) { (void)sig; do_job(); }

static void by(int agent) {
	pthread_t th;
	int status;
	pid_t pid;
	int unshares = job.closer == 6;
	if (unshares && agent != SELF) job.closer = 5; // its descriptors would be others
	if (unshares) end_helper();
	switch (agent) {
	case SELF: do_job(); break;
	case THREAD:
		CHECK(pthread_create(&th, 0, in_thread, 0) == 0 && pthread_join(th, 0) == 0);
		break;
	case HANDLER: raise(SIGUSR1); break;
	case SHARING: { // a process with the same descriptors
		int tell[2];
		CHECK(pipe(tell) == 0);
		pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
		CHECK(pid >= 0);
		if (pid == 0) {
			do_job();
			_exit(write(tell[1], &job.peer, sizeof job.peer) != sizeof job.peer);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		CHECK(read(tell[0], &job.peer, sizeof job.peer) == sizeof job.peer);
		close(tell[0]);
		close(tell[1]);
		break;
	}
	}
	if (unshares) new_helper();
}

// Descriptors of its own that a child closes are still there for the parent.
static void child_closes(int n, int vforks) {
	int status;
	pid_t pid = vforks ? vfork() : fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		raw3(SYS_close, n, 0, 0);
		raw3(SYS_dup2, carrier[1], n, 0);
		if (vforks) execl("/bin/true", "true", (char *)0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv) {
	if (argc == 5) { // after exec: n was closed by it
		int n = atoi(argv[2]), kind = atoi(argv[3]), peer;
		strcpy(dir, argv[4]);
		CHECK(fcntl(n, F_GETFD) == -1 && errno == EBADF);
		CHECK(create(kind, &peer) == n);
		CHECK(pipe(go) == 0);
		new_helper();
		use(n, kind, peer, 0);
		return 0;
	}
	random_state = atoi(argv[1]);
	syscall(SYS_close_range, 3, ~0U, 0);
	alarm(600);
	if (!mkdtemp(dir)) die("mkdtemp");
	char path[64], b[64];
	snprintf(path, sizeof path, "%s/reg", dir);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(write(fd, text, sizeof text) == sizeof text);
	for (int i = 0; i < 6000; i++) // until it is worth while to know what this is
		CHECK(pread(fd, b, sizeof b, 0) == sizeof text);
	close(fd);
	snprintf(path, sizeof path, "%s/fifo", dir);
	CHECK(mkfifo(path, 0600) == 0);
	signal(SIGUSR1, in_handler);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, carrier) == 0);
	CHECK(pipe(go) == 0);
	while ((fd = dup(2)) < LOW)
		;
	CHECK(fd == LOW);
	CHECK(dup2(fd, HIGH) == HIGH);
	slots[0] = slots[1] = (struct slot){DEVNULL, -1};
	new_helper();
	for (int from = REG; from <= PIPE; from++)
		for (int to = 0; to < KINDS; to++)
			for (int way = 0; way < WAYS; way++) {
				int high = one_in(5), n = high ? HIGH : LOW;
				for (int step = 0; step < 2; step++) {
					job.n = n, job.kind = step ? to : from;
					job.way = step ? way : below(WAYS);
					job.closer = below(CLOSERS);
					int agent = below(3) ? SELF : below(AGENTS), old = slots[high].peer;
					by(agent);
					slots[high] = (struct slot){job.kind, job.peer};
					for (int k = below(3); k >= 0; k--) {
						if (job.kind == TIMER && k > 0) continue;
						if (job.kind == PROC) lseek(n, 0, SEEK_SET);
						use(n, job.kind, job.peer, below(2));
						if (one_in(4)) child_closes(n, below(2));
						if (one_in(4)) CHECK(dup2(n, n) == n);
						if (one_in(4)) CHECK(dup2(999, n) == -1 && errno == EBADF);
						if (one_in(16)) {
							end_helper();
							CHECK(unshare(CLONE_FILES) == 0);
							new_helper();
						}
					}
					if (old >= 0) close(old);
					if (!step) continue;
					printf("%s to %s at %d: way %d %d by %d\n", names[from], names[to], n, way, job.closer, agent);
					fflush(stdout);
				}
			}
	for (int kind = 0; kind < KINDS; kind++) { // execve closes
		int status;
		become(LOW, REG, 0, 0);
		slots[0] = (struct slot){REG, -1};
		CHECK(fcntl(LOW, F_SETFD, FD_CLOEXEC) == 0);
		use(LOW, REG, -1, 0);
		pid_t pid = fork();
		if (pid == 0) {
			char num[12], what[12];
			snprintf(num, sizeof num, "%d", LOW);
			snprintf(what, sizeof what, "%d", kind);
			use(LOW, REG, -1, 0);
			execl("/proc/self/exe", "descriptors", argv[1], num, what, dir, (char *)0);
			_exit(2);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	snprintf(path, sizeof path, "%s/fifo", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/reg", dir);
	unlink(path);
	rmdir(dir);
	puts("done");
	return 0;
}
