// Machine section: the CPU, the memory and the kernel.
#include "probe.h"
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <ucontext.h>

static int count_lines(const char *path, const char *prefix)
{
	static char b[1 << 20];
	int n = 0;
	MUST(slurp(path, b, sizeof b) > 0);
	for (char *l = strtok(b, "\n"); l; l = strtok(0, "\n"))
		if (!strncmp(l, prefix, strlen(prefix)))
			n++;
	return n;
}

PROBE(cpu_count)
{
	cpu_set_t s;
	char b[256];
	MUST(sched_getaffinity(0, sizeof s, &s) == 0);
	int n = CPU_COUNT(&s);
	int conf = sysconf(_SC_NPROCESSORS_CONF), onln = sysconf(_SC_NPROCESSORS_ONLN);
	int info = count_lines("/proc/cpuinfo", "processor"), st = count_lines("/proc/stat", "cpu") - 1;
	printf("affinity %d conf %d online %d cpuinfo %d stat %d\n", n, conf, onln, info, st);
	CHECK(conf == onln && info == onln && st == onln);
	const char *f[] = {"online", "possible", "present", "offline", "kernel_max", "isolated"};
	for (int i = 0; i < 6; i++) {
		char p[128];
		snprintf(p, sizeof p, "/sys/devices/system/cpu/%s", f[i]);
		int r = slurp(p, b, sizeof b);
		printf("%s %s\n", f[i], r < 0 ? errname(-r) : b);
	}
	int raw = syscall(SYS_sched_getaffinity, 0, sizeof s, &s);
	printf("mask bytes %d\n", raw);
	int r = slurp("/sys/fs/cgroup/cpu.max", b, sizeof b);
	printf("cpu.max %s\n", r < 0 ? errname(-r) : b);
	char *p;
	static char big[8192];
	MUST(slurp("/proc/self/status", big, sizeof big) > 0);
	if ((p = strstr(big, "Cpus_allowed:")))
		printf("%.60s\n", p);
	CPU_ZERO(&s);
	CPU_SET(0, &s);
	printf("setaffinity %d\n", sched_setaffinity(0, sizeof s, &s));
}

PROBE(cpu_current)
{
	unsigned c, n, aux, a, d;
	for (int i = 0; i < 50; i++) {
		syscall(SYS_getcpu, &c, &n, 0);
		__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(aux));
		printf("%u %u %u %d\n", c, n, aux, sched_getcpu());
		CHECK(c == (aux & 0xfff) && n == aux >> 12);
		sched_yield();
	}
}

// rdpid and lsl of the CPU segment (0x7b) cannot trap; named in the report.
PROBE(cpu_current_untrapped)
{
	unsigned a, b, c, d, lsl = 0;
	unsigned long pid = 0;
	__asm__ volatile("lsl %1, %0" : "=r"(lsl) : "r"(0x7bu));
	__cpuid_count(7, 0, a, b, c, d);
	if (c & 1 << 22)
		__asm__ volatile(".byte 0xf3,0x0f,0xc7,0xf8" : "=a"(pid)); // rdpid %rax
	printf("lsl %u rdpid %lu\n", lsl & 0xfff, pid & 0xfff);
}

PROBE(cpu_rseq)
{
	static struct { uint32_t a, b; uint64_t c; uint32_t f, n, m; } __attribute__((aligned(32))) r;
	long e = syscall(SYS_rseq, &r, 32, 0, 0x53053053);
	printf("rseq %ld %s AT_RSEQ %lx %lx\n", e, errname(e ? errno : 0), auxval(27), auxval(28));
}

PROBE(cpu_cpuid)
{
	unsigned leaf[] = {0, 1, 2, 4, 5, 6, 7, 0xa, 0xb, 0xd, 0x14, 0x15, 0x16, 0x1f, 0x40000000, 0x40000001,
			   0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004, 0x80000006, 0x80000007, 0x80000008, 0x8000001e};
	for (unsigned i = 0; i < sizeof leaf / sizeof *leaf; i++)
		for (unsigned sub = 0; sub < 3; sub++) {
			unsigned a, b, c, d;
			__cpuid_count(leaf[i], sub, a, b, c, d);
			printf("%x.%u %x %x %x %x\n", leaf[i], sub, a, b, c, d);
		}
}

