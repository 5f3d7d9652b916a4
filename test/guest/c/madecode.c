// Makes memory executable that it has written, in the way that its argument names.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	void *m = MAP_FAILED;
	const int anonymous = MAP_ANONYMOUS;
	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "mprotect")) {
		m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | anonymous, -1, 0);
		if (mprotect(m, 4096, PROT_READ | PROT_EXEC))
			return 1;
	} else if (!strcmp(argv[1], "memfd")) {
		int fd = memfd_create("code", 0);
		ftruncate(fd, 4096);
		m = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	} else if (!strcmp(argv[1], "shared")) {
		m = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | anonymous, -1, 0);
	}
	if (m == MAP_FAILED)
		return 1;
	puts("made");
	return 0;
}
