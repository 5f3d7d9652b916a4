// Each call that can sleep, interrupted by a handled signal with and without
// SA_RESTART and by SIGSTOP with SIGCONT: signal(7) says which go on.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
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
static int crowd[2], packed[2], tfd, sfd, ino;
static mqd_t mqe, mqf;
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

// A listener whose queue is full, a socket that takes nothing more, and other queues.
static long c_connect(void) { struct sockaddr_un a = {AF_UNIX, "crowd"}; return connect(crowd[1], (void *)&a, sizeof a); }
static long c_sendmsg(void) { struct iovec v = {"x", 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return sendmsg(packed[0], &m, 0); }
static long c_recvmsg(void) { char b[8]; struct iovec v = {b, 8}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return recvmsg(sp[0], &m, 0); }
static long c_recvmmsg(void) { char b[8]; struct iovec v = {b, 8}; struct mmsghdr m = {{.msg_iov = &v, .msg_iovlen = 1}}; return recvmmsg(sp[0], &m, 1, 0, 0); }
static long c_waitv(void) {
	struct { uint64_t val, addr; uint32_t flags, reserved; } w = {0, (uintptr_t)word, 2, 0}; // FUTEX_32
	return syscall(449, &w, 1, 0, 0, CLOCK_MONOTONIC);
}
static long c_lockpi(void) {
	long v = syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, 0, 0, 0);
	if (!v) syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
	return v;
}
static long c_mqsend(void) { return mq_send(mqf, "y", 1, 0); }
static long c_mqrecv(void) { char b[8]; return mq_receive(mqe, b, 8, 0); }
static long c_pwait2(void) { struct epoll_event e; return syscall(441, ep, &e, 1, 0, 0, 8); }
static long c_pwait2t(void) { struct epoll_event e; struct timespec t = {2, 0}; return syscall(441, ep, &e, 1, &t, 0, 8); }
static long c_timerfd(void) { uint64_t v; return read(tfd, &v, 8); }
static long c_signalfd(void) { struct signalfd_siginfo si; return read(sfd, &si, sizeof si) == sizeof si ? si.ssi_signo == SIGRTMIN + 1 : -1; }
static long c_inotify(void) { char b[256]; return read(ino, b, sizeof b); }

static void f_accept(void) { int f; while ((f = accept(crowd[0], 0, 0)) >= 0) close(f); }
static void f_unpack(void) { static char b[65536]; while (recv(packed[1], b, sizeof b, MSG_DONTWAIT) > 0) {} }
static void f_unlock(void) { syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0, 0, 0, 0); }
static void f_mqrecv(void) { char b[8]; mq_receive(mqf, b, 8, 0); }
static void f_mqsend(void) { mq_send(mqe, "abc", 3, 0); }
static void f_timer(void) { struct itimerspec t = {{0, 0}, {0, 1000000}}; timerfd_settime(tfd, 0, &t, 0); }
static void f_rt(void) { kill(getppid(), SIGRTMIN + 1); }
static void f_create(void) { close(open("watched/x", O_WRONLY | O_CREAT, 0600)); }

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
	{"connect", c_connect, f_accept, 0}, {"sendmsg", c_sendmsg, f_unpack, 0},
	{"recvmsg", c_recvmsg, f_send, 0}, {"recvmmsg", c_recvmmsg, f_send, 0},
	{"futex_waitv", c_waitv, f_wake, 0}, {"lock_pi", c_lockpi, f_unlock, 3},
	{"mq_send", c_mqsend, f_mqrecv, 0}, {"mq_receive", c_mqrecv, f_mqsend, 0},
	{"pwait2", c_pwait2, f_byte, 0}, {"pwait2 timed", c_pwait2t, f_byte, 0},
	{"timerfd", c_timerfd, f_timer, 0}, {"signalfd", c_signalfd, f_rt, 0}, {"inotify", c_inotify, f_create, 0},
	{"fifo read", c_fiford, f_wr, 0}, {"fifo write", c_fifowr, f_rd, 0},
};

// queues makes what the calls on full and empty queues of all kinds need.
static void queues(void) {
	static char junk[65536];
	struct sockaddr_un a = {AF_UNIX, "crowd"};
	unlink("crowd");
	crowd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bind(crowd[0], (void *)&a, sizeof a);
	listen(crowd[0], 0);
	for (int more = 1; more;) {
		crowd[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		more = connect(crowd[1], (void *)&a, sizeof a) == 0;
	}
	fcntl(crowd[1], F_SETFL, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, packed);
	while (send(packed[0], junk, sizeof junk, MSG_DONTWAIT) > 0) {}
	struct mq_attr one = {.mq_maxmsg = 1, .mq_msgsize = 8};
	char name[2][32];
	mqd_t *q[] = {&mqe, &mqf};
	for (int i = 0; i < 2; i++) {
		snprintf(name[i], sizeof name[i], "/eintr%d.%d", getpid(), i);
		*q[i] = mq_open(name[i], O_RDWR | O_CREAT, 0600, &one);
		mq_unlink(name[i]);
	}
	mq_send(mqf, "x", 1, 0);
	tfd = timerfd_create(CLOCK_MONOTONIC, 0);
	sigset_t rt;
	sigemptyset(&rt);
	sigaddset(&rt, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &rt, 0);
	sfd = signalfd(-1, &rt, 0);
	mkdir("watched", 0700);
	ino = inotify_init1(0);
	inotify_add_watch(ino, "watched", IN_CREATE);
}

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
	queues();
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
		if (tab[i].lock == 3) syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, 0, 0, 0);
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
	for (int f = 3; f < 60; f++) close(f);
	unlink("watched/x");
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
	rmdir("watched"); unlink("crowd"); unlink("fifo"); unlink("lock"); unlink("sock"); chdir("/"); rmdir(dir);
	return 0;
}
