// Takes the fast paths away in every manner, and goes on making calls.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const base = (char *)0x180000;
static const size_t size = 0x4b000;

static void calls(const char *when)
{
	struct stat st;
	long sum = 0;
	for (int i = 0; i < 20; i++)
		sum += stat("/etc/passwd", &st) + access("/nonexistent", F_OK) + syscall(SYS_stat, "/", &st) + (long)st.st_dev;
	printf("%s: %ld\n", when, sum);
	fflush(stdout);
}

static int lines(void)
{
	char line[999];
	int n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, f))
		n += strtoul(line, 0, 16) < 0x200000;
	fclose(f);
	return n;
}

static int pages(void)
{
	int n = 0;
	for (char *q = base; q < base + size; q += 4096)
		n += !msync(q, 4096, MS_ASYNC);
	return n;
}

static int p[2];
static void *reader(void *arg)
{
	char c;
	for (int i = 0; i < 4; i++)
		syscall(SYS_read, p[0], &c, 1); // from libc's call, which is replaced by then
	return arg;
}

int main(int argc, char **argv)
{
	calls("begin");
	switch (atoi(argv[1])) {
	case 0: printf("%d\n", munmap(base, size)); break;
	case 1: printf("%d\n", munmap((char *)0x1000, 0x200000)); break;
	case 2: printf("%d\n", munmap(base + size - 4096, 4096)); break;
	case 3: printf("%d\n", mmap(base + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base + 4096); break;
	case 4: printf("%d\n", mprotect(base, size - 4096, PROT_NONE)); break;
	case 5: printf("%d\n", mremap(base, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, base + (8 << 20)) == base + (8 << 20)); break;
	case 6: { // over it
		char *q = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		printf("%d\n", mremap(q, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, base) == base);
		break;
	}
	case 11: // everybody's
		if (!fork()) {
			printf("%d\n", madvise(0, 1ul << 46, MADV_REMOVE));
			printf("%d\n", madvise(base, size, MADV_REMOVE));
			calls("child");
			exit(0);
		}
		wait(0);
		break;
	case 12: // not for children
		printf("%d\n", madvise((char *)0x1000, 0x200000, MADV_DONTFORK));
		if (!fork()) {
			calls("child");
			exit(0);
		}
		int status;
		wait(&status);
		if (status)
			return 1;
		break;
	case 7: // the parent keeps its own
		if (!fork()) {
			printf("%d\n", munmap(base, size));
			calls("child");
			exit(0);
		}
		wait(0);
		break;
	case 8: { // a thread is inside
		pthread_t t;
		pipe(p);
		for (int i = 0; i < 3; i++)
			write(p[1], "x", 1);
		pthread_create(&t, 0, reader, 0);
		while (p[1] && ioctl(p[0], 0x541b, &argc) == 0 && argc)
			sched_yield();
		for (int i = 0; i < 99; i++)
			sched_yield();
		int r = munmap(base, size);
		printf("%d, %d\n", r, r ? errno == ENOMEM : 1);
		write(p[1], "x", 1);
		pthread_join(t, 0);
		printf("%d\n", munmap(base, size));
		break;
	}
	case 9: { // the file is cut off: what uses it dies, and no more
		int f = open("/sys/kernel/dettrace", O_RDWR);
		printf("%d\n", ftruncate(f, 0));
		break;
	}
	case 10: { // writing to it is refused
		int f = open("/sys/kernel/dettrace", O_RDWR);
		char *q = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
		printf("%d\n", q == MAP_FAILED || !memset(q, 0xff, size));
		break;
	}
	}
	fflush(stdout);
	calls("end");
	printf("%d %d\n", lines(), pages());
	return 0;
}
