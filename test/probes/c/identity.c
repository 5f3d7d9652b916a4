// Identity section: who and where the process is.
#include "probe.h"
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <termios.h>

PROBE(id_pids)
{
	printf("pid=%d tid=%d ppid=%d pgid=%d sid=%d\n", getpid(), gettid(), getppid(), getpgrp(), getsid(0));
	pid_t last = getpid();
	for (int i = 0; i < 3; i++) {
		fflush(stdout);
		pid_t p = fork();
		if (p == 0)
			_exit(0);
		CHECK(p != last);
		printf("child %d\n", p);
		last = p;
		wait_ok(p);
	}
	char buf[256], self[32], want[32];
	snprintf(want, sizeof want, "%d", getpid());
	int n = readlink("/proc/self", self, 31);
	MUST(n > 0);
	self[n] = 0;
	CHECK(!strcmp(self, want), "/proc/self is %s, pid %s", self, want);
	n = readlink("/proc/thread-self", buf, 255);
	MUST(n > 0);
	buf[n] = 0;
	printf("%s %s\n", self, buf);
}

PROBE(id_pidfd)
{
	struct stat st;
	char buf[1024];
	pid_t p = fork();
	if (p == 0) {
		pause();
		_exit(0);
	}
	int fd = syscall(SYS_pidfd_open, p, 0);
	if (fd < 0) {
		printf("pidfd_open %s\n", errname(errno));
	} else {
		MUST(fstat(fd, &st) == 0);
		show_stat("pidfd", &st);
		snprintf(buf, sizeof buf, "/proc/self/fdinfo/%d", fd);
		MUST(slurp(buf, buf, sizeof buf) > 0);
		printf("%s", buf);
		CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0) == 0);
		struct pollfd pf = {fd, POLLIN, 0};
		CHECK(poll(&pf, 1, 1000) == 1);
	}
	kill(p, SIGKILL);
	MUST(waitpid(p, 0, 0) == p);
}

// Ids after the wrap-around: pid_max processes come and go.
PROBE(id_wrap)
{
	char buf[32];
	MUST(slurp("/proc/sys/kernel/pid_max", buf, 32) > 0);
	long max = atol(buf), n = max < 40000 ? max + 100 : 100;
	int wrapped = 0;
	pid_t last = 0;
	printf("pid_max %ld\n", max);
	for (long i = 0; i < n; i++) {
		pid_t p = vfork();
		if (p == 0)
			_exit(0);
		MUST(p > 0 && waitpid(p, 0, 0) == p);
		if (p < last) {
			printf("%d after %d\n", p, last);
			wrapped = 1;
		}
		last = p;
	}
	printf("last %d\n", last);
	if (max < 40000)
		CHECK(wrapped);
}

