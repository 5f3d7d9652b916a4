// Processes that lock parts of a file crosswise, or seem to: the last to wait gets
// EDEADLK, whoever that is, and the others the lock.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;

static int lock(int type, int start, int len, int cmd)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
	return fcntl(fd, cmd, &l) ? errno : 0;
}

// circle has n processes, each of which holds its own byte and wants the next one's.
static void circle(const char *what, int n, int cmd, int last)
{
	int begun[2], go[2], deadlocks = 0, locks = 0;
	char c = 0;
	pipe(begun), pipe(go);
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			close(go[1]);
			if (lock(F_WRLCK, 2 * i, 1, F_SETLK))
				_exit(99);
			write(begun[1], &c, 1);
			read(go[0], &c, 1); // the end
			int next = i == n - 1 ? last : 2 * (i + 1);
			if (next > 2 * i) // from its own byte on
				_exit(lock(F_WRLCK, 2 * i, next - 2 * i + 1, cmd));
			_exit(lock(F_WRLCK, next, n == 2 ? 2 * i - next + 1 : 1, cmd)); // of two up to its own
		}
	for (int i = 0; i < n; i++)
		read(begun[0], &c, 1);
	close(go[1]), close(go[0]);
	for (int i = 0; i < n; i++) {
		int status;
		wait(&status);
		deadlocks += WEXITSTATUS(status) == EDEADLK;
		locks += status == 0;
	}
	printf("%s: %d deadlocks, %d locks\n", what, deadlocks, locks);
	fflush(stdout);
}

int main(void)
{
	setvbuf(stdout, 0, _IOLBF, 0);
	fd = open("locked", O_RDWR | O_CREAT | O_TRUNC, 0600);
	circle("two", 2, F_SETLKW, 0);
	circle("three", 3, F_SETLKW, 0);
	circle("a chain", 3, F_SETLKW, 100);
	circle("alone", 1, F_SETLKW, 0);
}
