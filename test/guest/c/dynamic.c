// What programs that are linked dynamically do near the top of their address space.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long r) { printf("%s %s\n", what, r == -1 ? strerrorname_np(errno) : "ok"); }

static void nothing(void) {}

static long wake(unsigned long addr) { return syscall(SYS_futex, addr, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0); }

static void map(const char *what, const char *path, int mode, size_t size, off_t at) {
	int fd = open(path, mode);
	char *p = mmap(0, size, PROT_READ, MAP_SHARED, fd, at);
	say(what, p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED) {
		if (mode != O_RDONLY)
			printf("  %.5s\n", p);
		munmap(p, size);
	}
	close(fd);
}

static unsigned turn;

static void *waiter(void *p) {
	for (unsigned i = 0; i < 30; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) == i)
			syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, i, 0, 0, 0);
		dprintf(1, "woken %u\n", i);
	}
	return 0;
}

int main(int argc, char **argv) {
	struct timespec t;
	if (argc > 1 && !strcmp(argv[1], "clock"))
		return clock_gettime(CLOCK_MONOTONIC, &t);
	if (argc > 1) { // many
		static pthread_once_t once[500];
		for (int i = 0; i < 500; i++)
			pthread_once(&once[i], nothing);
		for (int i = 0; i < 500; i++)
			sched_yield();
		int fd = open(argv[0], O_RDONLY);
		for (int i = 0; i < 500; i++)
			munmap(mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0), 4096);
		return 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	long before = t.tv_nsec;
	unsigned word = 0;
	say("wake on the stack", wake((unsigned long)&word));
	for (int i = 0; i < 10; i++)
		wake((unsigned long)&word);
	say("wake at the end", wake(0x7fffffffeffc));
	say("wake at TASK_SIZE_MAX", wake(0x7ffffffff000));
	say("wake of the kernel's", wake(0x800000000000));
	say("wake far above", wake(0xffffffff81000000));
	say("wake of a part", wake((unsigned long)&word + 2));

	int fd = open("/tmp/f", O_CREAT | O_RDWR, 0600);
	write(fd, "inner", 5);
	close(fd);
	for (int i = 0; i < 8; i++) {
		map("map", "/tmp/f", O_RDWR, 4096, 0);
		map("map what is not to be read", "/tmp/f", O_WRONLY, 4096, 0);
		map("map at a bad place", "/tmp/f", O_RDONLY, 4096, 1);
		map("map nothing", "/tmp/f", O_RDONLY, 0, 0);
		map("map a directory", "/tmp", O_RDONLY, 4096, 0);
		map("map /dev/null", "/dev/null", O_RDONLY, 4096, 0);
		map("map no descriptor", "/tmp/none", O_RDONLY, 4096, 0);
		map("map 5 GiB", "/tmp/f", O_RDONLY, 5ul << 30, 0);
	}
	struct stat a, b;
	stat("/tmp/f", &a);
	fd = open("/tmp/f", O_RDWR);
	char *p = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
	say("mprotect", mprotect(p, 4096, PROT_READ | PROT_WRITE));
	p[0] = 'I';
	munmap(p, 4096);
	stat("/tmp/f", &b);
	printf("modified %ld later\n", b.st_mtim.tv_nsec - a.st_mtim.tv_nsec);
	fflush(stdout);
	pthread_t other;
	pthread_create(&other, 0, waiter, 0);
	for (int i = 0; i < 30; i++) {
		for (int j = 0; j < 10; j++)
			sched_yield(); // to the one that waits: nobody
		__atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
		wake((unsigned long)&turn);
		sched_yield();
		dprintf(1, "yielded %d\n", i);
	}
	pthread_join(other, 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%ld ns\n", t.tv_nsec - before);
	return 0;
}
