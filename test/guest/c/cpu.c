// What a program sees of the CPU, by all the ways to look at it.
#define _GNU_SOURCE
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned leaves[] = {0, 1, 2, 4, 5, 7, 11, 13, 0x14, 0x15, 0x1f, 0x40000000, 0x80000000, 0x80000001,
				  0x80000002, 0x80000003, 0x80000004, 0x80000006, 0x80000007, 0x80000008, 0x8000001e};

static void show(const char *how, unsigned leaf, unsigned sub, const unsigned *r)
{
	printf("%s %x.%x %x %x %x %x\n", how, leaf, sub, r[0], r[1], r[2], r[3]);
}

static void all(const char *how)
{
	for (unsigned i = 0; i < sizeof leaves / sizeof *leaves; i++)
		for (unsigned sub = 0; sub < 3; sub++) {
			unsigned r[4];
			__cpuid_count(leaves[i], sub, r[0], r[1], r[2], r[3]);
			show(how, leaves[i], sub, r);
		}
}

// A site with nothing around that could be moved: it traps. Flags and the
// other registers stay.
static void trapped(unsigned leaf, unsigned *r)
{
	unsigned long flags, other = 0x1234567890abcdef;
	__asm__ volatile("mov %5, %%r12\n\tmov $-1, %%r13\n\tadd $1, %%r13\n\tjmp 1f\n"
			 "0:\tjmp 2f\n1:\tcpuid\n\tjmp 0b\n2:\tpushf\n\tpop %4\n\tmov %%r12, %5"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]), "=&r"(flags), "+&r"(other)
			 : "0"(leaf), "2"(0)
			 : "r12", "r13", "cc", "memory");
	printf("flags %lx, other %lx\n", flags & 0x8d5, other);
}

// Code that is made while the program runs, as HotSpot does: after other code
// in the same memory, and more than once.
static void made(void)
{
	// mov %rdx, %r8; mov %edi, %eax; mov %esi, %ecx; push %rbx; cpuid
	// mov %eax, (%r8); mov %ebx, 4(%r8); mov %ecx, 8(%r8); mov %edx, 12(%r8); pop %rbx; ret
	static const unsigned char code[] = {0x49, 0x89, 0xd0, 0x89, 0xf8, 0x89, 0xf1, 0x53, 0x0f, 0xa2, 0x41, 0x89, 0x00, 0x41, 0x89,
					     0x58, 0x04, 0x41, 0x89, 0x48, 0x08, 0x41, 0x89, 0x50, 0x0c, 0x5b, 0xc3};
	unsigned char *p = mmap(0, 1 << 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p[0] = 0xc3; // ret
	((void (*)(void))p)();
	((void (*)(void))p)();
	for (int i = 1; i < 4; i++) {
		unsigned r[4];
		memcpy(p + 5000 * i, code, sizeof code);
		((void (*)(unsigned, unsigned, unsigned *))(p + 5000 * i))(i, 0, r);
		show("made", i, 0, r);
	}
}

// getauxval(3) shows another value: that of glibc's own.
static unsigned long hwcap(void)
{
	unsigned long *a = (unsigned long *)environ;
	while (*a++)
		;
	while (*a != AT_HWCAP)
		a += 2;
	return a[1];
}

int main(void)
{
	unsigned r[4];
	all("cpuid");
	trapped(1, r);
	show("trapped", 1, 0, r);
	made();
	__cpuid(1, r[0], r[1], r[2], r[3]);
	if (r[2] & bit_OSXSAVE) {
		unsigned a, d;
		__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		printf("xgetbv %x %x\n", a, d);
	}
	for (int i = 0; i < 3; i++) {
		unsigned long v = 0;
		unsigned char ok = 0;
		__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(v), "=r"(ok)::"cc");
		printf("rdrand %lx %d\n", v, ok);
	}
	printf("hwcap %lx\n", hwcap());
	fflush(stdout);
	if (fork() == 0) {
		all("child");
		fflush(stdout);
		_exit(0);
	}
	wait(0);
	if (munmap((void *)0x180000, 0x4b000) == 0)
		all("without");
	return 0;
}
