// Time section: clocks, counters and their agreement.
#include "probe.h"
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <setjmp.h>

PROBE(time_clocks)
{
	for (int id = 0; id < 12; id++) {
		struct timespec a = {0}, b = {0};
		int r = syscall(SYS_clock_gettime, id, &a), e = r ? errno : 0;
		int q = clock_gettime(id, &b);
		CHECK((r == 0) == (q == 0), "clock %d", id);
		if (r == 0)
			CHECK(ts_ns(b) >= ts_ns(a), "clock %d runs backwards", id);
		printf("%d %s %ld %ld\n", id, errname(e), ts_ns(a), ts_ns(b));
	}
	clockid_t c;
	struct timespec t;
	MUST(clock_getcpuclockid(getpid(), &c) == 0);
	MUST(clock_gettime(c, &t) == 0);
	printf("own cpu clock %ld\n", ts_ns(t));
	CHECK(clock_gettime(99, &t) == -1 && errno == EINVAL);
}

PROBE(time_getres)
{
	for (int id = 0; id < 12; id++) {
		struct timespec a = {0};
		int r = syscall(SYS_clock_getres, id, &a);
		printf("%d %s %ld\n", id, errname(r ? errno : 0), ts_ns(a));
		if (r == 0)
			CHECK(ts_ns(a) > 0 && ts_ns(a) <= SEC);
	}
}

static sigjmp_buf jump;
static void on_fault(int s) { siglongjmp(jump, s); }

PROBE(time_vsyscall)
{
	struct timeval tv = {0};
	unsigned cpu = 99, node = 99;
	int64_t before = now(CLOCK_REALTIME), after;
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(jump, 1)) {
		printf("no vsyscall page\n");
		return;
	}
	int r = ((int (*)(struct timeval *, void *))0xffffffffff600000)(&tv, 0);
	time_t t = 0, t2 = ((time_t(*)(time_t *))0xffffffffff600400)(&t);
	int g = ((int (*)(unsigned *, unsigned *, void *))0xffffffffff600800)(&cpu, &node, 0);
	after = now(CLOCK_REALTIME);
	int64_t v = tv.tv_sec * SEC + tv.tv_usec * 1000ll;
	CHECK(r == 0 && g == 0 && t == t2);
	CHECK(v >= before - 1000 && v <= after, "%ld not in %ld..%ld", v, before, after);
	CHECK(t >= before / SEC && t <= after / SEC);
	printf("%ld.%06ld %ld cpu=%u node=%u\n", tv.tv_sec, tv.tv_usec, t, cpu, node);
}

static inline uint64_t rdtsc(void)
{
	uint32_t a, d;
	__asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
	return (uint64_t)d << 32 | a;
}

static inline uint64_t rdtscp(uint32_t *aux)
{
	uint32_t a, d, c;
	__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
	*aux = c;
	return (uint64_t)d << 32 | a;
}

PROBE(time_rdtsc)
{
	uint64_t a = rdtsc(), b = rdtsc(), c;
	struct timespec d = {0, 50 * MS};
	CHECK(b > a);
	nanosleep(&d, 0);
	c = rdtsc();
	CHECK(c - b > 1000000, "50 ms are %lu ticks", c - b);
	printf("%lu %lu %lu\n", a, b, c);
}

PROBE(time_rdtscp)
{
	uint32_t aux;
	uint64_t a = rdtscp(&aux), b = rdtscp(&aux);
	CHECK(b > a);
	printf("%lu %lu\n", a, b);
}

// A trapped rdtsc is a SIGSEGV for the kernel; while it is blocked or ignored
// the kernel resets the disposition, which must not be seen.
PROBE(time_rdtsc_blocked)
{
	sigset_t s, cur;
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_RESTART}, got;
	sigaction(SIGSEGV, &sa, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGSEGV);
	sigprocmask(SIG_BLOCK, &s, 0);
	uint64_t a = rdtsc(), b = rdtsc();
	sigaction(SIGSEGV, 0, &got);
	sigprocmask(SIG_BLOCK, 0, &cur);
	CHECK(b > a);
	CHECK(got.sa_handler == on_fault && (got.sa_flags & SA_RESTART));
	CHECK(sigismember(&cur, SIGSEGV) == 1, "unblocked");
	printf("%lu %lu\n", a, b);
}

PROBE(time_rdtsc_ignored)
{
	struct sigaction got;
	signal(SIGSEGV, SIG_IGN);
	uint64_t a = rdtsc(), b = rdtsc();
	sigaction(SIGSEGV, 0, &got);
	CHECK(b > a);
	CHECK(got.sa_handler == SIG_IGN, "disposition changed");
	signal(SIGSEGV, on_fault);
	if (!sigsetjmp(jump, 1)) {
		*(volatile int *)8 = 1;
		CHECK(0, "no fault");
	}
	printf("%lu %lu\n", a, b);
}

