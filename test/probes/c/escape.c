// Attempts to get out of the container, for test/isolation. Each prints what
// it reached; CHECK fails when it reached anything.
#include "probe.h"
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static int64_t raw_clock(void)
{
	struct timespec t = {0};
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return ts_ns(t);
}

// A child that the tracer does not see has the host's time. Arguments:
// a time (s) between the container's and the host's.
PROBE(escape_untraced)
{
	int64_t limit = strtoll(arg_list[0], 0, 10) * SEC;
	unsigned long flags[] = {CLONE_UNTRACED, CLONE_PTRACE, CLONE_UNTRACED | CLONE_VFORK, CLONE_NEWUSER, CLONE_NEWPID,
				 CLONE_NEWNS | CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWTIME};
	for (int i = 0; i < 8; i++)
		for (int three = 0; three < 2; three++) {
			struct clone_args a = {.flags = flags[i], .exit_signal = SIGCHLD};
			int p[2];
			int64_t t = 0;
			MUST(pipe(p) == 0);
			pid_t c = three ? syscall(SYS_clone3, &a, sizeof a) : syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);
			if (c == 0) {
				t = raw_clock();
				(void)!write(p[1], &t, 8);
				_exit(0);
			}
			printf("%lx %s\n", flags[i], errname(c < 0 ? errno : 0));
			close(p[1]);
			if (c > 0) {
				MUST(read(p[0], &t, 8) == 8);
				CHECK(t < limit, "flags %lx: a child with the host's clock", flags[i]);
				waitpid(c, 0, __WALL);
			}
			close(p[0]);
		}
}

PROBE(escape_time)
{
	int64_t limit = strtoll(arg_list[0], 0, 10) * SEC;
	CHECK(raw_clock() < limit);
	CHECK(time(0) < limit / SEC);
	struct timeval tv;
	gettimeofday(&tv, 0);
	CHECK(tv.tv_sec < limit / SEC);
	CHECK(((time_t(*)(time_t *))0xffffffffff600400)(0) < limit / SEC, "vsyscall");
	struct stat st;
	int p[2];
	MUST(pipe(p) == 0 && fstat(p[0], &st) == 0);
	CHECK(st.st_ctim.tv_sec < limit / SEC);
	puts("ok");
}

// escape_network PORT ABSTRACT PATH: listeners on the host.
PROBE(escape_network)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(arg_list[0])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int s = socket(AF_INET, SOCK_STREAM, 0);
	int r = s < 0 ? -1 : connect(s, (void *)&a, sizeof a);
	printf("host port: %s\n", errname(r ? errno : 0));
	CHECK(r != 0, "reached the host's port");
	a.sin_addr.s_addr = htonl(0x08080808);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	r = s < 0 ? -1 : sendto(s, "x", 1, 0, (void *)&a, sizeof a);
	printf("outside: %s\n", errname(r < 0 ? errno : 0));
	CHECK(r < 0);
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	strcpy(u.sun_path + 1, arg_list[1]);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(s >= 0);
	r = connect(s, (void *)&u, 3 + strlen(arg_list[1]));
	printf("abstract: %s\n", errname(r ? errno : 0));
	CHECK(r != 0, "reached the host's abstract socket");
	memset(&u, 0, sizeof u);
	u.sun_family = AF_UNIX;
	strcpy(u.sun_path, arg_list[2]);
	r = connect(s, (void *)&u, sizeof u);
	printf("path: %s\n", errname(r ? errno : 0));
	CHECK(r != 0);
	int fam[] = {AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG, AF_KEY};
	for (int i = 0; i < 5; i++) {
		s = socket(fam[i], SOCK_RAW, 0);
		int d = socket(fam[i], SOCK_STREAM, 0);
		printf("family %d: %s\n", fam[i], s < 0 && d < 0 ? "no" : "yes");
		if (fam[i] == AF_VSOCK || fam[i] == AF_PACKET)
			CHECK(s < 0 && d < 0, "family %d", fam[i]);
	}
}

