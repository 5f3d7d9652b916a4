// Calls whose path begins before the buffer for their answer and reaches into it,
// or whose buffer can be written only in part: what they return, natively and where
// a call that was made inside the guest is made once more.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static char *room; // two pages, behind them nothing

static const char *const paths[] = {"/proc/self/status", "/dev/null", "/dev/zero", "/etc/passwd", "/", "colon", "/nowhere/at/all", "/proc/self/fd/0", "plain"};

static long call(int which, const char *path, void *buf)
{
	switch (which) {
	case 0: return syscall(SYS_stat, path, buf);
	case 1: return syscall(SYS_lstat, path, buf);
	case 2: return syscall(SYS_newfstatat, AT_FDCWD, path, buf, 0);
	case 3: return syscall(SYS_readlink, path, buf, 100);
	case 4: return syscall(SYS_readlinkat, AT_FDCWD, path, buf, 100);
	case 5: return syscall(SYS_readlink, path, buf, 0);
	default: return syscall(SYS_statfs, path, buf);
	}
}

int main(void)
{
	setvbuf(stdout, 0, _IOFBF, 1 << 16);
	unlink("colon"), unlink("plain");
	if (symlink("there:is:one", "colon") || symlink("passwd", "plain") || open("/dev/zero", O_RDONLY) < 0)
		return 1;
	dup2(open("/dev/zero", O_RDONLY), 0);
	room = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(room + 2 * 4096, 4096, PROT_NONE);
	char *end = room + 2 * 4096;
	struct { const char *name; char *path, *buf; } places[] = {
		{"apart", room, room + 4096},
		{"one inside", room, room + 1},
		{"five inside", room + 100, room + 105},
		{"at its end", room + 100, room + 120},
		{"over a page", room + 4096 - 4, room + 4096 + 1},
		{"same", room, room},
		{"behind", room + 64, room},
		{"end missing", room, end - 90},
		{"end missing, one inside", end - 64, end - 63},
		{"end missing, five inside", end - 61, end - 56},
		{"missing", room, end},
		{"no path", end, room},
		{"neither", end, end + 8},
		{"null buffer", room, 0},
	};
	for (int which = 0; which < 7; which++)
		for (unsigned p = 0; p < sizeof places / sizeof *places; p++) {
			printf("%d %s:", which, places[p].name);
			for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
				for (int again = 0; again < 2; again++) {
					memset(room, 'x', 2 * 4096);
					if (places[p].path < end)
						memcpy(places[p].path, paths[i], strlen(paths[i]) + 1);
					long r = call(which, places[p].path, places[p].buf);
					printf(" %s", r < 0 ? strerrorname_np(errno) : r ? "some" : "0");
				}
			printf("\n");
		}
}
