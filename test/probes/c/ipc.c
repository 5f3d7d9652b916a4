// Time section: times, numbers and owners of objects that are not files.
#include "probe.h"
#include <net/if.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static void near_now(const char *what, int64_t t)
{
	int64_t n = now(CLOCK_REALTIME);
	CHECK(t <= n && t > n - 5 * SEC, "%s %ld, now %ld", what, t, n);
}

PROBE(time_pipe)
{
	int p[2];
	struct stat st;
	char c;
	for (int i = 0; i < 2; i++) {
		MUST(pipe(p) == 0 && fstat(p[0], &st) == 0);
		CHECK(S_ISFIFO(st.st_mode));
		show_stat("pipe", &st);
		near_now("ctime", ts_ns(st.st_ctim));
		MUST(write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1);
		MUST(fstat(p[1], &st) == 0);
		show_stat("used", &st);
	}
}

PROBE(time_pts)
{
	struct stat st;
	char *name;
	int m = posix_openpt(O_RDWR | O_NOCTTY);
	MUST(m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0);
	name = ptsname(m);
	MUST(name);
	printf("%s\n", name);
	int s = open(name, O_RDWR | O_NOCTTY);
	MUST(s >= 0 && fstat(s, &st) == 0);
	show_stat("pts", &st);
	near_now("pts ctime", ts_ns(st.st_ctim));
	MUST(write(s, "hello\n", 6) == 6);
	char buf[16] = {0};
	int n = read(m, buf, 16);
	CHECK(n == 7 && !strcmp(buf, "hello\r\n"), "%d", n);
	MUST(fstat(s, &st) == 0);
	show_stat("written", &st);
	MUST(stat("/dev/ptmx", &st) == 0);
	show_stat("ptmx", &st);
	MUST(stat("/dev/pts", &st) == 0);
	show_stat("dir", &st);
}

PROBE(time_sysv)
{
	struct msqid_ds mq;
	struct semid_ds sd;
	struct shmid_ds sh;
	struct { long t; char c[8]; } m = {1, "hello"};
	int q = msgget(IPC_PRIVATE, 0600), s = semget(IPC_PRIVATE, 2, 0600),
	    h = shmget(IPC_PRIVATE, 8192, 0600);
	MUST(q >= 0 && s >= 0 && h >= 0);
	MUST(msgsnd(q, &m, 8, 0) == 0);
	MUST(msgrcv(q, &m, 8, 0, 0) == 8);
	MUST(msgctl(q, IPC_STAT, &mq) == 0);
	printf("msg %d seq=%d stime=%ld rtime=%ld ctime=%ld lspid=%d lrpid=%d\n", q,
	       mq.msg_perm.__seq, mq.msg_stime, mq.msg_rtime, mq.msg_ctime, mq.msg_lspid, mq.msg_lrpid);
	near_now("msg stime", mq.msg_stime * SEC);
	CHECK(mq.msg_lspid == getpid());
	struct sembuf op = {0, 1, 0};
	MUST(semop(s, &op, 1) == 0);
	MUST(semctl(s, 0, IPC_STAT, &sd) == 0);
	printf("sem %d otime=%ld ctime=%ld pid=%d\n", s, sd.sem_otime, sd.sem_ctime, semctl(s, 0, GETPID));
	near_now("sem otime", sd.sem_otime * SEC);
	char *p = shmat(h, 0, 0);
	MUST(p != (void *)-1);
	strcpy(p, "x");
	MUST(shmctl(h, IPC_STAT, &sh) == 0);
	printf("shm %d at=%p atime=%ld dtime=%ld ctime=%ld cpid=%d lpid=%d nattch=%lu\n", h, p,
	       sh.shm_atime, sh.shm_dtime, sh.shm_ctime, sh.shm_cpid, sh.shm_lpid, sh.shm_nattch);
	near_now("shm atime", sh.shm_atime * SEC);
	CHECK(sh.shm_nattch == 1 && sh.shm_cpid == getpid());
	shmctl(h, IPC_RMID, 0);
	semctl(s, 0, IPC_RMID);
	msgctl(q, IPC_RMID, 0);
}

