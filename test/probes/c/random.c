// Randomness and layout section.
#include "probe.h"
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/sendfile.h>

static void hex(const char *l, const void *p, size_t n)
{
	const unsigned char *c = p;
	printf("%s ", l);
	while (n--)
		printf("%02x", *c++);
	puts("");
}

// A stream of random bytes is neither constant nor lopsided.
static void looks_random(const unsigned char *p, size_t n)
{
	long ones = 0;
	int seen[256] = {0}, kinds = 0;
	for (size_t i = 0; i < n; i++) {
		ones += __builtin_popcount(p[i]);
		kinds += !seen[p[i]]++;
	}
	long mid = n * 4, tol = n / 4;
	CHECK(ones > mid - tol && ones < mid + tol, "%ld ones in %zu bytes", ones, n);
	CHECK(kinds > (n >= 1024 ? 230 : 20), "%d kinds of byte", kinds);
}

PROBE(rnd_getrandom)
{
	static unsigned char b[4096], c[4096];
	unsigned flags[] = {0, GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE};
	for (int i = 0; i < 4; i++) {
		MUST(syscall(SYS_getrandom, b, 64, flags[i]) == 64);
		hex("getrandom", b, 64);
	}
	MUST(syscall(SYS_getrandom, b, 4096, 0) == 4096);
	MUST(syscall(SYS_getrandom, c, 4096, 0) == 4096);
	looks_random(b, 4096);
	CHECK(memcmp(b, c, 4096), "repeats itself");
	CHECK(syscall(SYS_getrandom, b, 16, 0x80) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_getrandom, b, 16, GRND_RANDOM | GRND_INSECURE) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_getrandom, (void *)8, 16, 0) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_getrandom, b, 0, 0) == 0);
	CHECK(syscall(SYS_getrandom, c, 16, 1UL << 32) == 16); // flags are 32 bits
	printf("%lx\n", hash_bytes(HASH0, b, 4096));
}

// Two processes must not get the same bytes.
PROBE(rnd_fork)
{
	unsigned char mine[16], theirs[16];
	int p[2];
	MUST(pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		getrandom(mine, 16, 0);
		_exit(write(p[1], mine, 16) != 16);
	}
	getrandom(mine, 16, 0);
	wait_ok(pid);
	MUST(read(p[0], theirs, 16) == 16);
	CHECK(memcmp(mine, theirs, 16));
	hex("parent", mine, 16);
	hex("child", theirs, 16);
}

static void device(const char *path)
{
	unsigned char b[4096], c[64];
	int fd = open(path, O_RDONLY), p[2];
	struct stat st;
	MUST(fd >= 0 && fstat(fd, &st) == 0);
	CHECK(S_ISCHR(st.st_mode));
	printf("rdev %lx\n", st.st_rdev);
	MUST(read(fd, b, 1024) == 1024);
	looks_random(b, 1024);
	hex("read", b, 32);
	MUST(pread(fd, c, 64, 0) == 64);
	CHECK(memcmp(b, c, 64), "pread at 0 repeats");
	hex("pread", c, 64);
	struct iovec { void *p; size_t n; } v[2] = {{b, 16}, {b + 16, 16}};
	MUST(syscall(SYS_readv, fd, v, 2) == 32);
	hex("readv", b, 32);
	void *m = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(m == MAP_FAILED && errno == ENODEV);
	MUST(pipe(p) == 0);
	ssize_t n = splice(fd, 0, p[1], 0, 64, 0);
	printf("splice %zd %s\n", n, errname(n < 0 ? errno : 0));
	if (n > 0) {
		MUST(read(p[0], c, n) == n);
		hex("spliced", c, n);
	}
	int out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644);
	off_t zero = 0;
	n = sendfile(out, fd, 0, 64);
	printf("sendfile %zd %s\n", n, errname(n < 0 ? errno : 0));
	if (n > 0) {
		MUST(pread(out, c, n, zero) == n);
		hex("sent", c, n);
	}
	int w = open(path, O_WRONLY);
	if (w >= 0)
		CHECK(write(w, "seed", 4) == 4);
}

PROBE(rnd_urandom) { device("/dev/urandom"); }
PROBE(rnd_random) { device("/dev/random"); }

PROBE(rnd_auxv)
{
	void *p = (void *)getauxval(AT_RANDOM);
	MUST(p);
	hex("AT_RANDOM", p, 16);
	unsigned char zero[16] = {0};
	CHECK(memcmp(p, zero, 16));
}

PROBE(rnd_canary)
{
	uint64_t canary, guard;
	__asm__("mov %%fs:0x28, %0" : "=r"(canary));
	__asm__("mov %%fs:0x30, %0" : "=r"(guard));
	CHECK(canary && (canary & 0xff) == 0);
	printf("%lx %lx\n", canary, guard);
}

