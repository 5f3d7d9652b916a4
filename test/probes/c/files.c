// Files section: metadata, times, owners, attributes.
#include "probe.h"
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int64_t ct(const char *p) { return ts_ns(st_of(p).st_ctim); }

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