// escape_processes PID: a host process, and the supervisor.
PROBE(escape_processes)
{
	pid_t host = atoi(arg_list[0]);
	CHECK(kill(host, 0) == -1 || host < 100, "host process %d can be signalled", host);
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;
	MUST(d);
	while ((e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9') {
			char p[300], c[4096] = "";
			snprintf(p, sizeof p, "/proc/%s/cmdline", e->d_name);
			int k = slurp(p, c, sizeof c);
			for (int i = 0; i < k; i++)
				if (!c[i])
					c[i] = ' ';
			CHECK(!strstr(c, "dettrace run"), "the supervisor is visible as %s", e->d_name);
			n++;
		}
	CHECK(n < 10, "%d processes", n);
	printf("%d\n", n);
	CHECK(ptrace(PTRACE_ATTACH, 1, 0, 0) == -1, "pid 1 can be traced");
	CHECK(ptrace(PTRACE_SEIZE, getppid(), 0, 0) == -1, "the parent can be traced");
	char c;
	CHECK(slurp("/proc/1/environ", &c, 1) <= 0);
	CHECK(kill(1, SIGKILL) == 0 || errno == EPERM, "%s", strerror(errno));
	CHECK(kill(1, SIGSTOP) == 0 || errno == EPERM);
	int fd = open("/proc/1/mem", O_RDWR);
	CHECK(fd < 0 || pread(fd, &c, 1, 0x400000) != 1 || 1);
	CHECK(prctl(PR_SET_SECCOMP, 2, 0) == -1);
}

// escape_root FILE: a path that exists on the host only.
PROBE(escape_root)
{
	const char *via[] = {"", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/self/root/../../..", "/../../.."};
	char p[PATH_MAX];
	for (int i = 0; i < 6; i++) {
		snprintf(p, sizeof p, "%s%s", via[i], arg_list[0]);
		CHECK(access(p, F_OK) != 0, "%s is visible", p);
	}
	// The classic way out of a chroot.
	mkdir("jail", 0755);
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	if (chroot("jail") == 0) {
		CHECK(fchdir(fd) == 0);
		for (int i = 0; i < 50; i++)
			(void)!chdir("..");
		CHECK(access(arg_list[0] + 1, F_OK) != 0, "out of the root");
		puts("chroot works");
	} else
		puts("chroot refused");
	// Descriptors that leaked in.
	for (int i = 3; i < 1024; i++) {
		struct stat st;
		if (i == fd || fstat(i, &st))
			continue;
		CHECK(0, "descriptor %d is open (mode %o)", i, st.st_mode);
	}
}

PROBE(escape_mount)
{
	mkdir("m", 0755);
	CHECK(mount("none", "m", "tmpfs", 0, 0) == -1 && (errno == EPERM || errno == ENOSYS), "%s", strerror(errno));
	CHECK(mount("proc", "m", "proc", 0, 0) == -1);
	CHECK(mount("/", "m", 0, MS_BIND, 0) == -1);
	CHECK(mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0) == -1);
	CHECK(umount2("/proc", MNT_DETACH) == -1 && umount2("/", MNT_DETACH) == -1);
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1);
	CHECK(syscall(SYS_init_module, "x", 1, "") == -1 && syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x89abcdef, 0) == -1);
	CHECK(mknod("sda", S_IFBLK | 0666, makedev(8, 0)) == -1 || open("sda", O_RDWR) == -1, "a block device can be opened");
	CHECK(mknod("kmsg", S_IFCHR | 0666, makedev(1, 11)) == -1 || open("kmsg", O_RDWR) == -1, "a device can be opened");
	int fd = open("/proc/sysrq-trigger", O_WRONLY);
	CHECK(fd < 0);
	const char *w[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/sys/kernel/mm/ksm/run", "/proc/sys/kernel/hostname"};
	for (int i = 0; i < 4; i++) {
		fd = open(w[i], O_WRONLY);
		if (fd >= 0)
			CHECK(write(fd, "0", 1) != 1 || i == 3, "%s can be written", w[i]);
	}
	CHECK(access("/dev/fuse", F_OK) != 0 || open("/dev/fuse", O_RDWR) < 0, "/dev/fuse");
	CHECK(access("/dev/kmsg", F_OK) != 0 && access("/dev/mem", F_OK) != 0 && access("/dev/vda", F_OK) != 0);
	CHECK(settimeofday(&(struct timeval){1, 0}, 0) == -1);
	CHECK(sethostname("evil", 4) == -1 || 1);
}

// Two threads, one spins on a flag that the other sets.
static volatile int flag;
static void *setter(void *arg)
{
	usleep(1000);
	flag = 1;
	return arg;
}
PROBE(spin_flag)
{
	pthread_t t;
	MUST(pthread_create(&t, 0, setter, 0) == 0);
	while (!flag)
		;
	pthread_join(t, 0);
	puts("done");
}
PROBE(spin_flag_pause)
{
	pthread_t t;
	MUST(pthread_create(&t, 0, setter, 0) == 0);
	while (!flag)
		__builtin_ia32_pause();
	pthread_join(t, 0);
	puts("done");
}

// Each argument is a syscall number, called with zeros.
PROBE(call)
{
	for (int i = 0; i < arg_count; i++) {
		long r = syscall(atol(arg_list[i]), 0, 0, 0, 0, 0, 0);
		printf("%s %s\n", arg_list[i], errname(r < 0 ? errno : 0));
	}
}
