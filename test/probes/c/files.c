// Files section: metadata, times, directories.
#include "probe.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static struct stat st_of(const char *p)
{
	struct stat st;
	MUST(lstat(p, &st) == 0);
	return st;
}
static int64_t mt(const char *p) { return ts_ns(st_of(p).st_mtim); }
static int64_t ct(const char *p) { return ts_ns(st_of(p).st_ctim); }
// The kernel's file times have the grain of a tick (4 ms).
static void tick(void) { usleep(12000); }

PROBE(file_numbers)
{
	const char *p[] = {"/", "/usr", "/bin/sh", "/etc/passwd", "/tmp", "/proc", "/sys", "/dev", "/dev/null", "/dev/shm", "/proc/self/exe", "/proc/version", "."};
	for (int i = 0; i < 13; i++) {
		struct stat st;
		if (stat(p[i], &st))
			printf("%s %s\n", p[i], errname(errno));
		else
			show_stat(p[i], &st);
	}
	struct statx x;
	MUST(statx(AT_FDCWD, "/bin/sh", 0, STATX_ALL | 0x1000 | 0x2000, &x) == 0);
	printf("statx mask=%x blksize=%x attr=%llx/%llx btime=%lld dev=%u:%u mnt_id=%llu dio=%u/%u\n", x.stx_mask, x.stx_blksize,
	       x.stx_attributes, x.stx_attributes_mask, (long long)x.stx_btime.tv_sec, x.stx_dev_major, x.stx_dev_minor,
	       *(unsigned long long *)((char *)&x + 0x90), *(unsigned *)((char *)&x + 0x98), *(unsigned *)((char *)&x + 0x9c));
	struct stat s = st_of("/usr");
	CHECK(makedev(x.stx_dev_major, x.stx_dev_minor) == s.st_dev, "statx and stat disagree on the device");
}

