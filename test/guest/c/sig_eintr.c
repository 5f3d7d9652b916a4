// Each call that can sleep, interrupted by a handled signal with and without
// SA_RESTART and by SIGSTOP with SIGCONT: signal(7) says which go on.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int hits;
static int p[2], full[2], sp[2], lsock, ep, efd, sem, msg, lockfd;
static int *word;
static pid_t helper;

static void handler(int s) { (void)s; hits++; }

static void ms(int n) {
	struct timespec t = {n / 1000, n % 1000 * 1000000L};
	while (nanosleep(&t, &t) && errno == EINTR) {}
}

static const struct timespec sec = {0, 300000000};
static long c_read(void) { char b[8]; return read(p[0], b, 8); }
static long c_write(void) { static char b[200000]; return write(full[1], b, 1000); }
static long c_writebig(void) { static char b[200000]; return write(full[1], b, 200000); }
static long c_recv(void) { char b[8]; return recv(sp[0], b, 8, 0); }
static long c_accept(void) { int f = accept(lsock, 0, 0); if (f >= 0) close(f); return f < 0 ? -1 : 0; }
static long c_wait4(void) { int st; return waitpid(helper, &st, 0) == helper ? 0 : -1; }
static long c_waitid(void) { siginfo_t si; return waitid(P_PID, helper, &si, WEXITED); }
static long c_waitid0(void) { return syscall(SYS_waitid, P_PID, helper, 0, WEXITED, 0); }
static long c_nanosleep(void) {
	struct timespec r = {0, 0};
	long v = nanosleep(&sec, &r);
	if (v < 0) { printf(" rem %d", r.tv_sec == 0 && r.tv_nsec > 150000000 && r.tv_nsec < 290000000); }
	return v;
}
static long c_clockabs(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += 300000000;
	if (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; }
	int e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0);
	if (e) { errno = e; return -1; }
	return 0;
}
static long c_poll(void) { struct pollfd f = {p[0], POLLIN, 0}; return poll(&f, 1, 2000); }
static long c_pollinf(void) { struct pollfd f = {p[0], POLLIN, 0}; return poll(&f, 1, -1); }
static long c_ppoll(void) { struct pollfd f = {p[0], POLLIN, 0}; return ppoll(&f, 1, 0, 0); }
static long c_select(void) { fd_set s; FD_ZERO(&s); FD_SET(p[0], &s); return select(p[0] + 1, &s, 0, 0, 0); }
static long c_pselect(void) {
	fd_set s;
	FD_ZERO(&s);
	FD_SET(p[0], &s);
	sigset_t m;
	sigemptyset(&m);
	return pselect(p[0] + 1, &s, 0, 0, 0, &m);
}
static long c_epoll(void) { struct epoll_event e; return epoll_wait(ep, &e, 1, -1); }
static long c_futex(void) { return syscall(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0); }
static long c_futext(void) { struct timespec t = {2, 0}; return syscall(SYS_futex, word, FUTEX_WAIT, 0, &t, 0, 0); }
static long c_flock(void) { long v = flock(lockfd, LOCK_EX); if (!v) flock(lockfd, LOCK_UN); return v; }
static long c_setlkw(void) {
	struct flock l = {.l_type = F_WRLCK};
	long v = fcntl(lockfd, F_SETLKW, &l);
	if (!v) { l.l_type = F_UNLCK; fcntl(lockfd, F_SETLK, &l); }
	return v;
}
static long c_pause(void) { return pause(); }
static long c_suspend(void) { sigset_t m; sigemptyset(&m); return sigsuspend(&m); }
static long c_timedwait(void) {
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGUSR2);
	struct timespec t = {0, 300000000};
	return sigtimedwait(&m, 0, &t);
}
static long c_event(void) { uint64_t v; return read(efd, &v, 8); }
static long c_semop(void) { struct sembuf b = {0, -1, 0}; return semop(sem, &b, 1); }
static long c_msgrcv(void) { struct { long t; char c[8]; } m; return msgrcv(msg, &m, 8, 0, 0); }
static long c_fiford(void) { int f = open("fifo", O_RDONLY); if (f >= 0) close(f); return f < 0 ? -1 : 0; }
static long c_fifowr(void) { int f = open("fifo", O_WRONLY); if (f >= 0) close(f); return f < 0 ? -1 : 0; }

static void f_byte(void) { write(p[1], "x", 1); }
static void f_drain(void) { char b[300000]; int n = 0; ms(1); while (n < 65536) { int r = read(full[0], b, sizeof b); if (r <= 0) break; n += r; } }
static void f_drainbig(void) { static char b[300000]; int n = 0; while (n < 65536 + 100000) { int r = read(full[0], b, 1000); if (r <= 0) break; n += r; } ms(10); fcntl(full[0], F_SETFL, O_NONBLOCK); while (n < 265536) { int r = read(full[0], b, sizeof b); if (r <= 0) ms(1); else n += r; } }
static void f_send(void) { send(sp[1], "abc", 3, 0); }
static void f_connect(void) { struct sockaddr_un a = {AF_UNIX, "sock"}; int s = socket(AF_UNIX, SOCK_STREAM, 0); connect(s, (void *)&a, sizeof a); }
static void f_none(void) {}
static void f_wake(void) { syscall(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0); }
static void f_event(void) { uint64_t v = 3; write(efd, &v, 8); }
static void f_sem(void) { struct sembuf b = {0, 1, 0}; semop(sem, &b, 1); }
static void f_msg(void) { struct { long t; char c[8]; } m = {1, "hey"}; msgsnd(msg, &m, 3, 0); }
static void f_wr(void) { int f = open("fifo", O_WRONLY); ms(1); close(f); }
static void f_rd(void) { int f = open("fifo", O_RDONLY); ms(1); close(f); }
static void f_usr1(void) { kill(getppid(), SIGUSR1); }

