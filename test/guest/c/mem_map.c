// What can be mapped depends on the memory that the machine is said to have.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static void map(const char *what, size_t n, int prot, int flags)
{
	errno = 0;
	char *p = mmap(0, n, prot, flags, -1, 0);
	printf("%s %s", what, p == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	if (p == MAP_FAILED) {
		puts("");
		return;
	}
	if (!(prot & PROT_WRITE))
		printf(" mprotect %d", mprotect(p, n, PROT_READ | PROT_WRITE));
	p[0] = p[n - 1] = 1;
	printf(" munmap %d\n", munmap(p, n));
}

int main(void)
{
	struct sysinfo s;
	sysinfo(&s);
	size_t total = s.totalram * s.mem_unit, gib = 1ul << 30;
	int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	printf("total %zu\n", total);
	map("6 GiB", 6 * gib, rw, anon);
	map("all", total, rw, anon);
	map("more", total + 4096, rw, anon);
	map("1 TiB", 1024 * gib, rw, anon);
	map("1 TiB noreserve", 1024 * gib, rw, anon | MAP_NORESERVE);
	map("1 TiB none", 1024 * gib, PROT_NONE, anon);
	map("shared more", total + 4096, rw, MAP_SHARED | MAP_ANONYMOUS);
	map("shared all", total, rw, MAP_SHARED | MAP_ANONYMOUS);
	map("nothing", 0, rw, anon);
	map("256 TiB", 1ul << 48, rw, anon);
	map("huge", 1 << 21, rw, anon | MAP_HUGETLB);
	map("droppable", 4096, rw, 8 | MAP_ANONYMOUS);
	char *p = mmap(0, 4096, rw, anon, -1, 0);
	char *q = mremap(p, 4096, total + 4096, MREMAP_MAYMOVE);
	printf("grow to more %s\n", q == MAP_FAILED ? strerrorname_np(errno) : "moved");
	register long r10 __asm__("r10") = anon; // as every call, it must keep the arguments
	long r;
	__asm__ volatile("syscall" : "=a"(r), "+r"(r10) : "0"(9l), "D"(0l), "S"(6 * gib), "d"((long)rw) : "rcx", "r11", "memory");
	printf("r10 %s\n", r10 == anon ? "kept" : "changed");
	char *heap = sbrk(0);
	printf("heap all %d", brk(heap + total - gib));
	printf(" more %d", brk(heap + total + gib));
	printf(" %s\n", sbrk(0) == heap + total - gib ? "unchanged" : "moved");
	brk(heap);
	int fd = memfd_create("x", MFD_HUGETLB);
	printf("memfd huge %d %s\n", fd, strerrorname_np(errno));
	return 0;
}