PROBE(file_dino)
{
	// d_ino equals st_ino, also for . and ..
	const char *d[] = {".", "/usr", "/etc", "/"};
	spit("a", "x");
	mkdir("sub", 0755);
	symlink("a", "l");
	for (int i = 0; i < 4; i++) {
		DIR *o = opendir(d[i]);
		struct dirent *e;
		int n = 0;
		MUST(o);
		while ((e = readdir(o))) {
			struct stat st;
			if (fstatat(dirfd(o), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
				continue;
			// A mount point's entry is the directory below the mount.
			if (i == 3 && strcmp(e->d_name, "."))
				continue;
			if (strcmp(e->d_name, "..") && st.st_dev == st_of(d[i]).st_dev)
				CHECK(st.st_ino == e->d_ino, "%s/%s d_ino %lu st_ino %lu", d[i], e->d_name, e->d_ino, st.st_ino);
			CHECK(e->d_type == DT_UNKNOWN || e->d_type == IFTODT(st.st_mode), "%s/%s type", d[i], e->d_name);
			if (i != 2)
				printf("%s/%s %lu %d\n", d[i], e->d_name, e->d_ino, e->d_type);
			n++;
		}
		CHECK(n >= 2 || i == 3);
		closedir(o);
	}
}

// mtime, ctime and atime follow the manual for every operation, and never
// lie in the future.
PROBE(file_times)
{
	struct stat a, b;
	int fd;
	int64_t t0 = now(CLOCK_REALTIME_COARSE), dm;
	tick();
	fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0644);
	a = st_of("f");
	CHECK(ts_ns(a.st_mtim) > t0 && ts_ns(a.st_mtim) <= now(CLOCK_REALTIME), "created %ld, now %ld", ts_ns(a.st_mtim), now(CLOCK_REALTIME));
	CHECK(mt(".") >= ts_ns(a.st_mtim) - 4 * MS, "directory not touched by create");
	show_stat("create", &a);
	tick();
	MUST(write(fd, "hello", 5) == 5);
	b = st_of("f");
	CHECK(ts_ns(b.st_mtim) > ts_ns(a.st_mtim) && ts_ns(b.st_ctim) > ts_ns(a.st_ctim), "write");
	show_stat("write", &b);
	tick();
	MUST(ftruncate(fd, 2) == 0);
	a = st_of("f");
	CHECK(ts_ns(a.st_mtim) > ts_ns(b.st_mtim) && a.st_size == 2, "truncate");
	tick();
	MUST(ftruncate(fd, 2) == 0);
	b = st_of("f");
	CHECK(ts_ns(b.st_mtim) >= ts_ns(a.st_mtim), "truncate to the same size");
	a = b;
	tick();
	MUST(fchmod(fd, 0600) == 0);
	b = st_of("f");
	CHECK(ts_ns(b.st_mtim) == ts_ns(a.st_mtim) && ts_ns(b.st_ctim) > ts_ns(a.st_ctim), "chmod");
	show_stat("chmod", &b);
	tick();
	dm = mt(".");
	MUST(link("f", "g") == 0);
	a = st_of("f");
	CHECK(a.st_nlink == 2 && ts_ns(a.st_ctim) > ts_ns(b.st_ctim) && ts_ns(a.st_mtim) == ts_ns(b.st_mtim), "link");
	CHECK(mt(".") > dm, "directory not touched by link");
	show_stat("link", &a);
	tick();
	dm = mt(".");
	MUST(rename("g", "h") == 0 || 1);
	CHECK(mt(".") > dm, "directory not touched by rename");
	CHECK(ct("h") >= ts_ns(a.st_ctim), "rename");
	tick();
	dm = mt(".");
	MUST(unlink("h") == 0);
	b = st_of("f");
	CHECK(b.st_nlink == 1 && ts_ns(b.st_ctim) > ts_ns(a.st_ctim) && mt(".") > dm, "unlink");
	struct timespec ts[2] = {{1000, 5}, {2000, 123456789}};
	MUST(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	b = st_of("f");
	CHECK(ts_ns(b.st_atim) == 1000 * SEC + 5 && ts_ns(b.st_mtim) == 2000 * SEC + 123456789, "explicit times");
	CHECK(ts_ns(b.st_ctim) > t0);
	show_stat("utimens", &b);
	ts[0].tv_nsec = UTIME_OMIT, ts[1].tv_nsec = UTIME_NOW;
	tick();
	MUST(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	b = st_of("f");
	CHECK(ts_ns(b.st_atim) == 1000 * SEC + 5 && ts_ns(b.st_mtim) > t0 && ts_ns(b.st_mtim) <= now(CLOCK_REALTIME), "UTIME_NOW");
	tick();
	int64_t before = mt("f");
	close(open("f", O_WRONLY | O_TRUNC));
	CHECK(mt("f") > before && st_of("f").st_size == 0, "O_TRUNC");
	tick();
	MUST(mkdir("d", 0755) == 0);
	int64_t made = mt("d");
	tick();
	spit("d/x", "");
	CHECK(mt("d") > made, "directory time");
	made = mt("d");
	tick();
	spit("d/x", "changed");
	CHECK(mt("d") == made, "writing to a file touched its directory");
	b = st_of("d");
	show_stat("dir", &b);
	b = st_of("f");
	show_stat("end", &b);
	struct statx x;
	MUST(statx(AT_FDCWD, "d/x", 0, STATX_BTIME, &x) == 0);
	if (x.stx_mask & STATX_BTIME)
		CHECK(x.stx_btime.tv_sec * SEC + x.stx_btime.tv_nsec <= mt("d/x"), "born after its last change");
	printf("btime %x %lld.%09u\n", x.stx_mask & STATX_BTIME, (long long)x.stx_btime.tv_sec, x.stx_btime.tv_nsec);
}

PROBE(file_nlink)
{
	MUST(mkdir("d", 0755) == 0 && mkdir("d/a", 0755) == 0 && mkdir("d/b", 0755) == 0);
	spit("d/f", "");
	MUST(link("d/f", "d/g") == 0 && link("d/f", "d/a/h") == 0);
	struct stat d = st_of("d"), f = st_of("d/f"), g = st_of("d/a/h");
	printf("dir %lu file %lu\n", d.st_nlink, f.st_nlink);
	CHECK(f.st_nlink == 3 && g.st_nlink == 3 && f.st_ino == g.st_ino);
	CHECK(d.st_nlink == 4 || d.st_nlink == 1);
	MUST(unlink("d/f") == 0 && rmdir("d/b") == 0);
	CHECK(st_of("d/g").st_nlink == 2 && (st_of("d").st_nlink == 3 || st_of("d").st_nlink == 1));
	struct stat r = st_of("/"), u = st_of("/usr");
	printf("/ %lu /usr %lu\n", r.st_nlink, u.st_nlink);
}

PROBE(file_sizes)
{
	static char z[100000];
	struct stat st;
	for (int n = 0; n <= 100000; n = n * 3 + 1) {
		int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
		MUST(write(fd, z, n) == n && fsync(fd) == 0 && fstat(fd, &st) == 0);
		CHECK(st.st_size == n && st.st_blocks * 512 >= n, "%d: size %ld blocks %ld", n, st.st_size, st.st_blocks);
		printf("%d blocks %ld blksize %ld\n", n, st.st_blocks, (long)st.st_blksize);
		close(fd);
	}
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < 300; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/file-with-a-long-name-%d", i);
		spit(p, "");
		if (i % 100 == 0) {
			st = st_of("d");
			printf("dir size %ld blocks %ld\n", st.st_size, st.st_blocks);
		}
	}
	st = st_of("/usr/bin");
	printf("/usr/bin size %ld blocks %ld\n", st.st_size, st.st_blocks);
}

PROBE(dir_order)
{
	const char *n[] = {"zeta", "alpha", "Mid", "10", "9", "\xc3\xa4", "b.c", ".hid", "beta", "a"};
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < 10; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/%s", n[i]);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	int c = 0;
	while ((e = readdir(o))) {
		printf("%s %ld\n", e->d_name, (long)e->d_off);
		c++;
	}
	CHECK(c == 12, "%d entries", c);
	rewinddir(o);
	for (c = 0; (e = readdir(o)); c++)
		;
	CHECK(c == 12, "after rewinddir %d entries", c);
	closedir(o);
	// Image directories.
	o = opendir("/usr/bin");
	MUST(o);
	uint64_t h = HASH0;
	char first[300] = "";
	while ((e = readdir(o))) {
		if (!*first && e->d_name[0] != '.')
			strcpy(first, e->d_name);
		h = hash_bytes(h, e->d_name, strlen(e->d_name) + 1);
	}
	printf("/usr/bin %s %lx\n", first, h);
	closedir(o);
}

// Sorted bytewise: what the container adds to POSIX.
PROBE(dir_sorted)
{
	char last[300] = "";
	int sorted = 1, n = 0;
	MUST(mkdir("d", 0755) == 0);
	for (unsigned i = 0, x = 1; i < 2000; i++) {
		char p[64];
		x = x * 1103515245 + 12345;
		snprintf(p, sizeof p, "d/%x", x);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	while ((e = readdir(o))) {
		if (e->d_name[0] == '.')
			continue;
		if (strcmp(last, e->d_name) >= 0)
			sorted = 0;
		strcpy(last, e->d_name);
		n++;
	}
	closedir(o);
	CHECK(n == 2000, "%d", n);
	printf("sorted %d\n", sorted);
}

PROBE(dir_seek)
{
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < 50; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/%03d", i);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	char name[60][64];
	long pos[60];
	int n = 0;
	for (pos[0] = telldir(o); (e = readdir(o)); pos[n] = telldir(o))
		strcpy(name[n++], e->d_name);
	CHECK(n == 52);
	for (int i = n - 1; i >= 0; i--) {
		seekdir(o, pos[i]);
		e = readdir(o);
		CHECK(e && !strcmp(e->d_name, name[i]), "seekdir to %d", i);
		printf("%ld\n", pos[i]);
	}
	closedir(o);
}

// Deleting and creating during an iteration: nothing old that stays is lost
// or shown twice.
static void dir_mutation(int drop)
{
	enum { N = 3000 };
	static char seen[N];
	int created = 0;
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < N; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/%05d", i);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	uint64_t h = HASH0;
	for (int k = 0; (e = readdir(o)); k++) {
		char p[300];
		h = hash_bytes(h, e->d_name, strlen(e->d_name) + 1);
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
			int i = atoi(e->d_name);
			CHECK(!seen[i], "%d twice", i);
			seen[i] = 1;
			snprintf(p, sizeof p, "d/%s", e->d_name);
			if (k % 2)
				MUST(unlink(p) == 0);
		}
		if (k % 100 == 0) {
			snprintf(p, sizeof p, "d/new%d", created++);
			spit(p, "");
			if (drop && k % 1000 == 0) {
				int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
				if (fd >= 0) {
					(void)!write(fd, "2", 1);
					close(fd);
				}
			}
		}
		if (k > 2 * N)
			break;
	}
	for (int i = 0; i < N; i++)
		CHECK(seen[i], "%d lost", i);
	closedir(o);
	printf("%lx %d\n", h, created);
}
PROBE(dir_delete) { dir_mutation(0); }
PROBE(dir_delete_pressure) { dir_mutation(1); }

PROBE(dir_huge)
{
	int n = arg_count ? atoi(arg_list[0]) : 100000, c = 0;
	uint64_t h = HASH0;
	MUST(mkdir("d", 0755) == 0 && chdir("d") == 0);
	for (int i = 0; i < n; i++) {
		char p[32];
		snprintf(p, sizeof p, "%08x", i * 2654435761u);
		MUST(mknod(p, S_IFREG | 0644, 0) == 0);
	}
	DIR *o = opendir(".");
	struct dirent *e;
	while ((e = readdir(o))) {
		c++;
		h = hash_bytes(h, e->d_name, strlen(e->d_name));
	}
	CHECK(c == n + 2, "%d of %d", c, n + 2);
	printf("%lx %ld\n", h, st_of(".").st_size);
	rewinddir(o);
	while ((e = readdir(o)))
		if (e->d_name[0] != '.')
			MUST(unlink(e->d_name) == 0);
	closedir(o);
	o = opendir(".");
	for (c = 0; readdir(o); c++)
		;
	CHECK(c == 2, "%d left", c);
}

PROBE(file_sparse)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	MUST(pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "y", 1, 10 << 20) == 1);
	struct stat st;
	MUST(fstat(fd, &st) == 0);
	CHECK(st.st_size == (10 << 20) + 1);
	off_t h = lseek(fd, 0, SEEK_HOLE), d = lseek(fd, 8192, SEEK_DATA), e = lseek(fd, 10 << 20, SEEK_HOLE);
	CHECK(h >= 1 && h <= st.st_size && d <= 10 << 20 && e == st.st_size, "%ld %ld %ld", h, d, e);
	CHECK(lseek(fd, st.st_size, SEEK_DATA) == -1 && errno == ENXIO);
	printf("hole %ld data %ld end %ld blocks %ld\n", h, d, e, st.st_blocks);
	char *m = mmap(0, 20 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(m != MAP_FAILED);
	m[5 << 20] = 'z';
	MUST(fstat(fd, &st) == 0);
	printf("dirty page: hole %ld data %ld blocks %ld\n", lseek(fd, 0, SEEK_HOLE), lseek(fd, 8192, SEEK_DATA), st.st_blocks);
	MUST(msync(m, 10 << 20, MS_SYNC) == 0 && fstat(fd, &st) == 0);
	printf("stored page: hole %ld data %ld blocks %ld\n", lseek(fd, 0, SEEK_HOLE), lseek(fd, 8192, SEEK_DATA), st.st_blocks);
	char c = 1;
	CHECK(pread(fd, &c, 1, 3 << 20) == 1 && c == 0);
	CHECK(pread(fd, &c, 1, 5 << 20) == 1 && c == 'z');
}

PROBE(file_handles)
{
	struct { struct file_handle h; char b[128]; } f = {.h.handle_bytes = 128};
	int id = -1;
	int r = name_to_handle_at(AT_FDCWD, "/usr", &f.h, &id, 0);
	printf("name_to_handle_at %s type %d bytes %u mount %d", errname(r ? errno : 0), r ? 0 : f.h.handle_type, r ? 0 : f.h.handle_bytes, id);
	for (unsigned i = 0; r == 0 && i < f.h.handle_bytes; i++)
		printf(" %02x", f.h.f_handle[i]);
	puts("");
	r = open_by_handle_at(AT_FDCWD, &f.h, O_RDONLY);
	printf("open_by_handle_at %s\n", errname(r < 0 ? errno : 0));
}

PROBE(file_mount_ids)
{
	struct statx x;
	int fd = open("/usr", O_RDONLY);
	char b[1024], p[64];
	const char *d[] = {"/", "/proc", "/dev", "/tmp", "/sys"};
	for (int i = 0; i < 5; i++) {
		MUST(statx(AT_FDCWD, d[i], 0, STATX_BASIC_STATS | 0x1000 | 0x4000, &x) == 0);
		if (i < 3)
			CHECK(x.stx_attributes & STATX_ATTR_MOUNT_ROOT, "%s is no mount point", d[i]);
		printf("%s mnt_id %llu root %d\n", d[i], *(unsigned long long *)((char *)&x + 0x90), !!(x.stx_attributes & 0x2000));
	}
	snprintf(p, sizeof p, "/proc/self/fdinfo/%d", fd);
	MUST(slurp(p, b, sizeof b) > 0);
	printf("%s", b);
}

PROBE(file_xattr)
{
	char l[1024], v[64];
	const char *n[] = {"user.zz", "user.aa", "user.mm", "user.b"};
	spit("f", "");
	for (int i = 0; i < 4; i++)
		if (setxattr("f", n[i], n[i], strlen(n[i]), XATTR_CREATE)) {
			printf("%s %s\n", n[i], errname(errno));
			return;
		}
	CHECK(setxattr("f", "user.aa", "", 0, XATTR_CREATE) == -1 && errno == EEXIST);
	int r = listxattr("f", l, sizeof l), c = 0;
	for (char *p = l; p < l + r; p += strlen(p) + 1, c++)
		puts(p);
	CHECK(c == 4, "%d names", c);
	CHECK(getxattr("f", "user.mm", v, 64) == 7 && !memcmp(v, "user.mm", 7));
	CHECK(removexattr("f", "user.mm") == 0 && getxattr("f", "user.mm", v, 64) == -1 && errno == ENODATA);
	CHECK(getxattr("f", "user.aa", v, 2) == -1 && errno == ERANGE);
	const char *im[] = {"/usr/bin/ping", "/bin/sh", "/usr"};
	for (int i = 0; i < 3; i++) {
		r = llistxattr(im[i], l, sizeof l);
		printf("%s %d %s\n", im[i], r, errname(r < 0 ? errno : 0));
	}
}

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

PROBE(file_memfd)
{
	struct stat st;
	char *m, c;
	int fd = memfd_create("m", MFD_ALLOW_SEALING);
	MUST(fd >= 0 && write(fd, "hello", 5) == 5 && fstat(fd, &st) == 0);
	CHECK(st.st_size == 5);
	show_stat("memfd", &st);
	m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(m != MAP_FAILED);
	m[0] = 'J';
	CHECK(pread(fd, &c, 1, 0) == 1 && c == 'J');
	munmap(m, 4096);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	CHECK(write(fd, "x", 1) == -1 && errno == EPERM);
}

PROBE(file_mmap)
{
	char b[8];
	spit("f", "0123456789");
	int fd = open("f", O_RDWR);
	int64_t before = mt("f");
	tick();
	char *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	MUST(s != MAP_FAILED && p != MAP_FAILED);
	p[1] = 'P';
	s[0] = 'S';
	CHECK(pread(fd, b, 2, 0) == 2 && b[0] == 'S' && b[1] == '1', "%c%c", b[0], b[1]);
	CHECK(p[0] == 'S' || p[0] == '0');
	MUST(pwrite(fd, "W", 1, 5) == 1);
	CHECK(s[5] == 'W');
	MUST(msync(s, 4096, MS_SYNC) == 0);
	munmap(s, 4096);
	tick();
	CHECK(mt("f") > before, "a store through a mapping did not change mtime");
	CHECK(st_of("f").st_size == 10);
	printf("%ld %ld\n", before, mt("f"));
	pid_t c = fork();
	s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == 0) {
		s[2] = 'C';
		_exit(0);
	}
	wait_ok(c);
	CHECK(s[2] == 'C', "not shared between processes");
}