static struct { const char *name; long (*call)(void); void (*finish)(void); int lock; } tab[] = {
	{"read", c_read, f_byte, 0}, {"write", c_write, f_drain, 0}, {"write big", c_writebig, f_drainbig, 0},
	{"recv", c_recv, f_send, 0}, {"accept", c_accept, f_connect, 0},
	{"wait4", c_wait4, f_none, 0}, {"waitid", c_waitid, f_none, 0}, {"waitid null", c_waitid0, f_none, 0},
	{"nanosleep", c_nanosleep, f_none, 0}, {"clock abs", c_clockabs, f_none, 0},
	{"poll", c_poll, f_byte, 0}, {"poll inf", c_pollinf, f_byte, 0}, {"ppoll", c_ppoll, f_byte, 0},
	{"select", c_select, f_byte, 0}, {"pselect", c_pselect, f_byte, 0}, {"epoll", c_epoll, f_byte, 0},
	{"futex", c_futex, f_wake, 0}, {"futex timed", c_futext, f_wake, 0},
	{"flock", c_flock, f_none, 1}, {"setlkw", c_setlkw, f_none, 2},
	{"pause", c_pause, f_usr1, 0}, {"sigsuspend", c_suspend, f_usr1, 0}, {"sigtimedwait", c_timedwait, f_none, 0},
	{"eventfd", c_event, f_event, 0}, {"semop", c_semop, f_sem, 0}, {"msgrcv", c_msgrcv, f_msg, 0},
	{"fifo read", c_fiford, f_wr, 0}, {"fifo write", c_fifowr, f_rd, 0},
};

// mode 0: plain handler, 1: SA_RESTART, 2: SIGSTOP and SIGCONT, 3: ignored signal.
static void run(int i, int mode) {
	static char junk[65536];
	pipe(p);
	pipe(full);
	write(full[1], junk, 65536);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sp);
	ep = epoll_create1(0);
	struct epoll_event ev = {EPOLLIN, {0}};
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
	efd = eventfd(0, 0);
	sem = semget(IPC_PRIVATE, 1, 0600);
	msg = msgget(IPC_PRIVATE, 0600);
	unlink("sock");
	lsock = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un a = {AF_UNIX, "sock"};
	bind(lsock, (void *)&a, sizeof a);
	listen(lsock, 5);
	lockfd = open("lock", O_RDWR | O_CREAT, 0600);
	*word = 0;
	hits = 0;
	struct sigaction sa = {.sa_handler = handler, .sa_flags = mode == 1 ? SA_RESTART : 0};
	if (mode == 3) sa.sa_handler = SIG_IGN;
	sigaction(SIGUSR1, &sa, 0);
	fflush(stdout);
	pid_t me = getpid();
	int ready[2];
	pipe(ready);
	helper = fork();
	if (helper == 0) {
		if (tab[i].lock == 1) { int f = open("lock", O_RDWR); flock(f, LOCK_EX); }
		if (tab[i].lock == 2) { int f = open("lock", O_RDWR); struct flock l = {.l_type = F_WRLCK}; fcntl(f, F_SETLKW, &l); }
		write(ready[1], "x", 1);
		ms(40);
		if (mode == 2) { kill(me, SIGSTOP); ms(20); kill(me, SIGCONT); } else kill(me, SIGUSR1);
		ms(40);
		signal(SIGPIPE, SIG_IGN);
		if (mode == 0) { int s = 0; (void)s; }
		alarm(3);
		tab[i].finish();
		_exit(0);
	}
	char c;
	read(ready[0], &c, 1);
	alarm(5);
	errno = 0;
	printf("%s %d:", tab[i].name, mode);
	long r = tab[i].call();
	int e = errno;
	alarm(0);
	printf(" %ld %s hits %d\n", r, r < 0 ? strerrorname_np(e) : "", hits);
	fflush(stdout);
	kill(helper, SIGKILL);
	while (waitpid(helper, 0, 0) < 0 && errno == EINTR) {}
	for (int f = 3; f < 40; f++) close(f);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, 0);
}

int main(int argc, char **argv) {
	char dir[] = "/tmp/eintrXXXXXX";
	if (!mkdtemp(dir) || chdir(dir)) return 1;
	mkfifo("fifo", 0600);
	word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < sizeof tab / sizeof *tab; i++) {
		if (argc > 1 && strcmp(argv[1], tab[i].name)) continue;
		for (int mode = 0; mode < 4; mode++) {
			if (argc > 2 && atoi(argv[2]) != mode) continue;
			if (mode >= 2 && (tab[i].call == c_pause || tab[i].call == c_suspend)) continue;
			run(i, mode);
		}
	}
	unlink("fifo"); unlink("lock"); unlink("sock"); chdir("/"); rmdir(dir);
	return 0;
}
