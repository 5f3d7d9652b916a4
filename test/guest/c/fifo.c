// Opens the FIFOs 0..8 of the directory argv[1], which is there before the run:
// each in another way, with the reader first and with the writer first.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int how_to(int way, int at, const char *name)
{
	struct open_how how = {.flags = O_WRONLY};
	static const struct open_how constant = {.flags = O_WRONLY}; // nobody can write there
	switch (way) {
	case 0:
		return syscall(SYS_open, name, O_WRONLY);
	case 1:
		return syscall(SYS_openat, at, name, O_WRONLY);
	case 2:
		return syscall(SYS_creat, name, 0600);
	case 3:
		return syscall(SYS_openat2, at, name, *name == '8' ? &constant : &how, sizeof how);
	}
	return open(name, O_RDWR); // never waits, and lets a reader go on
}

static void nothing(int sig) { (void)sig; }

int main(int argc, char **argv)
{
	char b[64], name[2] = "0";
	if (argc < 2 || chdir(argv[1]) != 0)
		return 2;
	int at = open(".", O_RDONLY | O_DIRECTORY);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < 5; i++) // the sites of these calls become fast paths
		close(open("/proc/self/comm", O_RDONLY)), close(open(argv[0], O_RDONLY));
	for (int i = 0; i < 9; i++, name[0]++) {
		int way = i % 5;
		pid_t c = fork();
		if (c == 0) {
			if (i & 1)
				usleep(20000); // the reader waits first
			int fd = how_to(way, at, name);
			if (fd < 0 || dprintf(fd, "way %d", way) < 0)
				printf("%d: write: %d\n", i, errno);
			int left = way == 4; // what nobody has read goes with the last who has it open
			while (left > 0 && ioctl(fd, FIONREAD, &left) == 0)
				usleep(1000);
			if (fcntl(fd, F_GETFL) & O_NONBLOCK)
				printf("%d: left nonblocking\n", i);
			_exit(0);
		}
		if (!(i & 1))
			usleep(20000);
		int fd = open(name, O_RDONLY), n = fd < 0 ? -1 : read(fd, b, 63);
		b[n < 0 ? 0 : n] = 0;
		struct stat st;
		fstat(fd, &st);
		printf("%d: %s, mode %o\n", i, b, st.st_mode);
		close(fd);
		waitpid(c, NULL, 0);
	}
	// Nobody opens the other end, and a signal comes.
	struct sigaction sa = {.sa_handler = nothing};
	sigaction(SIGALRM, &sa, NULL);
	ualarm(10000, 10000); // again, if it came before the call
	int fd = open("0", O_RDONLY), e = errno;
	ualarm(0, 0);
	printf("%d %d\n", fd, e == EINTR);
	fd = open("1", O_WRONLY | O_NONBLOCK);
	printf("%d %d\n", fd, errno == ENXIO);
	// A socket gives ENXIO at once, whatever waits for a reader.
	struct sockaddr_un a = {AF_UNIX, "socket"};
	if (bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof a))
		puts("bind");
	for (int way = 0; way < 5; way++)
		printf("socket, way %d: %d", way, how_to(way, at, "socket")), printf(" %d\n", errno == ENXIO);
	ualarm(10000, 10000);
	fd = open("1", O_WRONLY), e = errno;
	ualarm(0, 0);
	printf("%d %d\n", fd, e == EINTR);
	return 0;
}