static void copy_result(const char *what, ssize_t n, const char *path)
{
	char b[64] = {0};
	int e = n < 0 ? errno : 0;
	int r = slurp(path, b, 64);
	printf("%s %zd %s -> %d %s\n", what, n, errname(e), r, r > 0 ? b : "");
}

// Operations that the host's file system may or may not offer.
PROBE(file_copies)
{
	struct stat st;
	spit("src", "the quick brown fox");
	int s = open("src", O_RDWR), d, p[2];
	off_t o = 0;
	d = open("cfr", O_RDWR | O_CREAT, 0644);
	ssize_t n = copy_file_range(s, &o, d, 0, 9, 0);
	CHECK(n == 9 || n == -1);
	copy_result("copy_file_range", n, "cfr");
	d = open("sf", O_RDWR | O_CREAT, 0644);
	o = 4;
	n = sendfile(d, s, &o, 5);
	CHECK(n == 5 && o == 9);
	copy_result("sendfile", n, "sf");
	MUST(pipe(p) == 0);
	o = 4;
	n = splice(s, &o, p[1], 0, 5, 0);
	CHECK(n == 5);
	d = open("sp", O_RDWR | O_CREAT, 0644);
	n = splice(p[0], 0, d, 0, 5, 0);
	CHECK(n == 5);
	copy_result("splice", n, "sp");
	d = open("cl", O_RDWR | O_CREAT, 0644);
	n = ioctl(d, FICLONE, s);
	copy_result("FICLONE", n, "cl");
	d = open("fa", O_RDWR | O_CREAT, 0644);
	int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};
	for (int i = 0; i < 6; i++) {
		int r = fallocate(d, modes[i], 0, 8192 << (i == 1));
		int e = r ? errno : 0;
		MUST(fstat(d, &st) == 0);
		printf("fallocate %x %s size %ld blocks %ld\n", modes[i], errname(e), st.st_size, st.st_blocks);
	}
	d = open("src", O_RDONLY | O_DIRECT);
	printf("O_DIRECT %s\n", errname(d < 0 ? errno : 0));
	static char al[8192] __attribute__((aligned(4096)));
	if (d >= 0) {
		n = read(d, al, 4096);
		printf("direct read %zd %s\n", n, errname(n < 0 ? errno : 0));
		n = read(d, al + 1, 4096);
		printf("unaligned read %zd %s\n", n, errname(n < 0 ? errno : 0));
	}
	unsigned fl = 0;
	int r = ioctl(s, FS_IOC_GETFLAGS, &fl);
	printf("GETFLAGS %s %x\n", errname(r ? errno : 0), r ? 0 : fl);
	unsigned gen = 0;
	r = ioctl(s, FS_IOC_GETVERSION, &gen);
	printf("GETVERSION %s %x\n", errname(r ? errno : 0), r ? 0 : gen);
	struct { uint64_t start, len; uint32_t flags, mapped, count, res; char ext[56]; } fm = {0, ~0ull, 0, 0, 1, 0, ""};
	r = ioctl(s, 0xc020660b /* FIEMAP */, &fm);
	printf("FIEMAP %s %u %lx\n", errname(r ? errno : 0), fm.mapped, *(unsigned long *)(fm.ext + 8));
	int bm = 0;
	r = ioctl(s, FIBMAP, &bm);
	printf("FIBMAP %s\n", errname(r ? errno : 0));
	printf("syncfs %d fsync %d fdatasync %d readahead %zd fadvise %d\n", syncfs(s), fsync(s), fdatasync(s), readahead(s, 0, 10), posix_fadvise(s, 0, 0, POSIX_FADV_WILLNEED));
}