// Time of a packet. Loopback internet sockets may be missing.
PROBE(time_socket)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (s < 0) {
		printf("socket %s\n", errname(errno));
		return;
	}
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t l = sizeof a;
	int one = 1;
	if (bind(s, (void *)&a, l) < 0) {
		printf("bind %s\n", errname(errno));
		return;
	}
	MUST(getsockname(s, (void *)&a, &l) == 0);
	printf("port %d\n", ntohs(a.sin_port));
	int r = setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	printf("SO_TIMESTAMPNS %s\n", errname(r ? errno : 0));
	MUST(sendto(s, "x", 1, 0, (void *)&a, l) == 1);
	char buf[8], ctl[256];
	struct iovec v = {buf, 8};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = 256};
	MUST(recvmsg(s, &m, 0) == 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_type == SO_TIMESTAMPNS) {
			int64_t t = ts_ns(*(struct timespec *)CMSG_DATA(c));
			near_now("packet", t);
			printf("packet %ld\n", t);
		}
	struct timespec ts;
	one = 0;
	setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	ioctl(s, SIOCGSTAMPNS, &ts);
	MUST(sendto(s, "x", 1, 0, (void *)&a, l) == 1 && recv(s, buf, 8, 0) == 1);
	r = ioctl(s, SIOCGSTAMPNS, &ts);
	printf("SIOCGSTAMPNS %s %ld\n", errname(r ? errno : 0), r ? 0 : ts_ns(ts));
	if (r == 0)
		near_now("stamp", ts_ns(ts));
}

// stamps prints the times that came with a message, and counts them.
static int stamps(struct msghdr *m)
{
	int n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int64_t v[2];
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_len < CMSG_LEN(sizeof v))
			continue;
		memcpy(v, CMSG_DATA(c), sizeof v);
		int micro = c->cmsg_type == SO_TIMESTAMP || c->cmsg_type == 63; // SO_TIMESTAMP_NEW
		near_now("message", v[0] * SEC + v[1] * (micro ? 1000 : 1));
		printf(" %d: %ld %ld", c->cmsg_type, v[0], v[1]);
		n++;
	}
	return n;
}

// Times of messages on unix sockets, by every option, and by recvmmsg(2).
PROBE(time_socket_unix)
{
	static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET}, options[] = {29, 35, 63, 64}; // SO_TIMESTAMP, NS, both of 64 bits
	char b[2][8], ctl[2][256];
	for (int t = 0; t < 2; t++)
		for (int o = 0; o < 4; o++) {
			int s[2], one = 1, software = 1 << 4 | 1 << 3; // SOF_TIMESTAMPING_SOFTWARE, RX_SOFTWARE
			struct mmsghdr m[2] = {0};
			struct iovec v[2] = {{b[0], 8}, {b[1], 8}};
			for (int i = 0; i < 2; i++)
				m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1, .msg_control = ctl[i], .msg_controllen = sizeof ctl[i]};
			MUST(socketpair(AF_UNIX, types[t], 0, s) == 0);
			MUST(setsockopt(s[0], SOL_SOCKET, options[o], &one, sizeof one) == 0);
			if (o % 2)
				MUST(setsockopt(s[0], SOL_SOCKET, o == 1 ? 37 : 65, &software, sizeof software) == 0);
			MUST(write(s[1], "a", 1) == 1 && recvmsg(s[0], &m[0].msg_hdr, 0) == 1);
			CHECK(stamps(&m[0].msg_hdr) == 1 + o % 2);
			m[0].msg_hdr.msg_controllen = sizeof ctl[0];
			MUST(write(s[1], "b", 1) == 1 && write(s[1], "c", 1) == 1 && recvmmsg(s[0], m, 2, 0, 0) == 2);
			CHECK(stamps(&m[0].msg_hdr) == 1 + o % 2 && stamps(&m[1].msg_hdr) == 1 + o % 2);
			printf("\n");
			close(s[0]);
			close(s[1]);
		}
}

// Inode numbers and times of descriptors without a name, and their links.
PROBE(anon_fds)
{
	char buf[256], link[64];
	struct stat st;
	sigset_t ss;
	sigemptyset(&ss);
	int p[2], sv[2], fd[12], n = 0;
	MUST(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	fd[n++] = p[0];
	fd[n++] = sv[0];
	fd[n++] = sv[1];
	fd[n++] = epoll_create1(0);
	fd[n++] = eventfd(0, 0);
	fd[n++] = signalfd(-1, &ss, 0);
	fd[n++] = timerfd_create(CLOCK_MONOTONIC, 0);
	fd[n++] = inotify_init();
	fd[n++] = memfd_create("probe", 0);
	fd[n++] = syscall(SYS_pidfd_open, getpid(), 0);
	for (int i = 0; i < n; i++) {
		if (fd[i] < 0) {
			printf("%d missing\n", i);
			continue;
		}
		MUST(fstat(fd[i], &st) == 0);
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd[i]);
		int l = readlink(link, buf, sizeof buf - 1);
		MUST(l > 0);
		buf[l] = 0;
		show_stat(buf, &st);
		if (i < 3) {
			unsigned long ino = 0;
			CHECK(sscanf(buf, "%*[a-z]:[%lu]", &ino) == 1 && ino == st.st_ino,
			      "link %s, st_ino %lu", buf, st.st_ino);
		}
	}
	MUST(fstat(fd[1], &st) == 0);
	ino_t a = st.st_ino;
	MUST(fstat(fd[2], &st) == 0);
	CHECK(a != st.st_ino, "two sockets, one inode");
}
