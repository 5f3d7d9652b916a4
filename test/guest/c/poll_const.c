// select(2), pselect6(2) and ppoll(2) with a time that is a constant, and select(2) of
// a pipe that has hung up, which is told to those who want to read.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct timeval hour = {3600, 0};
static const struct timespec exact = {3600, 0};

int main(void)
{
	time_t start = time(0);
	printf("%ld", syscall(SYS_select, 0, 0, 0, 0, &hour));
	printf(" %ld", syscall(SYS_pselect6, 0, 0, 0, 0, &exact, 0));
	int p[2];
	fd_set set, other;
	pipe(p), close(p[1]);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	other = set;
	printf(" %ld", syscall(SYS_select, p[0] + 1, 0, &set, &other, &hour));
	FD_SET(p[0], &set);
	printf(" %ld", syscall(SYS_select, p[0] + 1, &set, 0, 0, &hour));
	FD_ZERO(&set);
	FD_SET(900, &set); // is beyond the table of descriptors, and not looked at
	printf(" %ld", syscall(SYS_select, 1000, &set, 0, 0, &hour));
	printf(" %ld, ", syscall(SYS_ppoll, 0, 0, &exact, 0, 8));
	printf("%ld s\n", (long)(time(0) - start));
}
