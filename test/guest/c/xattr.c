// What getxattr(2), lgetxattr(2) and fgetxattr(2) give for files of the tree and others.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char big[65536];

static void line(const char *what, const char *name, ssize_t r, const unsigned char *v)
{
	printf("%s %s: ", what, name);
	if (r < 0) {
		printf("%s\n", strerrorname_np(errno));
		return;
	}
	unsigned long h = 0;
	for (ssize_t i = 0; v && i < r; i++)
		h = h * 31 + v[i];
	printf("%zd %lx\n", r, h);
}

static void all(const char *what, const char *path, int fd)
{
	static const char *const names[] = {
		"user.a", "user.none", "user.empty", "user.big", "security.selinux", "security.capability", "security.own", "trusted.x", "system.posix_acl_access",
		"system.posix_acl_default", "system.posix_acl_", "system.posix_acl_accessible", "system.other", "none", "", "user.",
	};
	static unsigned char v[65536];
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		line(what, names[i], path ? getxattr(path, names[i], v, sizeof v) : fgetxattr(fd, names[i], v, sizeof v), v);
		if (path)
			line("  link", names[i], lgetxattr(path, names[i], v, 100), v);
		line("  size", names[i], path ? getxattr(path, names[i], 0, 0) : fgetxattr(fd, names[i], 0, 0), 0);
		line("  short", names[i], path ? getxattr(path, names[i], v, 2) : fgetxattr(fd, names[i], v, 2), v);
		line("  nowhere", names[i], path ? getxattr(path, names[i], (void *)8, 100) : fgetxattr(fd, names[i], (void *)8, 100), 0);
	}
	line(what, "bad name", path ? getxattr(path, (void *)8, v, 100) : fgetxattr(fd, (void *)8, v, 100), v);
}

static void caps(unsigned magic, unsigned size, unsigned root)
{
	unsigned v[8] = {magic, 0x2400, 1, 0, 0, root};
	unsigned char got[64];
	printf("capability %x, %u bytes, root %u: set %d\n", magic, size, root, setxattr("caps", "security.capability", v, size, 0) ? errno : 0);
	line("caps", "security.capability", getxattr("caps", "security.capability", got, sizeof got), got);
	line("caps", "size", getxattr("caps", "security.capability", 0, 0), 0);
	line("caps", "short", getxattr("caps", "security.capability", got, 20), got);
}

int main(void)
{
	memset(big, 'b', sizeof big);
	chdir("/tmp");
	int fd = open("with", O_CREAT | O_RDWR, 0644);
	setxattr("with", "user.a", "value", 5, 0);
	setxattr("with", "user.empty", "", 0, 0);
	setxattr("with", "user.big", big, sizeof big, 0);
	setxattr("with", "security.own", "mine", 4, 0);
	close(open("without", O_CREAT | O_RDWR, 0644));
	close(open("caps", O_CREAT | O_RDWR, 0755));
	symlink("with", "link");
	symlink("loop", "loop");
	mkdir("dir", 0755);
	setxattr("dir", "user.a", "of a directory", 14, 0);
	mkfifo("fifo", 0644);
	static const char *const paths[] = {
		"with", "without", "link", "loop", "dir", "fifo", "none", "with/x", "", "/etc/passwd", "/dev/null", "/dev/shm", "/proc/self/status", "/proc/self/fd/1",
		"/proc/self/exe", "/sys/kernel", "/proc/cpuinfo", "/",
	};
	for (int round = 0; round < 2; round++) { // the second time at sites that are replaced
		for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
			all(paths[i], paths[i], 0);
		all("bad path", (void *)8, 0);
		all("descriptor", 0, fd);
		all("no descriptor", 0, 1000);
		all("O_PATH", 0, open("with", O_PATH));
		all("directory", 0, open("dir", O_RDONLY));
		int p[2];
		pipe(p);
		all("pipe", 0, p[0]);
		all("memfd", 0, memfd_create("x", 0));
		fflush(stdout);
	}
	caps(0x02000000, 20, 0);
	caps(0x02000001, 20, 0);
	caps(0x03000001, 24, 0);
	caps(0x03000001, 24, 7);
	caps(0x03000000, 24, 70000);
	caps(0x02000001, 24, 0);
	caps(0x01000000, 12, 0);
	unlink("with");
	line("unlinked", "user.a", fgetxattr(fd, "user.a", big, 100), (unsigned char *)big);
	// Who may not read the file may not read its attributes.
	int kept = open("without", O_RDWR);
	setxattr("without", "user.a", "secret", 6, 0);
	fchmod(kept, 0600);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		int may = setgid(34) == 0 && setuid(33) == 0;
		if (may)
			line("another user", "user.a", getxattr("without", "user.a", big, 100), 0), line("another user", "security.own", getxattr("without", "security.own", big, 100), 0);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, 0, 0);
	// Names and values at the end of memory.
	char *two = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(two + 4096, 4096);
	for (int i = 0; i < 8; i++) {
		static const char *const ends[] = {"system.posix_acl_access", "s", "system.", "user.a"};
		char *at = two + 4096 - strlen(ends[i % 4]) - 1;
		strcpy(at, ends[i % 4]);
		line("at the end", at, getxattr("without", at, big, 100), (unsigned char *)big);
		line("at the end", "value", getxattr("without", "user.a", two + 4096 - 6 + i / 4, 6), 0);
	}
	long n = 0;
	for (int i = 0; i < 300; i++)
		n += getxattr("without", i % 2 ? "user.a" : "user.none", big, 100);
	printf("%ld\n", n);
	return 0;
}