PROBE(file_partial)
{
	enum { N = 3 << 20 };
	char *b = malloc(N);
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	for (int i = 0; i < N; i++)
		b[i] = i * 7;
	ssize_t w = write(fd, b, N);
	CHECK(w == N, "%zd", w);
	memset(b, 0, N);
	ssize_t r = pread(fd, b, N, 0);
	CHECK(r == N, "%zd", r);
	for (int i = 0; i < N; i++)
		if (b[i] != (char)(i * 7)) {
			CHECK(0, "byte %d", i);
			break;
		}
	CHECK(pread(fd, b, 100, N - 10) == 10 && pread(fd, b, 10, N) == 0);
	// Crossing into an unmapped page gives a short count, never a lie.
	char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + 4096, 4096);
	r = pread(fd, m + 4000, 4096, 0);
	int e = r < 0 ? errno : 0;
	printf("into a hole: %zd %s\n", r, errname(e));
	w = pwrite(fd, m + 4000, 4096, 0);
	e = w < 0 ? errno : 0;
	printf("from a hole: %zd %s\n", w, errname(e));
	CHECK(w <= 96);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, RLIM_INFINITY});
	signal(SIGXFSZ, SIG_IGN);
	int g = open("g", O_RDWR | O_CREAT, 0644);
	w = write(g, b, 2 << 20);
	CHECK(w == 1 << 20, "RLIMIT_FSIZE: %zd", w);
	CHECK(write(g, b, 1) == -1 && errno == EFBIG);
	printf("%zd\n", w);
}

