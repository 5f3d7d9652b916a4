// System V message queues: order by type, sizes, waiting, removal, signals.
// Says the same natively.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct m { long type; char text[9000]; };
static int id, p[2];

static void show(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : ""); fflush(stdout); }
static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000L}; while (nanosleep(&t, &t) && errno == EINTR) {} }
static void handler(int s) { (void)s; }
static int put(long type, const char *text, int f) { struct m m = {type}; strcpy(m.text, text); return msgsnd(id, &m, strlen(text) + 1, f); }
static void get(long type, int f) {
	struct m m = {0};
	long r = msgrcv(id, &m, 8, type, f);
	printf("get %ld: %ld %s %ld %s\n", type, r, r < 0 ? strerrorname_np(errno) : "", m.type, m.text);
	fflush(stdout);
}

// A process is asleep when the kernel says so; in a container it is at once.
static void asleep(pid_t c) {
	char path[64], s[256];
	snprintf(path, sizeof path, "/proc/%d/stat", c);
	for (int calm = 0; calm < 3;) {
		ms(2);
		FILE *f = fopen(path, "r");
		fgets(s, sizeof s, f);
		fclose(f);
		calm = strrchr(s, ')')[2] == 'S' ? calm + 1 : 0;
	}
}

static pid_t receiver(long type, size_t size, int f) {
	pid_t c = fork();
	if (c == 0) {
		struct m m = {0};
		char out[64];
		long r = msgrcv(id, &m, size, type, f);
		snprintf(out, sizeof out, "%ld:%ld %s %s;", type, r, r < 0 ? strerrorname_np(errno) : "", m.text);
		write(p[1], out, strlen(out));
		_exit(0);
	}
	asleep(c);
	return c;
}

// With an argument the order of the waiters' reports, natively a race, does not show.
static int sorted;
static int cmp(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void collect(int n) {
	char b[512] = {0}, *w[16];
	for (int i = 0; i < n; i++) wait(0);
	read(p[0], b, sizeof b);
	int k = 0;
	for (char *s = strtok(b, ";"); s; s = strtok(0, ";")) w[k++] = s;
	if (sorted) qsort(w, k, sizeof *w, cmp);
	for (int i = 0; i < k; i++) printf(" %s;", w[i]);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv) {
	sorted = argc > 1;
	struct msqid_ds ds;
	static struct m big = {1};
	int st;
	pipe(p);
	show("no key", msgget(0x7e570002, 0));
	id = msgget(IPC_PRIVATE, 0600);
	show("bad type", put(0, "x", 0));
	show("bad id", msgsnd(-1, &big, 1, 0));
	show("too long", msgsnd(id, &big, 8193, 0));
	show("fault", msgsnd(id, (void *)8, 1, 0));
	show("empty queue", msgrcv(id, &big, 8, 0, IPC_NOWAIT));
	put(3, "c1", 0); put(1, "a1", 0); put(2, "b1", 0); put(1, "a2", 0); put(5, "long text", 0);
	msgctl(id, IPC_STAT, &ds);
	printf("%lu messages %lu bytes of %lu, sent by me %d\n", ds.msg_qnum, ds.__msg_cbytes, ds.msg_qbytes, ds.msg_lspid == getpid());
	get(5, IPC_NOWAIT);
	get(5, IPC_NOWAIT | MSG_NOERROR);
	get(-2, 0); get(-2, 0); get(-2, 0); get(-2, IPC_NOWAIT);
	put(7, "seven", 0);
	get(3, MSG_EXCEPT);
	get(0, 0);
	get(0, IPC_NOWAIT);

	// Waiting receivers: each the first message that it takes, oldest first.
	receiver(4, 8, 0); receiver(0, 8, 0); receiver(0, 2, 0); receiver(0, 8, 0);
	put(9, "nine", 0); put(4, "four", 0); put(9, "ten", 0);
	show("nothing left", msgrcv(id, &big, 8, 0, IPC_NOWAIT));
	ms(20);
	collect(4);

	// Waiting senders.
	for (int i = 0; i < 2; i++) show("fill", msgsnd(id, &big, 8000, 0));
	show("full", msgsnd(id, &big, 8000, IPC_NOWAIT));
	for (int i = 0; i < 2; i++) {
		pid_t c = fork();
		if (c == 0) {
			big.text[0] = 'A' + i;
			char r[2] = {msgsnd(id, &big, 8000, 0) == 0 ? 'A' + i : '?', ';'};
			write(p[1], r, 2);
			_exit(0);
		}
		asleep(c);
	}
	show("take", msgrcv(id, &big, 9000, 0, 0));
	show("take", msgrcv(id, &big, 9000, 0, 0));
	collect(2);
	char got[2];
	for (int i = 0; i < 2; i++) { msgrcv(id, &big, 9000, 0, 0); got[i] = big.text[0]; }
	printf("%d\n", got[0] + got[1] == 'A' + 'B' && (sorted || got[0] == 'A'));

	// Signals: EINTR with and without SA_RESTART, a stop goes on.
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &sa, 0);
	pid_t c = receiver(0, 8, 0);
	kill(c, SIGUSR1);
	collect(1);
	c = receiver(0, 8, 0);
	kill(c, SIGSTOP);
	waitpid(c, &st, WUNTRACED);
	kill(c, SIGCONT);
	asleep(c);
	put(1, "after", 0);
	collect(1);

	msgctl(id, IPC_STAT, &ds);
	ds.msg_qbytes = 10;
	show("set", msgctl(id, IPC_SET, &ds));
	put(1, "12345678", 0);
	show("smaller", put(1, "x", IPC_NOWAIT));
	get(0, MSG_NOERROR);
	show("bad command", msgctl(id, 99, &ds));
	receiver(2, 8, 0);
	receiver(3, 8, 0);
	show("remove", msgctl(id, IPC_RMID, 0));
	collect(2);
	show("removed", put(1, "x", 0));
	struct msginfo mi;
	msgctl(0, IPC_INFO, (void *)&mi);
	printf("%d %d %d %d\n", mi.msgmax, mi.msgmnb, mi.msgmni, mi.msgssz);
	return 0;
}
