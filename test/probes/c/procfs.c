// /proc and /sys section: every file that tells something about the host.
#include "probe.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static char a[4 << 20], b[4 << 20];

static int by_read(int fd, int how, int out)
{
	int n = 0, r, p[2];
	if (how == 3 || how == 4)
		MUST(pipe2(p, O_CLOEXEC) == 0);
	for (;;) {
		int want = 4096;
		if (how == 0)
			r = pread(fd, b + n, want, n);
		else if (how == 1) {
			struct iovec v[2] = {{b + n, 1000}, {b + n + 1000, want - 1000}};
			r = readv(fd, v, 2);
		} else if (how == 2) {
			r = sendfile(out, fd, 0, want);
			if (r > 0)
				MUST(pread(out, b + n, r, n) == r);
		} else if (how == 3) {
			r = splice(fd, 0, p[1], 0, want, 0);
			if (r > 0)
				MUST(read(p[0], b + n, r) == r);
		} else {
			r = copy_file_range(fd, 0, out, 0, want, 0);
			if (r > 0)
				MUST(pread(out, b + n, r, n) == r);
		}
		if (r <= 0)
			break;
		n += r;
	}
	if (how == 3) {
		close(p[0]);
		close(p[1]);
	}
	return r < 0 && n == 0 ? -errno : n;
}

// Shows one file; the other ways of reading must tell nothing else. A file
// that changes by itself (time) may differ in value, never in shape, so only
// the ones said to be constant are compared by bytes.
static void show(const char *path, int constant)
{
	static const char *way[] = {"pread", "readv", "sendfile", "splice", "copy_file_range"};
	struct stat st;
	if (lstat(path, &st)) {
		printf("%s: %s\n", path, errname(errno));
		return;
	}
	if (S_ISLNK(st.st_mode)) {
		int n = readlink(path, a, 4096);
		printf("%s -> %.*s\n", path, n, a);
		return;
	}
	printf("%s: mode %o size %ld times %ld %ld %ld ino %lu\n", path, st.st_mode, st.st_size, ts_ns(st.st_atim), ts_ns(st.st_mtim), ts_ns(st.st_ctim), st.st_ino);
	int n = slurp(path, a, sizeof a);
	if (n < 0) {
		printf("  %s\n", errname(-n));
		return;
	}
	printf("  %d bytes %lx\n", n, hash_bytes(HASH0, a, n));
	if (n < 3000)
		printf("%s\n", a);
	for (int how = 0; how < 5; how++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
		MUST(fd >= 0 && out >= 0);
		int m = by_read(fd, how, out);
		if (m >= 0 && n > 0) {
			printf("  %s %lx\n", way[how], hash_bytes(HASH0, b, m));
			if (m > 0 && constant)
				CHECK(m == n && !memcmp(a, b, n), "%s by %s: %d bytes, read gives %d", path, way[how], m, n);
		} else
			printf("  %s %s\n", way[how], errname(m < 0 ? -m : 0));
		close(fd);
		close(out);
	}
}

// procfs PATH...: a leading = marks a file whose content is constant.
PROBE(procfs)
{
	for (int i = 0; i < arg_count; i++) {
		const char *p = arg_list[i];
		show(*p == '=' ? p + 1 : p, *p == '=');
	}
}

// The list of names in a directory, and each name's type.
PROBE(procfs_list)
{
	for (int i = 0; i < arg_count; i++) {
		struct dirent **e;
		int n = scandir(arg_list[i], &e, 0, alphasort);
		printf("%s: %d %s\n", arg_list[i], n, errname(n < 0 ? errno : 0));
		if (i == 0 && !strncmp(arg_list[i], "/proc", 5))
			CHECK(n > 20, "%s lists %d names", arg_list[i], n);
		for (int k = 0; k < n; k++)
			printf("%s %d\n", e[k]->d_name, e[k]->d_type);
	}
}

// Only our processes are there, each once, and a stranger's id is not.
PROBE(procfs_processes)
{
	struct dirent *e;
	int n = 0, me = 0, kid = 0;
	pid_t p = fork();
	if (p == 0) {
		pause();
		_exit(0);
	}
	DIR *d = opendir("/proc");
	MUST(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		char path[300], comm[64] = "";
		snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
		slurp(path, comm, sizeof comm);
		printf("%s %s", e->d_name, comm);
		n++;
		me += atoi(e->d_name) == getpid();
		kid += atoi(e->d_name) == p;
	}
	CHECK(me == 1 && kid == 1);
	printf("%d processes\n", n);
	kill(p, SIGKILL);
	waitpid(p, 0, 0);
	char path[64];
	snprintf(path, sizeof path, "/proc/%d", p);
	CHECK(access(path, F_OK) == -1 && errno == ENOENT, "the dead are listed");
}

// The same file through every door to it: path, self, thread-self, openat of
// the directory, a link, a child.
PROBE(procfs_doors)
{
	char x[4096], y[4096], path[128];
	const char *f[] = {"stat", "status", "statm", "cmdline", "maps", "io", "limits"};
	MUST(symlink("/proc/self", "me") == 0);
	for (int i = 0; i < 7; i++) {
		snprintf(path, sizeof path, "me/%s", f[i]);
		int n = slurp(path, x, sizeof x);
		int d = open("/proc/self", O_RDONLY | O_DIRECTORY), fd = openat(d, f[i], O_RDONLY);
		MUST(fd >= 0);
		int m = read(fd, y, sizeof y);
		printf("%s %s\n", f[i], errname(n < 0 ? -n : 0));
		fwrite(x, 1, n > 0 && i ? n : 0, stdout);
		printf("\n");
		CHECK((n > 0) == (m > 0));
		close(fd);
		close(d);
	}
	char exe[256];
	int n = readlink("/proc/self/exe", exe, 255);
	MUST(n > 0);
	exe[n] = 0;
	CHECK(strstr(exe, "/x"), "%s", exe);
	n = readlink("/proc/self/cwd", exe, 255);
	MUST(n > 0);
	exe[n] = 0;
	CHECK(!strcmp(exe, getcwd(path, sizeof path)), "%s", exe);
	n = readlink("/proc/self/root", exe, 255);
	CHECK(n == 1 && exe[0] == '/');
}
