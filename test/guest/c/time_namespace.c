// clone3(2) with CLONE_NEWTIME, the bit that is part of the signal in clone(2).
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	uint64_t args[8] = {0x80, 0, 0, 0, SIGCHLD};
	long r = syscall(SYS_clone3, args, sizeof args);
	if (r == 0)
		_exit(0);
	printf("%s\n", r < 0 ? strerrorname_np(errno) : "made");
}