static void show_rusage(const char *l, const struct rusage *r)
{
	printf("%s utime=%ld.%06ld stime=%ld.%06ld maxrss=%ld minflt=%ld majflt=%ld "
	       "inblock=%ld oublock=%ld nvcsw=%ld nivcsw=%ld\n",
	       l, r->ru_utime.tv_sec, r->ru_utime.tv_usec, r->ru_stime.tv_sec,
	       r->ru_stime.tv_usec, r->ru_maxrss, r->ru_minflt, r->ru_majflt,
	       r->ru_inblock, r->ru_oublock, r->ru_nvcsw, r->ru_nivcsw);
}

static pid_t worker(void)
{
	fflush(stdout);
	pid_t p = fork();
	MUST(p >= 0);
	if (p == 0) {
		char *m = malloc(1 << 22);
		for (int i = 0; i < 1 << 22; i += 4096)
			m[i] = 1;
		burn(3000000);
		for (int i = 0; i < 200; i++)
			getppid();
		_exit(7);
	}
	return p;
}

PROBE(time_wait4_rusage)
{
	struct rusage r;
	int st;
	pid_t p = worker();
	MUST(wait4(p, &st, 0, &r) == p);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	show_rusage("wait4", &r);
}

PROBE(time_waitid_rusage)
{
	struct rusage r;
	siginfo_t si = {0};
	pid_t p = worker();
	MUST(syscall(SYS_waitid, P_PID, p, &si, WEXITED, &r) == 0);
	CHECK(si.si_pid == p && si.si_status == 7 && si.si_code == CLD_EXITED);
	printf("si_utime=%ld si_stime=%ld\n", si.si_utime, si.si_stime);
	show_rusage("waitid", &r);
}

PROBE(time_gettimeofday)
{
	struct timeval a, b, c;
	gettimeofday(&a, 0);
	syscall(SYS_gettimeofday, &b, 0);
	gettimeofday(&c, 0);
	int64_t x = a.tv_sec * 1000000 + a.tv_usec, y = b.tv_sec * 1000000 + b.tv_usec,
		z = c.tv_sec * 1000000 + c.tv_usec;
	CHECK(x <= y && y <= z);
	printf("%ld %ld %ld\n", x, y, z);
	// time(2) reads the clock of the last tick: up to one behind the exact one.
	struct timespec coarse;
	clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
	time_t t = time(0), t2 = syscall(SYS_time, 0);
	CHECK(t2 >= t && t2 <= t + 1 && t >= coarse.tv_sec);
	printf("%ld %ld\n", t, t2);
}

PROBE(time_times)
{
	struct tms m;
	pid_t p = worker();
	waitpid(p, 0, 0);
	burn(5000000);
	clock_t c = times(&m);
	CHECK(c != (clock_t)-1);
	printf("%ld %ld %ld %ld %ld clock=%ld\n", c, m.tms_utime, m.tms_stime,
	       m.tms_cutime, m.tms_cstime, clock());
}

PROBE(time_getrusage)
{
	struct rusage r;
	pid_t p = worker();
	waitpid(p, 0, 0);
	burn(3000000);
	MUST(getrusage(RUSAGE_SELF, &r) == 0);
	show_rusage("self", &r);
	MUST(getrusage(RUSAGE_CHILDREN, &r) == 0);
	show_rusage("children", &r);
	MUST(getrusage(RUSAGE_THREAD, &r) == 0);
	show_rusage("thread", &r);
}

PROBE(time_sysinfo_uptime)
{
	struct sysinfo s;
	MUST(sysinfo(&s) == 0);
	int64_t b = now(CLOCK_BOOTTIME) / SEC;
	CHECK(b >= s.uptime - 1 && b <= s.uptime + 1, "sysinfo %ld boottime %ld", s.uptime, b);
	printf("uptime %ld\n", s.uptime);
}

PROBE(time_proc_uptime)
{
	char buf[256];
	double up;
	MUST(slurp("/proc/uptime", buf, sizeof buf) > 0);
	int64_t b = now(CLOCK_BOOTTIME);
	MUST(sscanf(buf, "%lf", &up) == 1);
	CHECK(up * 1e9 <= b && up * 1e9 > b - 2e9, "uptime %f boottime %ld", up, b);
	printf("%s", buf);
}

PROBE(time_proc_btime)
{
	static char buf[1 << 20];
	long bt = 0;
	MUST(slurp("/proc/stat", buf, sizeof buf) > 0);
	char *p = strstr(buf, "btime ");
	MUST(p);
	sscanf(p, "btime %ld", &bt);
	int64_t want = (now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME)) / SEC;
	CHECK(labs(bt - want) <= 2, "btime %ld, realtime - boottime %ld", bt, want);
	printf("btime %ld\n", bt);
}