static char state_of(pid_t p)
{
	char path[64], buf[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", p);
	MUST(slurp(path, buf, sizeof buf) > 0);
	return strrchr(buf, ')')[2];
}

PROBE(id_states)
{
	int st;
	pid_t sleeper = fork();
	if (sleeper == 0) {
		pause();
		_exit(0);
	}
	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	siginfo_t si;
	MUST(waitid(P_PID, dead, &si, WEXITED | WNOWAIT) == 0);
	usleep(20000);
	char a = state_of(sleeper), z = state_of(dead), r = state_of(getpid());
	MUST(kill(sleeper, SIGSTOP) == 0);
	MUST(waitpid(sleeper, &st, WUNTRACED) == sleeper && WIFSTOPPED(st));
	char t = state_of(sleeper);
	printf("sleeping %c dead %c running %c stopped %c\n", a, z, r, t);
	CHECK(a == 'S' && z == 'Z' && r == 'R' && t == 'T');
	kill(sleeper, SIGKILL);
	waitpid(sleeper, 0, 0);
	waitpid(dead, 0, 0);
}

PROBE(id_creds)
{
	uid_t r, e, s;
	gid_t g[64], rg, eg, sg;
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	printf("uid %d %d %d gid %d %d %d groups", r, e, s, rg, eg, sg);
	int n = getgroups(64, g);
	for (int i = 0; i < n; i++)
		printf(" %d", g[i]);
	puts("");
	char buf[8192];
	MUST(slurp("/proc/self/status", buf, sizeof buf) > 0);
	for (char *l = strtok(buf, "\n"); l; l = strtok(0, "\n"))
		if (!strncmp(l, "Uid", 3) || !strncmp(l, "Gid", 3) || !strncmp(l, "Groups", 6) ||
		    !strncmp(l, "Cap", 3) || !strncmp(l, "NoNew", 5) || !strncmp(l, "Seccomp", 7))
			puts(l);
	const char *f[] = {"/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups", "/proc/self/loginuid", "/proc/self/sessionid"};
	for (int i = 0; i < 5; i++) {
		n = slurp(f[i], buf, sizeof buf);
		printf("%s: %s\n", f[i], n < 0 ? errname(-n) : buf);
	}
}

PROBE(id_uname)
{
	struct utsname u;
	char b[512];
	MUST(uname(&u) == 0);
	printf("sysname=%s\nnodename=%s\nrelease=%s\nversion=%s\nmachine=%s\ndomainname=%s\n", u.sysname,
	       u.nodename, u.release, u.version, u.machine, u.domainname);
	MUST(slurp("/proc/version", b, sizeof b) > 0);
	printf("%s", b);
	CHECK(strstr(b, u.release) && strstr(b, u.version), "/proc/version disagrees with uname");
	const char *f[][2] = {{"ostype", u.sysname}, {"hostname", u.nodename}, {"osrelease", u.release},
			      {"version", u.version}, {"domainname", u.domainname}};
	for (int i = 0; i < 5; i++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/sys/kernel/%s", f[i][0]);
		int n = slurp(path, b, sizeof b);
		CHECK(n > 0, "%s", path);
		if (n > 0) {
			b[n - 1] = 0;
			CHECK(!strcmp(b, f[i][1]), "%s is %s, uname says %s", path, b, f[i][1]);
		}
	}
	CHECK(!strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"));
}

PROBE(id_hostname)
{
	char h[256], d[256];
	MUST(gethostname(h, 256) == 0 && getdomainname(d, 256) == 0);
	printf("%s %s\n", h, d);
	char b[4096];
	int n = slurp("/etc/hostname", b, sizeof b);
	printf("%s\n", n < 0 ? errname(-n) : b);
	n = slurp("/etc/hosts", b, sizeof b);
	printf("%s\n", n < 0 ? errname(-n) : b);
	n = slurp("/etc/resolv.conf", b, sizeof b);
	printf("%s\n", n < 0 ? errname(-n) : b);
}

PROBE(id_umask)
{
	mode_t m = umask(022);
	printf("%03o\n", m);
	char b[4096];
	umask(027);
	MUST(slurp("/proc/self/status", b, sizeof b) > 0);
	char *p = strstr(b, "Umask:");
	CHECK(p && strtol(p + 6, 0, 8) == 027, "umask in /proc/self/status");
	struct stat st;
	spit("f", "");
	MUST(stat("f", &st) == 0);
	CHECK((st.st_mode & 0777) == 0640, "%o", st.st_mode);
}

PROBE(id_rlimits)
{
	char b[4096];
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit r;
		MUST(getrlimit(i, &r) == 0);
		printf("%d %ld %ld\n", i, (long)r.rlim_cur, (long)r.rlim_max);
	}
	MUST(slurp("/proc/self/limits", b, sizeof b) > 0);
	printf("%s", b);
}

PROBE(id_scheduling)
{
	struct sched_param sp;
	struct timespec ts;
	char b[256];
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t prio; uint64_t rt, dl, per; uint32_t umin, umax; } attr;
	memset(&attr, 0, sizeof attr);
	sched_getparam(0, &sp);
	printf("nice %d policy %d prio %d ioprio %ld\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0),
	       sp.sched_priority, syscall(SYS_ioprio_get, 1, 0));
	long r = syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0);
	printf("attr %ld %s nice %d runtime %lu\n", r, errname(r ? errno : 0), attr.nice, attr.rt);
	r = sched_rr_get_interval(0, &ts);
	printf("interval %ld %s %ld\n", r, errname(r ? errno : 0), r ? 0 : ts_ns(ts));
	const char *f[] = {"oom_score", "oom_score_adj", "oom_adj", "timerslack_ns", "autogroup", "cgroup", "cpuset", "comm", "coredump_filter"};
	for (int i = 0; i < 9; i++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/self/%s", f[i]);
		int n = slurp(path, b, sizeof b);
		printf("%s: %s\n", f[i], n < 0 ? errname(-n) : b);
	}
	printf("timerslack %d\n", (int)syscall(SYS_prctl, 30, 0, 0, 0, 0));
}

