// Calls on files that would wait, with arguments by which they end before that: of
// nothing, into what is no memory, by a file that cannot do it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char buf[4096];

// A call that waits all the same ends by a signal.
#define TRY(what, ...)                                                                   \
	do {                                                                             \
		fflush(stdout);                                                          \
		pid_t pid = fork();                                                      \
		int status;                                                              \
		if (pid == 0) {                                                          \
			alarm(20);                                                       \
			long r = (__VA_ARGS__);                                          \
			printf(" %s:", what);                                            \
			r < 0 ? printf("%s", strerrorname_np(errno)) : printf("%ld", r); \
			fflush(stdout);                                                  \
			_exit(0);                                                        \
		}                                                                        \
		waitpid(pid, &status, 0);                                                \
		if (status)                                                              \
			printf(" %s: waits", what);                                      \
	} while (0)

int main(void)
{
	int p[2], q[2], stream[2], dgram[2];
	sigset_t usr1;
	sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	if (pipe(p) || pipe(q) || socketpair(AF_UNIX, SOCK_STREAM, 0, stream) || socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram))
		return 1;
	int file = memfd_create("m", 0), event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	int epoll = epoll_create1(0), signals = signalfd(-1, &usr1, 0), pid = syscall(SYS_pidfd_open, getpid(), 0), watch = inotify_init();
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, slave;
	ioctl(master, TIOCSPTLCK, &unlocked);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	struct {
		const char *name;
		int fd, waits; // waits: a read of one byte would
	} files[] = {{"pipe", p[0], 1}, {"stream", stream[0], 1}, {"dgram", dgram[0], 1}, {"event", event, 0}, {"timer", timer, 0}, {"epoll", epoll, 0},
		     {"signals", signals, 0}, {"pid", pid, 0}, {"tcp", socket(AF_INET, SOCK_STREAM, 0), 0}, {"slave", slave, 1}, {"watch", watch, 2}};
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		int fd = files[i].fd;
		struct iovec none = {buf, 0}, huge = {buf, -1}, one = {buf, 1};
		printf("%s", files[i].name);
		if (files[i].waits < 2)
			TRY("read 0", read(fd, buf, 0));
		if (!files[i].waits)
			TRY("read 4", read(fd, buf, 4));
		TRY("readv -1", syscall(SYS_readv, fd, &one, -1));
		TRY("readv bad", syscall(SYS_readv, fd, 8, 1));
		TRY("readv huge", syscall(SYS_readv, fd, &huge, 1));
		TRY("readv none", syscall(SYS_readv, fd, &none, 1));
		if (fd != p[0])
			TRY("write", files[i].waits ? 0 : write(fd, buf, 4));
		if (fd != p[0] && fd != watch) {
			TRY("writev -1", syscall(SYS_writev, fd, &one, -1));
			TRY("writev none", syscall(SYS_writev, fd, &none, 1));
		}
		if (files[i].waits == 1 && fd != slave)
			TRY("nowait", preadv2(fd, &one, 1, -1, RWF_NOWAIT));
		TRY("getdents", syscall(SYS_getdents64, fd, buf, sizeof buf));
		TRY("splice none", syscall(SYS_splice, fd, 0, q[1], 0, 0, 0));
		TRY("tee flags", syscall(SYS_tee, fd, q[1], 1, 99));
		printf("\n");
	}
	printf("pipes");
	off_t negative = -5, offset = 0;
	TRY("splice itself", syscall(SYS_splice, p[0], 0, p[1], 0, 1, 0));
	TRY("splice offset", syscall(SYS_splice, p[0], &offset, q[1], 0, 1, 0));
	TRY("tee itself", syscall(SYS_tee, p[0], p[1], 1, 0));
	TRY("tee a file", syscall(SYS_tee, p[0], file, 1, 0));
	fcntl(q[1], F_SETFL, O_NONBLOCK);
	while (write(q[1], buf, sizeof buf) > 0)
		;
	fcntl(q[1], F_SETFL, 0);
	TRY("sendfile negative", syscall(SYS_sendfile, q[1], file, &negative, 1));
	TRY("sendfile bad", syscall(SYS_sendfile, q[1], file, 8, 1));
	printf("\nsockets");
	struct timespec wrong = {0, -1};
	TRY("recvmsg bad", syscall(SYS_recvmsg, stream[0], 8, 0));
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	struct msghdr many = {.msg_iov = (void *)buf, .msg_iovlen = 2000}, negative_name = {.msg_name = buf, .msg_namelen = -1};
	TRY("recvmsg bad, udp", syscall(SYS_recvmsg, udp, 8, 0));
	TRY("recvmsg many, udp", syscall(SYS_recvmsg, udp, &many, 0));
	TRY("recvmsg name, udp", syscall(SYS_recvmsg, udp, &negative_name, 0));
	TRY("readv bad, udp", syscall(SYS_readv, udp, 8, 1));
	TRY("recvmmsg none", syscall(SYS_recvmmsg, dgram[0], buf, 0, 0, 0));
	TRY("recvmmsg time", syscall(SYS_recvmmsg, dgram[0], buf, 1, 0, &wrong));
	TRY("urgent", recv(dgram[0], buf, 1, MSG_OOB));
	TRY("accept stream", accept(stream[0], 0, 0));
	TRY("accept dgram", accept(dgram[0], 0, 0));
	printf("\nothers");
	struct pollfd quiet = {p[0], POLLIN};
	struct {
		const void *mask;
		size_t size;
	} sized = {&usr1, 4};
	TRY("ppoll size", syscall(SYS_ppoll, &quiet, 1, 0, &usr1, 4));
	TRY("pselect size", syscall(SYS_pselect6, 0, 0, 0, 0, 0, &sized));
	TRY("epoll size", syscall(SYS_epoll_pwait, epoll, buf, 1, -1, &usr1, 4));
	TRY("epoll2 size", syscall(SYS_epoll_pwait2, epoll, buf, 1, 0, &usr1, 4));
	// Of an unsigned int the kernel takes the lower half.
	TRY("poll high", ({
		    struct pollfd f = {p[0], POLLIN};
		    if (fork() == 0) {
			    usleep(1000);
			    write(p[1], "x", 1);
			    _exit(0);
		    }
		    syscall(SYS_poll, &f, 7ul << 32 | 1, -1);
	    }));
	TRY("epoll none", epoll_wait(epoll, (void *)buf, 0, -1));
	TRY("epoll pipe", epoll_wait(p[0], (void *)buf, 1, -1));
	TRY("timer flags", ({ struct itimerspec s = {{0, 0}, {0, 5}}; timerfd_settime(timer, 4, &s, 0); }));
	TRY("random bad", write(open("/dev/urandom", O_RDWR), (void *)8, 8));
	TRY("path ioctl", ioctl(open("/", O_PATH), 0x12345678, 0));
	TRY("watch bytes", ({ int n = 7; ioctl(watch, FIONREAD, &n) ?: n; }));
	TRY("memory getdents", syscall(SYS_getdents64, file, buf, sizeof buf));
	printf("\n");
}