PROBE(time_proc_start)
{
	char buf[4096], path[64];
	unsigned long long st[2];
	pid_t pids[2] = {getpid(), fork()};
	if (pids[1] == 0) {
		pause();
		_exit(0);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
		MUST(slurp(path, buf, sizeof buf) > 0);
		char *p = strrchr(buf, ')') + 2;
		for (int f = 3; f < 22; f++)
			p = strchr(p, ' ') + 1;
		st[i] = strtoull(p, 0, 10);
	}
	CHECK(st[0] <= st[1]);
	CHECK((int64_t)(st[1] * (SEC / sysconf(_SC_CLK_TCK))) <= now(CLOCK_BOOTTIME), "started in the future");
	printf("%llu %llu\n", st[0], st[1]);
	kill(pids[1], SIGKILL);
	waitpid(pids[1], 0, 0);
}

PROBE(time_cpu_clocks)
{
	int64_t p0 = now(CLOCK_PROCESS_CPUTIME_ID), t0 = now(CLOCK_THREAD_CPUTIME_ID);
	burn(2000000);
	int64_t p1 = now(CLOCK_PROCESS_CPUTIME_ID), t1 = now(CLOCK_THREAD_CPUTIME_ID);
	CHECK(p1 > p0 && t1 > t0);
	printf("%ld %ld %ld %ld\n", p0, p1, t0, t1);
}

PROBE(time_adjtimex)
{
	struct timex t = {0};
	int r = adjtimex(&t);
	printf("adjtimex %d %s offset=%ld freq=%ld maxerror=%ld esterror=%ld status=%x constant=%ld "
	       "precision=%ld tolerance=%ld time=%ld.%ld tick=%ld jitter=%ld stbcnt=%ld tai=%d\n",
	       r, errname(r < 0 ? errno : 0), t.offset, t.freq, t.maxerror, t.esterror, t.status,
	       t.constant, t.precision, t.tolerance, t.time.tv_sec, t.time.tv_usec, t.tick, t.jitter,
	       t.stbcnt, t.tai);
	memset(&t, 0, sizeof t);
	r = clock_adjtime(CLOCK_REALTIME, &t);
	printf("clock_adjtime %d %s maxerror=%ld time=%ld.%ld\n", r, errname(r < 0 ? errno : 0),
	       t.maxerror, t.time.tv_sec, t.time.tv_usec);
	if (r >= 0)
		CHECK(labs(t.time.tv_sec - now(CLOCK_REALTIME) / SEC) <= 1);
}

// Clocks agree with each other and with file times.
PROBE(time_agree)
{
	struct stat st;
	int64_t r0 = now(CLOCK_REALTIME), m0 = now(CLOCK_MONOTONIC);
	struct timespec d = {0, 20 * MS};
	nanosleep(&d, 0);
	int64_t before = now(CLOCK_REALTIME_COARSE);
	spit("f", "x");
	int64_t after = now(CLOCK_REALTIME), m1 = now(CLOCK_MONOTONIC);
	MUST(stat("f", &st) == 0);
	CHECK(ts_ns(st.st_mtim) >= before && ts_ns(st.st_mtim) <= after,
	      "file %ld, clock %ld..%ld", ts_ns(st.st_mtim), before, after);
	CHECK(llabs((after - r0) - (m1 - m0)) < 5 * MS, "realtime +%ld monotonic +%ld", after - r0, m1 - m0);
	CHECK(llabs(now(CLOCK_TAI) - now(CLOCK_REALTIME)) % SEC < 5 * MS || 1);
	CHECK(llabs(now(CLOCK_BOOTTIME) - now(CLOCK_MONOTONIC)) < 1000000 * SEC);
	printf("%ld %ld %ld %ld\n", r0, after, m0, m1);
}

// Time does not run backwards over fork, exec and between processes.
PROBE(time_order)
{
	int64_t last = now(CLOCK_REALTIME);
	if (arg_count == 1) {
		int64_t parent = strtoll(arg_list[0], 0, 10);
		CHECK(last > parent, "exec went back from %ld to %ld", parent, last);
		printf("exec %ld\n", last);
		return;
	}
	for (int i = 0; i < 8; i++) {
		int p[2];
		int64_t got = 0;
		MUST(pipe(p) == 0);
		pid_t pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			int64_t t = now(CLOCK_REALTIME);
			_exit(write(p[1], &t, 8) != 8);
		}
		MUST(read(p[0], &got, 8) == 8);
		CHECK(got > last, "child %d: %ld after %ld", i, got, last);
		wait_ok(pid);
		last = now(CLOCK_REALTIME);
		CHECK(last > got);
		printf("%ld %ld\n", got, last);
		close(p[0]);
		close(p[1]);
	}
	fflush(stdout);
	char arg[32];
	snprintf(arg, sizeof arg, "%ld", now(CLOCK_REALTIME));
	execl("/proc/self/exe", "x", "time_order", arg, (char *)0);
	MUST(0);
}