PROBE(id_keyring)
{
	long r = syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3 /* session */, 0, 0, 0);
	printf("session keyring %ld %s\n", r, errname(r < 0 ? errno : 0));
	r = syscall(SYS_keyctl, 0, -4, 1, 0, 0);
	printf("user keyring %ld %s\n", r, errname(r < 0 ? errno : 0));
}

PROBE(id_personality)
{
	int p = personality(0xffffffff);
	printf("%x\n", p);
	char b[64];
	int n = slurp("/proc/self/personality", b, 64);
	printf("%s\n", n < 0 ? errname(-n) : b);
	if (n > 0)
		CHECK(strtol(b, 0, 16) == p);
}

PROBE(id_environment)
{
	for (char **e = environ; *e; e++)
		puts(*e);
	char cwd[PATH_MAX];
	MUST(getcwd(cwd, sizeof cwd));
	printf("cwd %s\n", cwd);
	time_t t = 1700000000;
	struct tm tm;
	char b[64];
	localtime_r(&t, &tm);
	strftime(b, 64, "%F %T %Z", &tm);
	puts(b);
}

PROBE(id_terminal)
{
	struct winsize w = {0};
	for (int i = 0; i < 3; i++) {
		struct stat st;
		MUST(fstat(i, &st) == 0);
		printf("%d tty=%d type=%o\n", i, isatty(i), st.st_mode & S_IFMT);
	}
	int r = ioctl(1, TIOCGWINSZ, &w);
	printf("winsize %s %d %d\n", errname(r ? errno : 0), w.ws_row, w.ws_col);
	int t = open("/dev/tty", O_RDWR);
	printf("/dev/tty %s\n", errname(t < 0 ? errno : 0));
	int m = posix_openpt(O_RDWR | O_NOCTTY);
	MUST(m >= 0);
	struct termios io;
	MUST(tcgetattr(m, &io) == 0 && ioctl(m, TIOCGWINSZ, &w) == 0);
	printf("pty %x %x %x %x speed %d size %d %d\n", io.c_iflag, io.c_oflag, io.c_cflag, io.c_lflag,
	       cfgetospeed(&io), w.ws_row, w.ws_col);
}

// What the standard streams are as the guest's first process got them; run
// outside the driver.
PROBE(id_stdio)
{
	for (int i = 0; i < 3; i++) {
		struct stat st;
		char l[64], b[256];
		int r = fstat(i, &st);
		snprintf(l, sizeof l, "/proc/self/fd/%d", i);
		int n = readlink(l, b, 255);
		b[n < 0 ? 0 : n] = 0;
		fprintf(stdout, "%d %s tty=%d type=%o flags=%x link=%s pos=%ld\n", i, errname(r ? errno : 0), isatty(i),
			r ? 0 : st.st_mode & S_IFMT, fcntl(i, F_GETFL), b, (long)lseek(i, 0, SEEK_CUR));
		if (r == 0)
			show_stat("stat", &st);
	}
	int dirfd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	printf("next descriptor %d\n", dirfd);
}
