// POSIX message queues: waiting, order, timeouts, signals, notification.
// Says the same natively.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static mqd_t q;
static int p[2], sorted;
static volatile sig_atomic_t notes;

static void show(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : ""); fflush(stdout); }
static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000L}; while (nanosleep(&t, &t) && errno == EINTR) {} }
static void handler(int s) { (void)s; }
static void note(int s, siginfo_t *i, void *c) {
	printf("note %d code %d pid %d value %d\n", s, i->si_code == SI_MESGQ, i->si_pid == getpid() || i->si_pid == getppid(), i->si_value.sival_int);
	notes++;
}

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

static pid_t receiver(char name) {
	pid_t c = fork();
	if (c == 0) {
		char b[16] = {0}, out[64];
		unsigned prio = 99;
		long r = mq_receive(q, b, 8, &prio);
		snprintf(out, sizeof out, "%c:%ld %s %s %u;", name, r, r < 0 ? strerrorname_np(errno) : "", b, prio);
		write(p[1], out, strlen(out));
		_exit(0);
	}
	asleep(c);
	return c;
}

static pid_t sender(const char *text, unsigned prio) {
	pid_t c = fork();
	if (c == 0) {
		char out[64];
		long r = mq_send(q, text, strlen(text) + 1, prio);
		snprintf(out, sizeof out, "%s:%ld %s;", text, r, r < 0 ? strerrorname_np(errno) : "");
		write(p[1], out, strlen(out));
		_exit(0);
	}
	asleep(c);
	return c;
}

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

static void get(void) {
	char b[16] = {0};
	unsigned prio = 0;
	long r = mq_receive(q, b, 8, &prio);
	printf("get %ld %s %u\n", r, b, prio);
	fflush(stdout);
}

int main(int argc, char **argv) {
	sorted = argc > 1;
	struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 8};
	char b[16], name[32];
	int st;
	pipe(p);
	snprintf(name, sizeof name, "/t%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
	show("open", q >= 0);
	mqd_t ro = mq_open(name, O_RDONLY), nb = mq_open(name, O_RDWR | O_NONBLOCK), wo = mq_open(name, O_WRONLY);
	show("small buffer", mq_receive(q, b, 4, 0));
	show("write only", mq_receive(wo, b, 8, 0));
	show("read only", mq_send(ro, "x", 1, 0));
	show("bad fd", mq_receive(77, b, 8, 0));
	show("nonblock", mq_receive(nb, b, 8, 0));
	show("long", mq_send(q, "123456789", 9, 0));
	show("prio", mq_send(q, "x", 1, 32768));
	struct timespec t = {1, 1000000000};
	show("bad time", mq_timedreceive(q, b, 8, 0, &t));
	t.tv_nsec = 0;
	show("past", mq_timedreceive(q, b, 8, 0, &t));
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; }
	show("late", mq_timedreceive(q, b, 8, 0, &t));
	show("flags kept", fcntl(q, F_GETFL) & O_NONBLOCK);

	// Oldest receiver first; a message that was handed over is not there.
	receiver('a'); receiver('b'); receiver('c');
	show("long to a receiver", mq_send(q, "123456789", 9, 0));
	show("prio to a receiver", mq_send(q, "x", 1, 32768));
	show("read only to a receiver", mq_send(ro, "x", 1, 0));
	mq_send(q, "one", 4, 1);
	show("gone", mq_receive(nb, b, 8, 0));
	mq_send(nb, "two", 4, 2);
	mq_send(q, "", 0, 3);
	collect(3);
	// Senders wait for room; priorities order what is there.
	mq_send(q, "low", 4, 1); mq_send(q, "low2", 5, 1);
	show("full", mq_send(nb, "x", 2, 0));
	show("past", mq_timedsend(q, "x", 2, 0, &t));
	sender("high", 9); sender("mid", 5);
	struct pollfd f = {q, POLLOUT};
	show("writable", poll(&f, 1, 0));
	get();
	show("still full", mq_send(nb, "x", 2, 0));
	get(); get(); get();
	collect(2);
	f.events = POLLIN;
	show("readable", poll(&f, 1, 0));

	// Signals.
	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGUSR1, &sa, 0);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &sa, 0);
	pid_t c = receiver('i');
	kill(c, SIGUSR1);
	collect(1);
	c = receiver('r');
	kill(c, SIGUSR2);
	asleep(c);
	kill(c, SIGSTOP);
	waitpid(c, &st, WUNTRACED);
	kill(c, SIGCONT);
	asleep(c);
	mq_send(q, "after", 6, 0);
	collect(1);
	c = receiver('k');
	kill(c, SIGKILL);
	waitpid(c, &st, 0);
	mq_send(q, "left", 5, 0);
	get();

	// Notification: once, when the queue was empty and nobody waits.
	sa.sa_flags = SA_SIGINFO;
	sa.sa_sigaction = note;
	sigaction(SIGRTMIN, &sa, 0);
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
	show("notify", mq_notify(q, &ev));
	show("twice", mq_notify(q, &ev));
	receiver('n');
	mq_send(q, "wait", 5, 0);
	collect(1);
	show("notes", notes);
	mq_send(q, "now", 4, 0);
	mq_send(q, "more", 5, 0);
	show("notes", notes);
	get(); get();
	mq_notify(q, &ev);
	sigset_t ss, old;
	sigemptyset(&ss);
	sigaddset(&ss, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &ss, &old);
	if (fork() == 0) { ms(20); mq_send(q, "child", 6, 0); _exit(0); }
	sigsuspend(&old);
	show("notes", notes);
	wait(0);
	show("read", read(q, b, 6));
	get();

	// A pipe's end and a queue in one poll.
	if (fork() == 0) { ms(20); mq_send(q, "poll", 5, 0); _exit(0); }
	show("poll", poll(&f, 1, 1000));
	wait(0);
	get();
	show("unlink", mq_unlink(name));
	show("unlink", mq_unlink(name));
	return 0;
}
