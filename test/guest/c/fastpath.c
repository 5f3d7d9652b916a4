// Random calls of the kinds that the fast paths serve, with good and bad
// arguments, each from four places: libc's, one that begins with the number,
// one with the instructions behind it to move, and one that cannot be replaced
// because a branch leads into it. Prints what came back: results, buffers, and
// which registers and flags changed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state = 1;
static uint64_t rnd(void)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return state;
}
static uint64_t pick(uint64_t n) { return rnd() % n; }

// call makes a call at SITE with known values in all registers and in the
// flags, and notes in *bad the registers and flags that were not kept.
#define SITE(name, text)                                                                   \
	__attribute__((noinline)) static long name(long nr, long a, long b, long c, long d, unsigned *bad) \
	{                                                                                  \
		register long ax asm("rax") = nr;                                          \
		register long di asm("rdi") = a;                                           \
		register long si asm("rsi") = b;                                           \
		register long dx asm("rdx") = c;                                           \
		register long r10 asm("r10") = d;                                          \
		register long r8 asm("r8") = 0x1111222233334444;                           \
		register long r9 asm("r9") = 0x5555666677778888;                           \
		register long bx asm("rbx") = 0x0123456789abcdef;                          \
		long flags;                                                                \
		asm volatile("pushq $0x8d7; popfq; " text "; pushfq; popq %[flags]"        \
			     : "+r"(ax), "+r"(di), "+r"(si), "+r"(dx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(bx), \
			       [flags] "=m"(flags)                                         \
			     :                                                             \
			     : "rcx", "r11", "r12", "memory", "cc");                       \
		*bad = (di != a) | (si != b) << 1 | (dx != c) << 2 | (r10 != d) << 3 | (r8 != 0x1111222233334444) << 4 | \
		       (r9 != 0x5555666677778888) << 5 | (bx != 0x0123456789abcdef) << 6 | \
		       ((flags & 0x8d5) != 0x8d5) << 7;                                    \
		return ax;                                                                 \
	}

SITE(tail, "syscall; nop; movq %%rax, %%r12; movq %%r12, %%rax")
SITE(entered, "xorq %%r12, %%r12; jmp 2f; 1: incq %%r12; 2: syscall; testq %%r12, %%r12; jnz 3f; nop; 3: pushq $0x8d7; popfq")

// numbered has the number as an immediate operand, so it is one site per call.
#define NUMBERED(nr) SITE(numbered_##nr, "movl $" #nr ", %%eax; syscall")
NUMBERED(1) NUMBERED(18) NUMBERED(82) NUMBERED(83) NUMBERED(84) NUMBERED(87) NUMBERED(217)
NUMBERED(0) NUMBERED(2) NUMBERED(4) NUMBERED(5) NUMBERED(6) NUMBERED(17) NUMBERED(21)
NUMBERED(13) NUMBERED(16) NUMBERED(61) NUMBERED(137) NUMBERED(318)
NUMBERED(89) NUMBERED(257) NUMBERED(262) NUMBERED(267) NUMBERED(269) NUMBERED(439)

// tsc reads the counter, at a site that can be replaced and at one that cannot.
#define COUNTER(name, text)                                                                    \
	__attribute__((noinline)) static unsigned long name(unsigned *bad)                     \
	{                                                                                      \
		register unsigned long ax asm("rax"), dx asm("rdx");                           \
		register long cx asm("rcx") = 0x1234567812345678, si asm("rsi") = 2, di asm("rdi") = 3; \
		register long r8 asm("r8") = 8, r11 asm("r11") = 0x1111222233334444;           \
		long flags;                                                                    \
		asm volatile("pushq $0x8d7; popfq; " text "; pushfq; popq %[flags]"            \
			     : "=r"(ax), "=r"(dx), "+r"(cx), "+r"(si), "+r"(di), "+r"(r8), "+r"(r11), [flags] "=m"(flags) \
			     :                                                                 \
			     : "memory", "cc");                                                \
		*bad = (cx != 0x1234567812345678) | (si != 2) << 1 | (di != 3) << 2 | (r8 != 8) << 3 | \
		       (r11 != 0x1111222233334444) << 4 | ((flags & 0x8d5) != 0x8d5) << 5 | (ax >> 32 != 0) << 6; \
		return dx << 32 | ax;                                                          \
	}
COUNTER(tsc_tail, "rdtsc; movq %%rsi, %%rsi; movq %%rdi, %%rdi")
COUNTER(tsc_entered, "jmp 2f; 1: nop; 2: rdtsc; jmp 3f; nop; nop; 3:")

static long numbered(long nr, long a, long b, long c, long d, unsigned *bad)
{
	switch (nr) {
#define CASE(n) case n: return numbered_##n(nr, a, b, c, d, bad);
	CASE(1) CASE(18) CASE(82) CASE(83) CASE(84) CASE(87) CASE(217)
	CASE(13) CASE(16) CASE(61) CASE(137) CASE(318)
	CASE(0) CASE(2) CASE(4) CASE(5) CASE(6) CASE(17) CASE(21) CASE(89) CASE(257) CASE(262) CASE(267) CASE(269) CASE(439)
	}
	return tail(nr, a, b, c, d, bad);
}

static long libc(long nr, long a, long b, long c, long d, unsigned *bad)
{
	long r = syscall(nr, a, b, c, d);
	*bad = 0;
	return r == -1 ? -errno : r;
}

static const char *const paths[] = {
	"/", "/etc", "/etc/passwd", "/etc/hostname", "/nonexistent", "/etc/passwd/x", "f", "dir", "dir/..", "link", "loop", "colon",
	"dir/hole", "/dev/null", "/dev/null", "/dev/zero", "/dev/shm", "/dev/shm/s", "/proc/self/exe", "/proc/self/fd/0", "/proc/self/stat", "/proc",
	"/proc/self/fd/5", "/sys", "/sys/kernel", "/tmp", "", ".", "..", "fifo", "suid", "big",
};
// Names that are made, changed and removed.
static const char *const names[] = {"m0", "m1", "m2", "m3/x", "m3", "m4", "m3/y", "/tmp/m5", "/dev/shm/m6", "/proc/self/m7", "fifo", "m4/z"};
static int fds[24];
enum { room = 70000 };
static char *buf, *edge; // of room bytes, and the end of a page: nothing is behind either
static unsigned long act[8]; // the old one may be stored over a part of the new

static uint64_t hash(const void *p, size_t n)
{
	uint64_t h = 14695981039346656037u;
	for (const unsigned char *b = p; n--; b++)
		h = (h ^ *b) * 1099511628211u;
	return h;
}

static long path(void)
{
	switch (pick(16)) {
	case 0: return 0;
	case 1: return 0xdeadbeef000;
	case 2: return (long)strcpy(edge - 3, "/e") ; // its end is at the end of the page
	}
	return (long)paths[pick(sizeof paths / sizeof *paths)];
}
static long name(void) { return pick(12) ? (long)names[pick(sizeof names / sizeof *names)] : path(); }
static long memory(void)
{
	switch (pick(16)) {
	case 0: return 0;
	case 1: return 0xdeadbeef000;
	case 2: return (long)edge - 100;
	case 3: return 0x181000; // the region itself cannot be written
	}
	return (long)buf + pick(64);
}
// source is memory whose content does not depend on what is patched.
static long source(void)
{
	long m = memory();
	return m == 0x181000 ? (long)buf : m;
}
static long descriptor(void) { return pick(8) ? fds[pick(24)] : (long)pick(3) - 2 + (pick(2) ? 1000 : 0); }
static long dirfd(void) { return pick(3) ? AT_FDCWD : descriptor(); }
static long owner(void)
{
	static const long owners[] = {-1, 0, 12, 65535, 65536, 70000, 0xffffffff, 1l << 32 | 34};
	return owners[pick(8)];
}
static long attribute(void)
{
	static const char *const attributes[] = {"user.x", "user.y", "system.posix_acl_access", "system.posix_acl_default", "system.posix_acl_d", "security.capability"};
	return pick(8) ? (long)attributes[pick(6)] : path();
}
static long size(void)
{
	static const long sizes[] = {0, 1, 7, 512, 4096, 4097, 65536, -1};
	return sizes[pick(8)];
}

// talk exchanges messages with a child through pipes, of sizes that fit and
// that do not; the child ends first or is left without a reader.
static void talk(void)
{
	int to[2], from[2], n = pick(6), ends = pick(2);
	static char message[20000];
	long sizes[6], sum = 0, r;
	for (int i = 0; i < 6; i++)
		sizes[i] = 1 + pick(3) * pick(9000);
	pipe(to);
	pipe(from);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		close(to[1]);
		close(from[0]);
		for (int i = 0; i < n && (r = read(to[0], message, sizeof message)) > 0; i++)
			write(from[1], message, r);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 6 - ends; i++) {
		sum = sum * 31 + write(to[1], message, sizes[i]);
		sum = sum * 31 + read(from[0], message, 1 + pick(6000));
	}
	close(to[1]);
	while ((r = read(from[0], message, sizeof message)) > 0)
		sum = sum * 31 + r;
	close(from[0]);
	waitpid(pid, 0, 0);
	printf("talk %lx\n", sum);
}