PROBE(rnd_proc_uuid)
{
	char a[64], b[64];
	MUST(slurp("/proc/sys/kernel/random/uuid", a, 64) == 37);
	MUST(slurp("/proc/sys/kernel/random/uuid", b, 64) == 37);
	CHECK(strcmp(a, b), "uuid repeats");
	CHECK(a[14] == '4' && strchr("89ab", a[19]), "not a version 4 uuid");
	printf("%s%s", a, b);
}

PROBE(rnd_boot_id)
{
	char a[64], b[64];
	MUST(slurp("/proc/sys/kernel/random/boot_id", a, 64) == 37);
	MUST(slurp("/proc/sys/kernel/random/boot_id", b, 64) == 37);
	CHECK(!strcmp(a, b), "boot_id changes");
	printf("%s", a);
}

PROBE(rnd_proc_other)
{
	const char *f[] = {"entropy_avail", "poolsize", "write_wakeup_threshold", "urandom_min_reseed_secs"};
	char b[64], path[128];
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "/proc/sys/kernel/random/%s", f[i]);
		int n = slurp(path, b, 64);
		printf("%s %s", f[i], n < 0 ? errname(-n) : b);
		if (n < 0)
			puts("");
	}
}

PROBE(rnd_machine_id)
{
	char b[64];
	int n = slurp("/etc/machine-id", b, 64);
	printf("%s", n < 0 ? errname(-n) : b);
}

__attribute__((target("rdrnd,rdseed"))) PROBE(rnd_rdrand)
{
	unsigned a, b, c, d;
	unsigned long long v = 0;
	__cpuid(1, a, b, c, d);
	if (c & bit_RDRND) {
		_rdrand64_step(&v);
		printf("rdrand %llx\n", v);
	} else
		printf("rdrand hidden\n");
	v = 0;
	__cpuid_count(7, 0, a, b, c, d);
	if (b & bit_RDSEED) {
		_rdseed64_step(&v);
		printf("rdseed %llx\n", v);
	} else
		printf("rdseed hidden\n");
	printf("AT_HWCAP2 %lx\n", getauxval(AT_HWCAP2));
}

static int in_data = 1;
static void *thread_layout(void *arg)
{
	int local;
	printf("thread stack %p malloc %p\n", (void *)&local, malloc(100));
	return arg;
}

// Addresses of every kind, over fork, exec and threads.
PROBE(layout)
{
	int local;
	printf("stack %p data %p text %p libc %p vdso %lx env %p argv %p\n", (void *)&local,
	       (void *)&in_data, (void *)layout, (void *)printf, getauxval(AT_SYSINFO_EHDR),
	       (void *)environ, (void *)arg_list);
	printf("brk %p malloc %p big %p\n", sbrk(0), malloc(10), malloc(1 << 20));
	for (int i = 0; i < 3; i++)
		printf("mmap %p\n", mmap(0, 4096 << i, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	printf("hint %p 32bit %p\n",
	       mmap((void *)0x10000000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	       mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
	printf("execfn %s\n", (char *)getauxval(AT_EXECFN));
	pthread_t t;
	if (arg_count == 0) {
		fflush(stdout);
		pid_t p = fork();
		if (p == 0) {
			printf("child mmap %p malloc %p\n",
			       mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), malloc(50));
			fflush(stdout);
			execl("/proc/self/exe", "x", "layout", "again", (char *)0);
			_exit(1);
		}
		wait_ok(p);
		MUST(pthread_create(&t, 0, thread_layout, 0) == 0);
		pthread_join(t, 0);
	}
}

PROBE(layout_uninitialised)
{
	uint64_t h = HASH0;
	for (int i = 0; i < 64; i++) {
		unsigned char *p = malloc(100 + i * 40);
		h = hash_bytes(h, p, 100 + i * 40);
		if (i % 3)
			free(p);
	}
	volatile unsigned char stack[8192];
	h = hash_bytes(h, (const void *)stack, sizeof stack);
	printf("%lx\n", h);
}

PROBE(layout_initial_stack)
{
	// Everything the kernel put above argv: strings, auxv, padding, AT_RANDOM.
	char *p = (char *)arg_list[-1], buf[256];
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long lo = 0, hi = 0;
	MUST(f);
	while (fgets(buf, sizeof buf, f))
		if (strstr(buf, "[stack]"))
			sscanf(buf, "%lx-%lx", &lo, &hi);
	MUST(hi > (unsigned long)p);
	printf("%lx bytes, %lx\n", hi - (unsigned long)p, hash_bytes(HASH0, p, hi - (unsigned long)p));
	unsigned long *a = (unsigned long *)environ;
	while (*a++)
		;
	for (; a[0]; a += 2)
		printf("auxv %ld %lx\n", a[0], a[1]);
}
