// Code that changes while it runs: in private memory, in shared memory through a
// second mapping, and where other code was before. Every version makes system
// calls often enough that they are replaced.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long (*code)(const char *path, long mode);

// put writes a function that makes call nr with its arguments; with a tail that
// has to move with the replaced instruction, or one that begins with the number.
static void put(unsigned char *to, int nr, int version)
{
	static const unsigned char head[] = {0xb8}, call[] = {0x0f, 0x05},
		tail[] = {0x48, 0x89, 0xc1, 0x48, 0x89, 0xc8, 0x90, 0x90}; // mov %rax, %rcx and back
	int n = 0;
	if (version) {
		static const unsigned char shift[] = {0x48, 0x31, 0xc9}; // xor %rcx, %rcx
		memcpy(to, shift, sizeof shift), n = sizeof shift;
	}
	memcpy(to + n, head, 1), memcpy(to + n + 1, &nr, 4), n += 5;
	memcpy(to + n, call, 2), n += 2;
	if (version)
		memcpy(to + n, tail, sizeof tail), n += sizeof tail;
	to[n] = 0xc3;
}

static void use(const char *what, code f, int nr)
{
	static const char *const paths[] = {"/etc/passwd", "/nonexistent", "/etc/passwd/x"};
	int wrong = 0;
	for (int i = 0; i < 40; i++) {
		const char *p = paths[i % 3];
		long want = syscall(nr, p, 0);
		if (want < 0)
			want = i % 3 == 1 ? -2 : -20;
		wrong += f(p, 0) != want;
	}
	printf("%s: call %d, %d wrong\n", what, nr, wrong);
}

int main(void)
{
	unsigned char *m = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 6; i++) {
		put(m, i % 2 ? SYS_access : SYS_rmdir, i / 2 % 2);
		use("rewritten", (code)m, i % 2 ? SYS_access : SYS_rmdir);
	}
	for (int i = 0; i < 4; i++) { // the same address, other memory
		munmap(m, 4096);
		if (mmap(m, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != m)
			return 1;
		put(m, SYS_access, i % 2);
		mprotect(m, 4096, PROT_READ | PROT_EXEC);
		use("mapped again", (code)m, SYS_access);
	}
	int fd = memfd_create("code", 0);
	ftruncate(fd, 4096);
	unsigned char *w = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned char *x = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	for (int i = 0; i < 6; i++) {
		put(w, i % 2 ? SYS_access : SYS_rmdir, i / 2 % 2);
		use("through another mapping", (code)x, i % 2 ? SYS_access : SYS_rmdir);
	}
	return 0;
}
