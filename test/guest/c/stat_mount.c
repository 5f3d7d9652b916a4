// Prints what statx(2) says of mounts.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int main(void)
{
	static const char *const path[] = {"/", "/usr", "/proc", "/proc/sys", "/proc/cpuinfo", "/sys", "/sys/kernel", "/dev", "/dev/null",
					   "/dev/pts", "/dev/shm", "/dev/mqueue"};
	struct statx x;

	for (unsigned i = 0; i < sizeof path / sizeof *path; i++) {
		if (statx(AT_FDCWD, path[i], AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x))
			return 1;
		printf("%s %s id %s%llu mask %x of %llx", path[i], x.stx_attributes & 0x2000 ? "top" : "inside", x.stx_mask & 0x1000 ? "" : "none ",
		       *(unsigned long long *)((char *)&x + 0x90), x.stx_mask, x.stx_attributes_mask);
		if (statx(AT_FDCWD, path[i], AT_SYMLINK_NOFOLLOW, 0x4000, &x))
			return 1;
		printf(" unique %x\n", x.stx_mask & 0x4000 ? (unsigned)*(unsigned long long *)((char *)&x + 0x90) : 0);
	}
	return 0;
}
