// Calls made on a stack that ends right below the red zone: what lies there is
// somebody else's, and must be the same after them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char memory[16384] __attribute__((aligned(4096)));

static long call(long nr, long a, long b, long c, long d, long e)
{
	register long ax asm("rax") = nr;
	register long di asm("rdi") = a;
	register long si asm("rsi") = b;
	register long dx asm("rdx") = c;
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register void *stack asm("rbx") = memory + 8192;
	asm volatile("xchgq %%rsp, %%rbx; syscall; xchgq %%rsp, %%rbx" : "+r"(ax), "+r"(stack) : "r"(di), "r"(si), "r"(dx), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ax;
}

static void look(const char *what, long r)
{
	int changed = 0;
	for (int i = 0; i < 8192 - 128; i++)
		changed += memory[i] != (unsigned char)(i * 7 + 1);
	if (strcmp(what, "begin"))
		printf("%s: %s, %d changed\n", what, r < 0 ? strerrorname_np(-r) : "ok", changed);
	for (unsigned i = 0; i < sizeof memory; i++)
		memory[i] = i * 7 + 1;
	fflush(stdout);
}

static const struct { long flags, mode, resolve; } how = {O_RDONLY, 0, 0};

int main(void)
{
	look("begin", 0);
	close(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	unlink("fifo");
	mkfifo("fifo", 0600);
	long r = call(SYS_chown, (long)"file", 70000, 70000, 0, 0); // natively root's to do
	look("chown", r == -EPERM ? 0 : r);
	if (fork() == 0)
		_exit(7);
	look("waitid", call(SYS_waitid, P_ALL, 0, 0, WEXITED, 0));
	look("waitid none", call(SYS_waitid, P_ALL, 0, 0, WEXITED, 0));
	pid_t p = fork();
	if (p == 0) {
		_exit(open("fifo", O_RDONLY) < 0);
	}
	r = call(SYS_open, (long)"fifo", O_WRONLY, 0, 0, 0);
	look("writer", r);
	close(r);
	waitpid(p, 0, 0);
	p = fork();
	if (p == 0)
		_exit(open("fifo", O_WRONLY) < 0);
	look("reader", call(SYS_openat2, AT_FDCWD, (long)"fifo", (long)&how, sizeof how, 0));
	waitpid(p, 0, 0);
	unlink("fifo");
}
