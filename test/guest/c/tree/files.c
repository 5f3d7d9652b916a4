// Pipes, sockets, FIFOs, locks, terminals.
#include "tree.h"
#include <sys/ioctl.h>
#include <termios.h>

static uint32_t hash(uint32_t h, const unsigned char *b, int n)
{
	while (n--)
		h = (h ^ *b++) * 16777619;
	return h;
}

void op_pipe(void)
{
	int a[2], b[2], n = 1 + rnd(30);
	MUST(pipe(a) == 0 && pipe(b) == 0);
	pid_t c = child("p");
	if (c == 0) {
		close(a[1]);
		close(b[0]);
		while (await(a[0]) == 1)
			tell(b[1]);
		_exit(2);
	}
	close(a[0]);
	close(b[1]);
	while (n--) {
		tell(a[1]);
		MUST(await(b[0]) == 1);
	}
	close(a[1]);
	R("end of file %d", await(b[0]));
	R("end %x", reap(c));
}

static void pump(int w, int r, int stream)
{
	static unsigned char b[200000];
	int total = 1 + rnd(400000), max = 1 + rnd(rnd(2) ? 5000 : 150000);
	pid_t c = child("w");
	if (c == 0) {
		close(r);
		uint32_t h = 2166136261;
		for (int left = total; left > 0;) {
			int n = 1 + rnd(max);
			n = n < left ? n : left;
			memset(b, rnd(256), n);
			struct iovec v[2] = {{b, n / 3}, {b + n / 3, n - n / 3}};
			int k = rnd(2) ? write(w, b, n) : writev(w, v, 2);
			MUST(k == n);
			h = hash(h, b, n);
			left -= n;
			if (rnd(20) == 0)
				ms(1);
		}
		R("wrote %x", h);
		_exit(0);
	}
	close(w);
	uint32_t h = 2166136261;
	int n, sum = 0, size = 1 + rnd(stream ? sizeof b : 70000);
	while ((n = read(r, b, size)) > 0) {
		h = hash(h, b, n);
		sum += n;
		race("%d", n);
		if (n % 20 == 0)
			ms(1);
	}
	R("read %d of %d: %x", sum, total, h);
	R("end %x", reap(c));
}

void op_big_pipe(void)
{
	int p[2];
	MUST(pipe(p) == 0);
	if (rnd(2))
		fcntl(p[1], F_SETPIPE_SZ, 4096 << rnd(6));
	pump(p[1], p[0], 0);
}

void op_sockets(void)
{
	int s[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	if (rnd(2))
		setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &(int){5000 + rnd(100000)}, sizeof(int));
	pump(s[0], s[1], 1);
}

// A chain of processes, each copies its input to the next.
void op_pump(void)
{
	int p[2], in, n = 1 + rnd(5), total = 1 + rnd(200000);
	char b[8192];
	MUST(pipe(p) == 0);
	in = p[0];
	pid_t c = child("first");
	if (c == 0) {
		close(p[0]);
		memset(b, 'x', sizeof b);
		for (int left = total; left > 0;) {
			int k = write(p[1], b, left < sizeof b ? left : sizeof b);
			MUST(k > 0);
			left -= k;
		}
		_exit(0);
	}
	close(p[1]);
	for (int i = 0; i < n; i++) {
		MUST(pipe(p) == 0);
		if (child("cat") == 0) {
			int k;
			close(p[0]);
			while ((k = read(in, b, 1 + rnd(sizeof b))) > 0)
				MUST(write(p[1], b, k) == k);
			_exit(0);
		}
		close(in);
		close(p[1]);
		in = p[0];
	}
	int sum = 0, k, st, kids = 0;
	while ((k = read(in, b, sizeof b)) > 0)
		sum += k;
	while (wait(&st) > 0)
		kids += st == 0;
	R("copied %d of %d by %d", sum, total, kids);
}

static void locker(int kind)
{
	char name[400];
	int n = 2 + rnd(3), val = 0, fd;
	pid_t c[5];
	snprintf(name, sizeof name, "%s/lock%d", dir, getpid());
	fd = open(name, O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && write(fd, &val, 4) == 4);
	for (int i = 0; i < n; i++)
		if ((c[i] = child("l")) == 0) {
			fd = open(name, O_RDWR);
			struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
			for (int k = 0; k < 10; k++) {
				l.l_type = F_WRLCK;
				if (kind == 0)
					MUST(flock(fd, LOCK_EX) == 0);
				else
					MUST(fcntl(fd, kind == 1 ? F_SETLKW : F_OFD_SETLKW, &l) == 0);
				MUST(pread(fd, &val, 4, 0) == 4);
				if (rnd(3) == 0)
					ms(1);
				val++;
				MUST(pwrite(fd, &val, 4, 0) == 4);
				race("%d", val);
				l.l_type = F_UNLCK;
				if (kind == 0)
					flock(fd, LOCK_UN);
				else
					fcntl(fd, kind == 1 ? F_SETLK : F_OFD_SETLK, &l);
			}
			_exit(0); // some locks end with the process
		}
	for (int i = 0; i < n; i++)
		R("end %x", reap(c[i]));
	MUST(pread(fd, &val, 4, 0) == 4);
	R("sum %d of %d", val, 10 * n);
}

