// What fstat(2) and newfstatat(2) say of pipes, and where they cannot say it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct stat s;

static void show(const char *what, int r, const struct stat *b)
{
	if (r < 0) {
		printf("%s %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s %lx:%lu %o links %lu of %u:%u size %ld in %ld blocks of %ld, at %ld.%ld\n", what,
	       b->st_dev, b->st_ino, b->st_mode, b->st_nlink, b->st_uid, b->st_gid, b->st_size,
	       b->st_blocks, b->st_blksize, b->st_mtim.tv_sec, b->st_mtim.tv_nsec);
}

int main(int argc, char **argv)
{
	int p[2], path;

	if (argc > 1) { // many calls, and nothing else
		for (int i = 0; i < 500; i++)
			if (syscall(SYS_fstat, 0, &s) < 0)
				return 1;
		return 0;
	}
	char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pipe(p) < 0 || write(p[1], "abc", 3) != 3 || munmap(m + 4096, 4096) < 0)
		return 1;
	show("reader", syscall(SYS_fstat, p[0], &s), &s);
	memset(&s, 0xff, sizeof s);
	show("writer", syscall(SYS_newfstatat, p[1], "", &s, AT_EMPTY_PATH), &s);
	path = open("/proc/self/fd/0", O_PATH);
	show("path", syscall(SYS_fstat, path, &s), &s);
	show("input", syscall(SYS_fstat, 0, &s), &s);
	show("below", syscall(SYS_newfstatat, p[1], "x", &s, AT_EMPTY_PATH), &s);
	show("no flag", syscall(SYS_newfstatat, p[1], "", &s, 0), &s);
	show("no buffer", syscall(SYS_fstat, p[0], 8), &s);
	show("half a buffer", syscall(SYS_fstat, p[0], m + 4000), &s);
	printf("left in it %d\n", memcmp(m + 4000, m, 96));
	mprotect(m, 4096, PROT_READ);
	show("read-only", syscall(SYS_fstat, p[0], m), &s);
	show("closed", syscall(SYS_fstat, 99, &s), &s);
	return 0;
}