static int handled;
static void handler(int sig) { handled += sig; }

int main(int argc, char **argv)
{
	// It changes modes of / and /etc.
	char host[64] = "";
	gethostname(host, sizeof host);
	if (strcmp(host, "dettrace"))
		return fprintf(stderr, "only to be run in a container\n"), 1;
	long n = argc > 1 ? atol(argv[1]) : 1000;
	state = argc > 2 ? atol(argv[2]) * 2654435761u + 1 : 1;
	char *two = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(two + 4096, 4096);
	edge = two + 4096;
	const size_t whole = (room + 4095) / 4096 * 4096;
	buf = mmap(0, whole + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(buf + whole, 4096, PROT_NONE); // a hole would be filled
	buf += whole - room;
	mkdir("dir", 0755);
	symlink("/etc/passwd", "link");
	symlink("loop", "loop");
	symlink("a:b", "colon");
	if (argc > 3)
		mkfifo("fifo", 0600);
	close(open("suid", O_CREAT | O_WRONLY, 04755));
	int f = open("f", O_CREAT | O_RDWR, 0640);
	for (int i = 0; i < 3000; i++)
		dprintf(f, "line %d\n", i);
	truncate("dir/hole", (close(open("dir/hole", O_CREAT | O_WRONLY, 0600)), 1 << 20));
	chown("f", 12, 34);
	setxattr("f", "user.x", "value", 5, 0);
	int p[2];
	pipe(p);
	write(p[1], buf, 9000);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 24; i++) {
		switch (i % 8) {
		case 0: fds[i] = f; break;
		case 1: fds[i] = p[0]; break;
		case 2: fds[i] = p[1]; break;
		case 3: fds[i] = open("dir/hole", O_RDONLY); break;
		case 4: fds[i] = open("/etc", O_RDONLY | O_DIRECTORY); break;
		case 5: fds[i] = open("/proc/self/status", O_RDONLY); break;
		case 6: fds[i] = open(i < 8 ? "/dev/zero" : "/dev/null", O_RDONLY); break;
		case 7: fds[i] = open("link", O_PATH); break;
		}
	}
	signal(SIGALRM, handler);
	struct sigaction ign = {.sa_handler = handler};
	if (argc > 4)
		sigaction(SIGCHLD, &ign, 0);
	long (*const sites[])(long, long, long, long, long, unsigned *) = {libc, numbered, tail, entered};
	static const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY, O_RDONLY | O_CLOEXEC, O_DIRECTORY, O_PATH, O_NOFOLLOW, O_RDONLY | O_CREAT, O_RDWR | O_TRUNC, O_TMPFILE | O_RDWR};
	for (long i = 0; i < n; i++) {
		static const int nrs[] = {228, 96, 201, 0, 2, 4, 5, 6, 17, 21, 89, 257, 262, 267, 269, 439, 1, 18, 20, 76, 77, 82, 83, 84, 86, 87, 88, 90, 91, 217, 263, 280, 316, 309, 13, 16, 61, 137, 318, 92, 93, 94, 191, 192, 193, 99};
		long nr = nrs[pick(46)], a = 0, b = 0, c = 0, d = 0;
		static const struct timespec times[] = {{1, 2}, {3, UTIME_NOW}, {5, UTIME_OMIT}, {7, 8}};
		struct iovec v[2] = {{buf, 10}, {buf + 100, 3000}};
		switch (nr) {
		case SYS_clock_gettime: a = (long)pick(14) - 2, b = memory(); break;
		case SYS_rt_sigaction: { // of which only the fault is read back
			static const unsigned long actions[][4] = {{0}, {(unsigned long)SIG_IGN}, {0, SA_RESTART | 0x04000000, 0x1000, 1 << 4}, {(unsigned long)SIG_IGN, 0, 0, -1}};
			memcpy(act, actions[pick(4)], sizeof actions[0]);
			a = pick(4) ? SIGSEGV : SIGUSR1, b = pick(5) ? (long)act : memory(), c = pick(3) ? pick(4) ? memory() : (long)act + 8 : 0, d = pick(8) ? 8 : 4;
			if (b >= (long)buf && b < (long)buf + 100)
				b = 0; // what is there must be no handler
			break;
		}
		case SYS_ioctl: { // the first argument is not read
			static const int requests[] = {TIOCGPGRP, TIOCGWINSZ, TCGETS, FIONREAD, TIOCGPGRP, TIOCGWINSZ};
			a = descriptor(), b = requests[pick(6)] | (pick(4) ? 0 : 1l << 32), c = memory();
			break;
		}
		case SYS_wait4: a = (long)pick(4) - 2, b = memory(), c = pick(6) ? pick(4) : pick(2) ? 4 : 8, d = pick(2) ? memory() : 0; break;
		case SYS_statfs: a = path(), b = memory(); break;
		case SYS_getrandom: a = memory(), b = pick(3) ? 8 : pick(20), c = pick(6); break;
		case SYS_getcpu: a = pick(2) ? memory() : 0, b = pick(2) ? memory() : 0; break;
		case SYS_gettimeofday: a = memory(), b = pick(3) ? 0 : memory(); break;
		case SYS_time: a = pick(2) ? 0 : memory(); break;
		case SYS_write: a = descriptor(), b = source(), c = size(); break;
		case SYS_pwrite64: a = descriptor(), b = source(), c = size(), d = (long)pick(40000) - 10; break;
		case SYS_writev: a = descriptor(), b = (long)v, c = 2; break;
		case SYS_truncate: a = name(), b = (long)pick(20000) - 10; break;
		case SYS_ftruncate: a = descriptor(), b = (long)pick(20000) - 10; break;
		case SYS_rename: case SYS_link: case SYS_symlink: a = name(), b = name(); break;
		case SYS_renameat2: a = dirfd(), b = name(), c = dirfd(), d = name(); break;
		case SYS_mkdir: a = name(), b = 0755; break;
		case SYS_rmdir: case SYS_unlink: a = name(); break;
		case SYS_unlinkat: a = dirfd(), b = name(), c = pick(2) * AT_REMOVEDIR; break;
		case SYS_chown: case SYS_lchown: a = name(), b = owner(), c = owner(); break;
		case SYS_getxattr: case SYS_lgetxattr: a = path(), b = attribute(), c = memory(), d = size(); break;
		case SYS_sysinfo: a = memory(); break;
		case SYS_fgetxattr: a = descriptor(), b = attribute(), c = memory(), d = size(); break;
		case SYS_fchown: a = descriptor(), b = owner(), c = owner(); break;
		case SYS_chmod: a = name(), b = pick(010000); break;
		case SYS_fchmod: a = descriptor(), b = pick(010000); break;
		case SYS_utimensat: a = dirfd(), b = name(), c = pick(4) ? (long)&times[pick(3)] : 0, d = pick(2) * AT_SYMLINK_NOFOLLOW; break;
		case SYS_getdents64: a = descriptor(), b = memory(), c = size(); break;
		case SYS_read: a = descriptor(), b = memory(), c = size(); break;
		case SYS_pread64: a = descriptor(), b = memory(), c = size(), d = (long)pick(40000) - 10; break;
		case SYS_open: a = pick(2) ? name() : path(), b = flags[pick(10)] | O_NONBLOCK, c = 0600; break;
		case SYS_openat: a = dirfd(), b = path(), c = flags[pick(10)] | O_NONBLOCK, d = 0600; break;
		case SYS_stat: case SYS_lstat: a = pick(2) ? name() : path(), b = memory(); break;
		case SYS_fstat: a = descriptor(), b = memory(); break;
		case SYS_newfstatat: a = dirfd(), b = path(), c = memory(), d = pick(3) ? pick(2) * AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH; break;
		case SYS_access: a = path(), b = pick(9); break;
		case SYS_faccessat: a = dirfd(), b = path(), c = pick(9); break;
		case SYS_faccessat2: a = dirfd(), b = path(), c = pick(9), d = pick(2) * AT_SYMLINK_NOFOLLOW | pick(2) * AT_EACCESS; break;
		case SYS_readlink: a = path(), b = memory(), c = size(); break;
		case SYS_readlinkat: a = dirfd(), b = path(), c = memory(), d = size(); break;
		}
		memset(buf, 0x5a, room);
		memset(edge - 200, 0x5a, 200 - 3);
		unsigned bad = 0;
		int at = pick(4);
		long r = sites[at](nr, a, b, c, d, &bad);
		printf("%ld: call %ld at %d: %ld, changed %x, memory %lx %lx, line %d\n", i, nr, at, r, bad, hash(buf, room), hash(edge - 200, 200), handled);
		if (nr == SYS_rt_sigaction) { // what does the kernel, and who mirrors it, say now
			unsigned long now[4] = {0};
			syscall(nr, SIGSEGV, 0, now, 8);
			printf("SIGSEGV %lx %lx %lx %lx, %lx\n", now[0], now[1], now[2], now[3], hash(act, sizeof act));
		}
		if ((nr == SYS_open || nr == SYS_openat) && r >= 0)
			close(r);
		if (pick(4) == 0) {
			unsigned long t = pick(2) ? tsc_tail(&bad) : tsc_entered(&bad);
			printf("counter %lu, changed %x\n", t, bad);
		}
		switch (pick(40)) {
		case 0: { // a child makes calls too
			fflush(stdout);
			pid_t pid = fork();
			if (!pid) {
				struct stat st;
				for (int j = 0; j < 30; j++)
					r += stat(paths[pick(20)], &st) + st.st_ino;
				printf("child %lx\n", r);
				fflush(stdout);
				_exit(0);
			}
			waitpid(pid, 0, 0);
			break;
		}
		case 1: // a timer interrupts some later one
			{
				struct itimerval one = {.it_value = {0, 1 + pick(300)}};
				setitimer(ITIMER_REAL, &one, 0);
			}
			break;
		case 3:
		case 4:
			talk();
			break;
		case 5: {
			struct timeval tv = {0};
			gettimeofday(&tv, 0);
			printf("now %ld %ld %ld\n", tv.tv_sec, tv.tv_usec, time(0));
			break;
		}
		case 2: {
			struct timespec ts;
			clock_gettime(CLOCK_REALTIME, &ts);
			printf("now %ld\n", ts.tv_nsec);
			break;
		}
		}
	}
	return 0;
}