PROBE(cpu_auxv)
{
	printf("HWCAP %lx HWCAP2 %lx HWCAP3 %lx HWCAP4 %lx MINSIGSTKSZ %ld CLKTCK %ld PAGESZ %ld\n", auxval(16),
	       auxval(26), auxval(29), auxval(30), auxval(51), auxval(17), auxval(6));
	char *p = (char *)auxval(15), *b = (char *)auxval(24);
	printf("PLATFORM %s BASE_PLATFORM %s SECURE %ld UID %ld\n", p ? p : "-", b ? b : "-", auxval(23), auxval(11));
	CHECK(auxval(6) == 4096 && auxval(17) == 100);
}

static int frame_size;
static void on_signal(int s, siginfo_t *si, void *u)
{
	(void)s, (void)si;
	ucontext_t *c = u;
	uint32_t *sw = (uint32_t *)((char *)c->uc_mcontext.fpregs + 464);
	frame_size = sw[0] == 0x46505853 ? sw[1] : 512;
	printf("extended size %u xfeatures %lx size %u\n", sw[1], *(uint64_t *)(sw + 2), sw[4]);
}

PROBE(cpu_xsave)
{
	unsigned a = 0, d = 0, b, c, e, f;
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	__cpuid(1, b, c, e, f);
	if (e & bit_OSXSAVE) {
		__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		printf("xcr0 %x %x\n", a, d);
	}
	sigaction(SIGUSR1, &sa, 0);
	raise(SIGUSR1);
	CHECK(frame_size > 0);
	printf("MINSIGSTKSZ %ld\n", sysconf(_SC_MINSIGSTKSZ));
}

