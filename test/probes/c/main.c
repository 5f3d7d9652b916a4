#include "probe.h"
#include <sys/auxv.h>

extern const struct probe __start_probes[], __stop_probes[];

int failed, arg_count;
char **arg_list;

void wrong(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fflush(stdout);
	fprintf(stderr, "wrong: %s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	failed = 1;
}

const char *errname(int e)
{
	static char buf[32];
	const char *n = e ? strerrorname_np(e) : "0";
	if (n)
		return n;
	snprintf(buf, sizeof buf, "errno %d", e);
	return buf;
}

int64_t ts_ns(struct timespec t) { return t.tv_sec * SEC + t.tv_nsec; }

struct stat st_of(const char *p)
{
	struct stat st;
	MUST(lstat(p, &st) == 0);
	return st;
}

int64_t mt(const char *p) { return ts_ns(st_of(p).st_mtim); }

void tick(void) { usleep(12000); } // they have the grain of 4 ms

int64_t now(clockid_t id)
{
	struct timespec t;
	MUST(clock_gettime(id, &t) == 0);
	return ts_ns(t);
}

void burn(long rounds)
{
	for (volatile long i = 0; i < rounds; i++)
		;
}

uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;
	while (n--)
		h = (h ^ *c++) * 0x100000001b3ull;
	return h;
}

void show_stat(const char *label, const struct stat *st)
{
	printf("%s dev=%lx ino=%lu mode=%o nlink=%lu uid=%u gid=%u rdev=%lx "
	       "size=%ld blksize=%ld blocks=%ld atime=%ld mtime=%ld ctime=%ld\n",
	       label, st->st_dev, st->st_ino, st->st_mode, st->st_nlink,
	       st->st_uid, st->st_gid, st->st_rdev, st->st_size,
	       (long)st->st_blksize, st->st_blocks, ts_ns(st->st_atim),
	       ts_ns(st->st_mtim), ts_ns(st->st_ctim));
}

int slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), n = 0;
	if (fd < 0)
		return -errno;
	while ((size_t)n + 1 < size) {
		ssize_t r = read(fd, buf + n, size - 1 - n);
		if (r < 0) {
			int e = errno;
			close(fd);
			return -e;
		}
		if (r == 0)
			break;
		n += r;
	}
	buf[n] = 0;
	close(fd);
	return n;
}

void spit(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	MUST(close(fd) == 0);
}

long auxval(unsigned long type)
{
	errno = 0;
	return getauxval(type);
}

void wait_ok(pid_t pid)
{
	int st;
	MUST(pid > 0);
	MUST(waitpid(pid, &st, 0) == pid);
	CHECK(st == 0, "child status %x", st);
	if (st)
		failed = 1;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		for (const struct probe *p = __start_probes; p < __stop_probes; p++)
			puts(p->name);
		return 0;
	}
	setvbuf(stdout, 0, _IOFBF, 1 << 16);
	arg_count = argc - 2;
	arg_list = argv + 2;
	for (const struct probe *p = __start_probes; p < __stop_probes; p++)
		if (!strcmp(p->name, argv[1])) {
			p->run();
			fflush(stdout);
			return failed;
		}
	fprintf(stderr, "no probe %s\n", argv[1]);
	return 2;
}
