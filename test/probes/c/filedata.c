// Files section: content, and the calls that move it.
#include "probe.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

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
