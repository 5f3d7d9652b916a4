// Supplementary groups, and advice about memory that Linux may follow or not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void show(const char *what, int r) { printf("%s %d %s\n", what, r, r < 0 ? strerrorname_np(errno) : ""); }

int main(void) {
	gid_t g[8];
	show("setgroups", setgroups(3, (gid_t[]){27, 4, 4}));
	int n = getgroups(8, g);
	show("getgroups", n);
	for (int i = 0; i < n; i++) printf(" %d", g[i]);
	show("\ntoo few", getgroups(2, g));
	show("negative", getgroups(-1, g));
	show("fault", getgroups(8, (void *)1));
	show("count", getgroups(0, 0));
	show("too many", setgroups(65537, g));
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, "Groups", 6)) fputs(line, stdout);
	show("none", setgroups(0, 0));
	show("getgroups", getgroups(8, g));

	char *p = mmap(0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 8 * 4096);
	show("cold", madvise(p, 4096, MADV_COLD));
	show("pageout", madvise(p, 4096, MADV_PAGEOUT));
	printf("kept %d\n", p[0]);
	show("unaligned", madvise(p + 1, 4096, MADV_COLD));
	show("free unaligned", madvise(p + 1, 4096, MADV_FREE));
	int fd = open("/etc/passwd", O_RDONLY);
	mmap(p + 4 * 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	munmap(p + 6 * 4096, 4096);
	show("free of a file", madvise(p + 3 * 4096, 3 * 4096, MADV_FREE));
	show("free with a hole", madvise(p + 5 * 4096, 3 * 4096, MADV_FREE));
	show("cold with a hole", madvise(p + 5 * 4096, 3 * 4096, MADV_COLD));
	show("free", madvise(p, 2 * 4096, MADV_FREE));
	show("empty", madvise(p, 0, MADV_FREE));
	show("unknown", madvise(p, 4096, 77));
	return 0;
}