void op_flock(void) { locker(0); }
void op_fcntl(void) { locker(1 + rnd(2)); }

void op_fifo(void)
{
	char name[400];
	snprintf(name, sizeof name, "%s/fifo%d", dir, getpid());
	MUST(mkfifo(name, 0600) == 0);
	int n = 1 + rnd(3);
	for (int i = 0; i < n; i++) {
		pid_t c = child("f");
		if (c == 0) {
			if (rnd(2))
				ms(rnd(4));
			int fd = open(name, O_WRONLY);
			MUST(fd >= 0);
			tell(fd);
			_exit(0);
		}
		if (rnd(2))
			ms(rnd(4));
		int fd = open(name, O_RDONLY);
		MUST(fd >= 0);
		R("first %d", await(fd));
		R("end of file %d", await(fd));
		close(fd);
		R("end %x", reap(c));
	}
}

// Descriptors travel through a socket.
void op_rights(void)
{
	int s[2], p[2];
	char buf[CMSG_SPACE(sizeof(int))], b = 'x';
	struct iovec v = {&b, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof buf};
	MUST(socketpair(AF_UNIX, rnd(2) ? SOCK_STREAM : SOCK_SEQPACKET, 0, s) == 0);
	pid_t c = child("r");
	if (c == 0) {
		MUST(recvmsg(s[1], &m, 0) == 1);
		int fd = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&m));
		ms(rnd(3));
		tell(fd);
		_exit(0);
	}
	MUST(pipe(p) == 0);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	*(int *)CMSG_DATA(h) = p[1];
	if (rnd(2))
		ms(rnd(3));
	MUST(sendmsg(s[0], &m, 0) == 1);
	close(p[1]);
	R("through it %d", await(p[0]));
	R("end %x", reap(c));
	R("gone %d", await(p[0]));
}

static int terminal(char *name)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY);
	MUST(m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0 && ptsname_r(m, name, 64) == 0);
	return m;
}

// What is typed at a terminal: lines, end of file, ^C.
void op_tty(void)
{
	char name[64], b[256];
	int m = terminal(name), ready[2], how = rnd(3);
	MUST(pipe(ready) == 0);
	pid_t c = child("t");
	if (c == 0) {
		close(m);
		setsid();
		int s = open(name, O_RDWR), n;
		MUST(s >= 0);
		tell(ready[1]);
		while ((n = read(s, b, sizeof b)) > 0)
			R("line of %d", n);
		_exit(n == 0 ? 3 : 4);
	}
	await(ready[0]);
	for (int i = rnd(4); i; i--) {
		MUST(write(m, "line\n", 5) == 5);
		if (rnd(2))
			ms(2);
	}
	if (how)
		ms(40);
	if (how == 2)
		close(m);
	else
		MUST(write(m, how ? "\003" : "\004", 1) == 1);
	R("how %d end %x", how, reap(c));
}

// Readers and writers in the background.
void op_tty_stop(void)
{
	char name[64], b;
	int m = terminal(name), st;
	pid_t c = child("l");
	if (c == 0) {
		setsid();
		int s = open(name, O_RDWR);
		MUST(s >= 0);
		signal(SIGTTOU, SIG_IGN);
		if (rnd(2)) {
			struct termios t;
			tcgetattr(s, &t);
			t.c_lflag |= TOSTOP;
			tcsetattr(s, TCSANOW, &t);
		}
		int writes = rnd(2);
		pid_t d = child("b");
		if (d == 0) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_DFL);
			int n = writes ? write(s, "x", 1) : read(s, &b, 1);
			_exit(n == 1 ? 5 : 6);
		}
		setpgid(d, d);
		MUST(waitpid(d, &st, WUNTRACED) == d);
		R("background %x", st);
		if (WIFSTOPPED(st)) {
			MUST(tcsetpgrp(s, d) == 0);
			kill(d, SIGCONT);
			if (!writes)
				MUST(write(m, "a\n", 2) == 2);
			R("end %x", reap(d));
		}
		_exit(1);
	}
	R("end %x", reap(c));
}