// chown to any id is kept.
PROBE(file_chown)
{
	spit("f", "");
	int ids[] = {1, 65534, 1000, 123456, 4000000};
	for (int i = 0; i < 5; i++) {
		int r = chown("f", ids[i], ids[i] + 1);
		struct stat st = st_of("f");
		CHECK(r == 0 && st.st_uid == (uid_t)ids[i] && st.st_gid == (gid_t)ids[i] + 1, "chown %d: %d, %u %u", ids[i], r, st.st_uid, st.st_gid);
		printf("%u %u\n", st.st_uid, st.st_gid);
	}
	MUST(chmod("f", 06755) == 0);
	MUST(chown("f", 5, 5) == 0);
	CHECK((st_of("f").st_mode & 07000) == 0, "set-id bits stay after chown: %o", st_of("f").st_mode);
	CHECK(access("f", W_OK) == 0, "root may write files of others");
}

PROBE(file_special)
{
	MUST(mkfifo("p", 0640) == 0 && symlink("nowhere", "s") == 0);
	struct stat st = st_of("p");
	CHECK(S_ISFIFO(st.st_mode));
	show_stat("fifo", &st);
	st = st_of("s");
	CHECK(S_ISLNK(st.st_mode) && st.st_size == 7);
	show_stat("symlink", &st);
	int r = mknod("n", S_IFCHR | 0666, makedev(1, 3));
	printf("mknod device %s\n", errname(r ? errno : 0));
	CHECK(open("s", O_RDONLY) == -1 && errno == ENOENT);
	MUST(symlink("loop", "loop") == 0);
	CHECK(open("loop", O_RDONLY) == -1 && errno == ELOOP);
	char name[300];
	memset(name, 'n', 299);
	name[256] = 0;
	CHECK(open(name, O_CREAT | O_WRONLY, 0644) == -1 && errno == ENAMETOOLONG);
	name[255] = 0;
	CHECK(open(name, O_CREAT | O_WRONLY, 0644) >= 0);
}
