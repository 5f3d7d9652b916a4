/*
 * tty_pieces.c: several writes to one side of a terminal, then one read of the
 * other: it gets all that is there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

/* How many of the rounds got everything at once, by read or by readv. */
static void rounds(const char *name, int from, int to, int want)
{
	static char buf[4096];
	int all = 0, least = 1 << 20;
	for (int i = 0; i < 150; i++) {
		for (int j = 0; j < 7; j++)
			if (write(from, "some bytes and more\n", 20) != 20)
				exit(2);
		struct iovec v[] = {{buf, 3}, {buf + 3, 50}, {buf + 53, sizeof buf - 53}};
		int n = i % 3 ? read(to, buf, sizeof buf) : readv(to, v, 3);
		if (n < least)
			least = n;
		all += n == want && buf[want - 1] == '\n' && !memcmp(buf + want / 7, "some", 4);
		for (int rest = want - n; rest > 0; rest -= n)
			n = read(to, buf, rest);
	}
	printf("%s: %d of 150, least %d of %d\n", name, all, least, want);
}

/*
 * Two readers, of the terminal and of a pipe, to which one thread writes in
 * this order: how many of the rounds woke the terminal's first.
 */
static void readers(void)
{
	int in[2], done[2], child[2], first = 0;
	char c[3] = "";
	if (pipe(in) || pipe(done))
		exit(2);
	for (int i = 0; i < 2; i++)
		if (!(child[i] = fork()))
			for (;;) {
				char byte[8];
				if (i ? read(in[0], byte, 1) != 1 : read(master, byte, 1) != 1)
					exit(2);
				write(done[1], i ? "p" : "t", 1);
			}
	for (int i = 0; i < 150; i++) {
		usleep(1000); /* both wait */
		write(slave, "x", 1);
		write(in[1], "x", 1);
		for (int n = 0; n < 2; n += read(done[0], c + n, 2 - n))
			;
		first += !strcmp(c, "tp");
	}
	printf("terminal first: %d of 150\n", first);
	for (int i = 0; i < 2; i++)
		kill(child[i], SIGKILL);
}

int main(void)
{
	struct termios t;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		return 2;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0)
		return 2;
	rounds("cooked", slave, master, 7 * 21); /* each newline becomes two bytes */
	tcgetattr(slave, &t);
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	rounds("raw", slave, master, 7 * 20);
	rounds("typed", master, slave, 7 * 20);
	t.c_cc[VMIN] = 30;
	tcsetattr(slave, TCSANOW, &t);
	rounds("typed, at least 30", master, slave, 7 * 20);
	fcntl(master, F_SETFL, O_NONBLOCK);
	rounds("without waiting", slave, master, 7 * 20);
	fcntl(master, F_SETFL, 0);
	readers();
	return 0;
}