PROBE(mem_mapping)
{
	// Which sizes can be mapped must not depend on the host's memory.
	for (int shift = 30; shift <= 47; shift++) {
		void *p = mmap(0, 1ul << shift, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		printf("%d %s\n", shift, errname(p == MAP_FAILED ? errno : 0));
		if (p != MAP_FAILED)
			munmap(p, 1ul << shift);
		p = mmap(0, 1ul << shift, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		printf("%d noreserve %s\n", shift, errname(p == MAP_FAILED ? errno : 0));
		if (p != MAP_FAILED)
			munmap(p, 1ul << shift);
	}
}

PROBE(mem_sysinfo)
{
	struct sysinfo s;
	MUST(sysinfo(&s) == 0);
	printf("total %lu free %lu shared %lu buffer %lu swap %lu/%lu procs %d high %lu unit %u\n", s.totalram, s.freeram,
	       s.sharedram, s.bufferram, s.freeswap, s.totalswap, s.procs, s.totalhigh, s.mem_unit);
	CHECK(s.totalram && s.freeram && s.freeram <= s.totalram && s.mem_unit);
	printf("phys %ld avphys %ld\n", sysconf(_SC_PHYS_PAGES), sysconf(_SC_AVPHYS_PAGES));
}

PROBE(mem_meminfo)
{
	static char b[16384];
	unsigned long kb = 0;
	struct sysinfo s;
	MUST(slurp("/proc/meminfo", b, sizeof b) > 0 && sysinfo(&s) == 0);
	printf("%s", b);
	MUST(sscanf(b, "MemTotal: %lu", &kb) == 1);
	CHECK(kb * 1024 == s.totalram * s.mem_unit, "meminfo %lu kB, sysinfo %lu", kb, s.totalram);
	CHECK(strstr(b, "MemAvailable:") && strstr(b, "SwapTotal:"));
}

PROBE(mem_load)
{
	struct sysinfo s;
	double l[3];
	char b[128];
	MUST(sysinfo(&s) == 0 && getloadavg(l, 3) == 3 && slurp("/proc/loadavg", b, 128) > 0);
	printf("%lu %lu %lu %f %f %f %s", s.loads[0], s.loads[1], s.loads[2], l[0], l[1], l[2], b);
}

PROBE(mem_swap)
{
	char b[1024];
	int n = slurp("/proc/swaps", b, sizeof b);
	printf("%s\n", n < 0 ? errname(-n) : b);
	if (n > 0)
		CHECK(!strncmp(b, "Filename", 8));
}

PROBE(disk_statfs)
{
	const char *p[] = {"/", "/tmp", "/usr", "/proc", "/sys", "/dev", "/dev/shm", "/dev/pts", "."};
	for (int i = 0; i < 9; i++) {
		struct statfs s;
		struct statvfs v;
		if (statfs(p[i], &s)) {
			printf("%s %s\n", p[i], errname(errno));
			continue;
		}
		MUST(statvfs(p[i], &v) == 0);
		printf("%s type=%lx bsize=%ld blocks=%lu free=%lu avail=%lu files=%lu ffree=%lu fsid=%x:%x name=%ld "
		       "frsize=%ld flags=%lx\n",
		       p[i], s.f_type, s.f_bsize, s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree,
		       s.f_fsid.__val[0], s.f_fsid.__val[1], s.f_namelen, s.f_frsize, s.f_flags);
		CHECK(s.f_bavail <= s.f_bfree && s.f_bfree <= s.f_blocks);
		CHECK(s.f_namelen == 255);
	}
}

PROBE(mem_mincore)
{
	unsigned char v[256] = {0};
	static char z[1 << 20];
	spit("f", "");
	int fd = open("f", O_RDWR);
	MUST(write(fd, z, sizeof z) == sizeof z);
	char *m = mmap(0, sizeof z, PROT_READ, MAP_SHARED, fd, 0);
	MUST(m != MAP_FAILED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	int r = mincore(m, sizeof z, v), n = 0;
	for (int i = 0; i < 256; i++)
		n += v[i] & 1;
	printf("written file %s %d pages\n", errname(r ? errno : 0), n);
	int lib = open("/bin/sh", O_RDONLY);
	m = mmap(0, 65536, PROT_READ, MAP_SHARED, lib, 0);
	r = mincore(m, 65536, v);
	for (int i = n = 0; i < 16; i++)
		n += v[i] & 1;
	printf("/bin/sh %s %d pages\n", errname(r ? errno : 0), n);
	struct { char *b; size_t n; } iov = {z, 4096};
	long q = syscall(SYS_preadv2, lib, &iov, 1, 0L, 0L, 8 /* RWF_NOWAIT */);
	printf("preadv2 nowait %ld %s\n", q, errname(q < 0 ? errno : 0));
	struct { uint64_t off, len; } range = {0, 4096};
	uint64_t cs[5] = {0};
	q = syscall(451 /* cachestat */, lib, &range, cs, 0);
	printf("cachestat %s %lu %lu\n", errname(q < 0 ? errno : 0), cs[0], cs[1]);
}

PROBE(mem_numa)
{
	int mode = -1, status = -99;
	unsigned long mask[16] = {0};
	static char page[4096];
	page[0] = 1;
	void *pg = page;
	long r = syscall(SYS_get_mempolicy, &mode, mask, 1024, 0, 0);
	printf("get_mempolicy %s mode %d\n", errname(r ? errno : 0), mode);
	r = syscall(SYS_move_pages, 0, 1, &pg, 0, &status, 0);
	printf("move_pages %s node %d\n", errname(r ? errno : 0), status);
	char b[4096];
	const char *f[] = {"/sys/devices/system/node/online", "/sys/devices/system/node/node0/numastat"};
	for (int i = 0; i < 2; i++) {
		int n = slurp(f[i], b, sizeof b);
		printf("%s: %s\n", f[i], n < 0 ? errname(-n) : b);
	}
}

// Which syscalls exist is told by ENOSYS; every call gets arguments that no
// call accepts, and those that would do harm anyway are left out.
PROBE(kernel_syscalls)
{
	for (int n = 428; n <= 480; n++) {
		if (n == 435 || n == 436 || n == 447) // clone3, close_range, memfd_secret
			continue;
		long r = syscall(n, -1L, -1L, -1L, -1L, -1L, -1L);
		printf("%d %s\n", n, r < 0 && errno == ENOSYS ? "ENOSYS" : "exists");
	}
}

static int show_tree(const char *path, int depth, int *files)
{
	struct dirent **e;
	int n = scandir(path, &e, 0, alphasort);
	if (n < 0) {
		printf("%s %s\n", path, errname(errno));
		return -1;
	}
	for (int i = 0; i < n && *files < 1500; i++) {
		char p[PATH_MAX], b[65536];
		if (e[i]->d_name[0] == '.')
			continue;
		snprintf(p, sizeof p, "%s/%s", path, e[i]->d_name);
		// Reading these waits or has an effect, or is random by design.
		if (!strcmp(e[i]->d_name, "kmsg") || !strcmp(e[i]->d_name, "uuid") || !strcmp(e[i]->d_name, "trace_pipe"))
			continue;
		struct stat st;
		if (lstat(p, &st) || S_ISLNK(st.st_mode))
			continue;
		if (S_ISDIR(st.st_mode)) {
			if (depth)
				show_tree(p, depth - 1, files);
			continue;
		}
		if (!S_ISREG(st.st_mode) || !(st.st_mode & 0444))
			continue;
		int r = slurp(p, b, sizeof b);
		++*files;
		printf("%s %s ", p, r < 0 ? errname(-r) : "");
		if (r > 0)
			printf("%.100s", b);
		if (r <= 0 || r > 100 || b[r - 1] != '\n')
			puts("");
	}
	return 0;
}

PROBE(kernel_settings)
{
	int n = 0;
	CHECK(show_tree("/proc/sys", 8, &n) == 0);
	CHECK(n > 20, "%d settings", n);
}

PROBE(sys_tree)
{
	int n = 0;
	const char *d[] = {"/sys/kernel", "/sys/block", "/sys/class", "/sys/firmware", "/sys/power", "/sys/hypervisor",
			   "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/devices/system/clocksource",
			   "/sys/devices/virtual/dmi/id", "/sys/bus/cpu", "/sys/fs", "/sys/module/kernel"};
	for (int i = 0; i < 13; i++)
		show_tree(d[i], 4, &n);
	printf("%d files\n", n);
}

PROBE(hw_rtc)
{
	struct rtc { int s, m, h, d, mo, y, w, yd, dst; } t = {0};
	int fd = open("/dev/rtc0", O_RDONLY);
	printf("/dev/rtc0 %s\n", errname(fd < 0 ? errno : 0));
	if (fd >= 0) {
		int r = ioctl(fd, 0x80247009, &t);
		printf("RTC_RD_TIME %s %d:%d:%d\n", errname(r ? errno : 0), t.h, t.m, t.s);
	}
	char b[256];
	const char *f[] = {"/sys/class/rtc/rtc0/time", "/sys/class/rtc/rtc0/since_epoch", "/proc/driver/rtc"};
	for (int i = 0; i < 3; i++) {
		int n = slurp(f[i], b, sizeof b);
		printf("%s %s\n", f[i], n < 0 ? errname(-n) : b);
	}
}

PROBE(hw_devices)
{
	struct dirent **e;
	int n = scandir("/dev", &e, 0, alphasort);
	MUST(n > 0);
	for (int i = 0; i < n; i++) {
		char p[300], l[256] = "";
		struct stat st;
		snprintf(p, sizeof p, "/dev/%s", e[i]->d_name);
		MUST(lstat(p, &st) == 0);
		if (S_ISLNK(st.st_mode))
			(void)!readlink(p, l, 255);
		printf("%s %o %lx %s\n", p, st.st_mode, st.st_rdev, l);
	}
	const char *need[] = {"null", "zero", "full", "tty", "ptmx", "pts", "random", "urandom", "shm", "fd", "stdin", "stdout", "stderr"};
	for (int i = 0; i < 13; i++) {
		char p[64];
		snprintf(p, sizeof p, "/dev/%s", need[i]);
		CHECK(faccessat(AT_FDCWD, p, F_OK, AT_SYMLINK_NOFOLLOW) == 0, "%s missing", p);
	}
	char z[16] = "x";
	int fd = open("/dev/zero", O_RDONLY);
	MUST(fd >= 0 && read(fd, z, 16) == 16 && !z[0]);
	fd = open("/dev/full", O_WRONLY);
	MUST(fd >= 0);
	CHECK(write(fd, z, 1) == -1 && errno == ENOSPC);
	fd = open("/dev/null", O_RDWR);
	MUST(fd >= 0);
	CHECK(write(fd, z, 16) == 16 && read(fd, z, 16) == 0);
}
