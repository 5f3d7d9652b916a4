// Files section: locks, notices, and names that come and go.
#include "probe.h"
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/inotify.h>

PROBE(file_locks)
{
	char b[4096];
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	struct flock fl = {.l_type = F_WRLCK, .l_start = 10, .l_len = 20};
	MUST(fcntl(fd, F_SETLK, &fl) == 0);
	int g = open("g", O_RDWR | O_CREAT, 0644);
	MUST(flock(g, LOCK_EX) == 0);
	pid_t p = fork();
	if (p == 0) {
		int f2 = open("f", O_RDWR), g2 = open("g", O_RDWR);
		struct flock q = {.l_type = F_WRLCK};
		CHECK(fcntl(f2, F_GETLK, &q) == 0 && q.l_type == F_WRLCK && q.l_start == 10 && q.l_len == 20 && q.l_pid == getppid(),
		      "type %d start %ld pid %d", q.l_type, q.l_start, q.l_pid);
		q = (struct flock){.l_type = F_WRLCK};
		CHECK(fcntl(f2, F_SETLK, &q) == -1 && (errno == EAGAIN || errno == EACCES));
		CHECK(flock(g2, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
		_exit(failed);
	}
	wait_ok(p);
	int n = slurp("/proc/locks", b, sizeof b);
	printf("/proc/locks %s\n", n < 0 ? errname(-n) : b);
}

PROBE(file_lock_wait)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), go[2];
	MUST(pipe(go) == 0);
	for (int kind = 0; kind < 2; kind++) {
		pid_t p[3];
		for (int i = 0; i < 3; i++) {
			p[i] = fork();
			if (p[i] == 0) {
				int f = open("f", O_RDWR | O_APPEND);
				struct flock fl = {.l_type = F_WRLCK};
				for (int k = 0; k < 5; k++) {
					MUST(kind ? flock(f, LOCK_EX) == 0 : fcntl(f, F_SETLKW, &fl) == 0);
					char line[32];
					int n = snprintf(line, sizeof line, "%d.%d.%d\n", kind, i, k);
					MUST(write(f, line, n) == n);
					usleep(1000);
					fl.l_type = F_UNLCK;
					MUST(kind ? flock(f, LOCK_UN) == 0 : fcntl(f, F_SETLK, &fl) == 0);
					fl.l_type = F_WRLCK;
				}
				_exit(0);
			}
		}
		for (int i = 0; i < 3; i++)
			wait_ok(p[i]);
	}
	char b[4096];
	MUST(slurp("f", b, sizeof b) > 0);
	int lines = 0;
	for (char *c = b; *c; c++)
		lines += *c == '\n';
	CHECK(lines == 30, "%d lines", lines);
	printf("%s", b);
	close(fd);
}

PROBE(file_inotify)
{
	int fd = inotify_init1(IN_NONBLOCK);
	char b[4096] __attribute__((aligned(8)));
	MUST(fd >= 0);
	int w = inotify_add_watch(fd, ".", IN_ALL_EVENTS);
	MUST(w >= 0);
	spit("b", "x");
	spit("a", "x");
	rename("a", "c");
	unlink("b");
	mkdir("d", 0755);
	int n, moved[2] = {0, 0}, k = 0;
	while ((n = read(fd, b, sizeof b)) > 0)
		for (char *p = b; p < b + n;) {
			struct inotify_event *e = (void *)p;
			printf("%d %x %u %s\n", e->wd, e->mask, e->cookie, e->len ? e->name : "");
			if (e->mask & IN_MOVED_FROM)
				moved[0] = e->cookie;
			if (e->mask & IN_MOVED_TO)
				moved[1] = e->cookie;
			p += sizeof *e + e->len;
			k++;
		}
	CHECK(k >= 8 && moved[0] && moved[0] == moved[1], "%d events", k);
}

PROBE(file_reuse)
{
	spit("a", "1");
	ino_t first = st_of("a").st_ino;
	for (int i = 0; i < 5; i++) {
		MUST(unlink("a") == 0);
		spit("a", "2");
		printf("%lu\n", st_of("a").st_ino);
	}
	spit("b", "");
	CHECK(st_of("b").st_ino != st_of("a").st_ino);
	printf("%lu\n", first);
}

PROBE(file_unlinked)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	struct stat st;
	char b[300], l[64];
	MUST(write(fd, "data", 4) == 4 && unlink("f") == 0);
	MUST(fstat(fd, &st) == 0);
	CHECK(st.st_nlink == 0 && st.st_size == 4);
	CHECK(pread(fd, b, 4, 0) == 4 && !memcmp(b, "data", 4));
	MUST(ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "z", 1, 1 << 19) == 1);
	MUST(fstat(fd, &st) == 0 && st.st_size == 1 << 20);
	snprintf(l, sizeof l, "/proc/self/fd/%d", fd);
	int n = readlink(l, b, 299);
	MUST(n > 0);
	b[n] = 0;
	CHECK(n > 10 && !strcmp(b + n - 10, " (deleted)"), "%s", b);
	int again = open(l, O_RDONLY);
	CHECK(again >= 0 && pread(again, b, 4, 0) == 4 && !memcmp(b, "data", 4), "reopen by /proc");
	CHECK(access("f", F_OK) == -1);
	show_stat("unlinked", &st);
	MUST(mkdir("d", 0755) == 0);
	int dfd = open("d", O_RDONLY | O_DIRECTORY);
	MUST(rmdir("d") == 0 && fstat(dfd, &st) == 0);
	CHECK(openat(dfd, "x", O_CREAT | O_WRONLY, 0644) == -1 && errno == ENOENT);
	printf("removed directory nlink %lu\n", st.st_nlink);
}

PROBE(file_rename)
{
	char b[16];
	spit("a", "A");
	spit("b", "B");
	int fd = open("b", O_RDONLY);
	ino_t ia = st_of("a").st_ino;
	MUST(rename("a", "b") == 0);
	CHECK(slurp("b", b, 16) == 1 && b[0] == 'A' && st_of("b").st_ino == ia);
	CHECK(pread(fd, b, 1, 0) == 1 && b[0] == 'B', "replaced file still readable");
	spit("a", "A2");
	CHECK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) == -1 && errno == EEXIST);
	MUST(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) == 0);
	CHECK(slurp("b", b, 16) == 2 && slurp("a", b, 16) == 1);
	MUST(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0);
	spit("e/x", "");
	CHECK(rename("d", "e") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	CHECK(rename("e", "d") == 0 && access("d/x", F_OK) == 0 && access("e", F_OK) == -1);
	CHECK(rename("d", "d/sub") == -1 && errno == EINVAL);
	CHECK(rename("a", "d") == -1 && errno == EISDIR);
	CHECK(rename("d", "a") == -1 && errno == ENOTDIR);
	printf("%lu %lu\n", st_of("a").st_ino, st_of("d").st_ino);
}

PROBE(file_tmpfile)
{
	struct stat st;
	char l[64], b[16];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0) {
		printf("O_TMPFILE %s\n", errname(errno));
		CHECK(errno == EOPNOTSUPP || errno == EISDIR);
		return;
	}
	MUST(write(fd, "tmp", 3) == 3 && fstat(fd, &st) == 0);
	CHECK(st.st_nlink == 0);
	snprintf(l, sizeof l, "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, l, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
	CHECK(slurp("named", b, 16) == 3 && st_of("named").st_nlink == 1);
	show_stat("tmpfile", &st);
}
