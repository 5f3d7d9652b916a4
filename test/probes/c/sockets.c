// Unix and internet sockets, eventfd, System V and POSIX objects.
#include "probe.h"
#include <mqueue.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/un.h>

PROBE(ipc_unix)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	for (int i = 0; i < 3; i++) {
		int s[2], n = 0;
		char b[64];
		MUST(socketpair(AF_UNIX, types[i], 0, s) == 0);
		pid_t p = fork();
		if (p == 0) {
			for (int k = 1; k <= 4; k++)
				send(s[1], "abcdefgh", k * 2, 0);
			_exit(0);
		}
		wait_ok(p);
		printf("%d:", types[i]);
		for (int k = 0; k < 20; k += n) {
			MUST((n = recv(s[0], b, types[i] == SOCK_STREAM ? 7 : 64, 0)) > 0);
			printf(" %d", n);
		}
		CHECK(recv(s[0], b, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
		printf("\n");
	}
}

PROBE(ipc_rights)
{
	int s[2], p[2], one = 1;
	char c = 0;
	union { char b[256]; struct cmsghdr h; } u;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0);
	struct iovec v = {&c, 1};
	pid_t child = fork();
	if (child == 0) {
		struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(sizeof(int))};
		MUST(pipe(p) == 0);
		memset(&u, 0, sizeof u);
		u.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(&u.h), &p[0], sizeof(int));
		MUST(sendmsg(s[1], &m, 0) == 1);
		write(p[1], "through", 7);
		_exit(0);
	}
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
	MUST(recvmsg(s[0], &m, 0) == 1);
	wait_ok(child);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_type == SCM_CREDENTIALS) {
			struct ucred k;
			memcpy(&k, CMSG_DATA(h), sizeof k);
			CHECK(k.pid == child);
			printf("pid %d uid %d\n", k.pid, k.uid);
		} else {
			int fd;
			char b[16] = "";
			memcpy(&fd, CMSG_DATA(h), sizeof fd);
			CHECK(read(fd, b, 15) == 7 && !strcmp(b, "through"));
			printf("descriptor %d %s\n", fd, b);
		}
	}
}

PROBE(ipc_udp)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_in6 a = {0}, from;
		socklen_t n = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in), fl = sizeof from;
		char b[16] = "";
		a.sin6_family = v6 ? AF_INET6 : AF_INET;
		if (v6)
			a.sin6_addr = in6addr_loopback;
		else
			((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		int s = socket(a.sin6_family, SOCK_DGRAM, 0), c = socket(a.sin6_family, SOCK_DGRAM, 0);
		if (s < 0 || bind(s, (void *)&a, n)) {
			printf("family %d %s\n", a.sin6_family, errname(errno)); // a host without IPv6
			continue;
		}
		MUST(getsockname(s, (void *)&a, &n) == 0);
		MUST(sendto(c, "one", 3, 0, (void *)&a, n) == 3 && sendto(c, "three", 5, 0, (void *)&a, n) == 5);
		CHECK(recvfrom(s, b, 16, 0, (void *)&from, &fl) == 3 && recv(s, b, 2, MSG_TRUNC) == 5);
		printf("ports %d %d\n", ntohs(a.sin6_port), ntohs(from.sin6_port));
	}
}

PROBE(ipc_connect)
{
	struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof a, l = sizeof(int);
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e = -1;
	char b[8];
	MUST(bind(s, (void *)&a, n) == 0 && getsockname(s, (void *)&a, &n) == 0);
	CHECK(connect(c, (void *)&a, n) == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED)); // nobody listens
	close(c);
	MUST(listen(s, 5) == 0);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r = connect(c, (void *)&a, n);
	CHECK(r == 0 || errno == EINPROGRESS);
	struct pollfd p = {c, POLLOUT};
	CHECK(poll(&p, 1, 1000) == 1 && getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &l) == 0 && e == 0);
	int k = accept(s, 0, 0);
	MUST(k >= 0);
	CHECK(write(c, "hello", 5) == 5 && shutdown(c, SHUT_WR) == 0);
	CHECK(recv(k, b, 8, MSG_WAITALL) == 5 && read(k, b, 8) == 0);
	CHECK(write(k, "back", 4) == 4);
	p.events = POLLIN;
	CHECK(poll(&p, 1, 1000) == 1 && read(c, b, 8) == 4);
	CHECK(send(c, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	getsockname(c, (void *)&a, &n);
	printf("port %d\n", ntohs(a.sin_port));
}

PROBE(ipc_eventfd)
{
	int a = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), b = eventfd(0, 0);
	uint64_t v;
	for (int i = 0; i < 3; i++)
		CHECK(read(a, &v, 8) == 8 && v == 1);
	CHECK(read(a, &v, 8) == -1 && errno == EAGAIN);
	pid_t p = fork();
	if (p == 0) {
		for (v = 1; v < 5; v++)
			write(b, &v, 8);
		v = 9;
		write(a, &v, 8);
		_exit(0);
	}
	wait_ok(p);
	MUST(read(b, &v, 8) == 8);
	CHECK(v == 10);
	printf("%d %lu\n", a, (unsigned long)v);
}

PROBE(ipc_sysv)
{
	int shm = shmget(IPC_PRIVATE, 8192, 0600), sem = semget(IPC_PRIVATE, 2, 0600), msg = msgget(IPC_PRIVATE, 0600);
	MUST(shm >= 0 && sem >= 0 && msg >= 0);
	int *m = shmat(shm, 0, 0);
	struct { long type; char text[8]; } q = {3, "hello"};
	pid_t p = fork();
	if (p == 0) {
		*m = 42;
		msgsnd(msg, &q, 6, 0);
		struct sembuf up = {1, 2, 0};
		semop(sem, &up, 1);
		_exit(0);
	}
	struct sembuf down = {1, -2, 0};
	MUST(semop(sem, &down, 1) == 0);
	CHECK(*m == 42 && msgrcv(msg, &q, 8, 3, 0) == 6);
	wait_ok(p);
	struct msqid_ds md;
	struct shmid_ds sd;
	MUST(msgctl(msg, IPC_STAT, &md) == 0 && shmctl(shm, IPC_STAT, &sd) == 0);
	CHECK(md.msg_lspid == p);
	printf("ids %d %d %d, pids %d %d, times %ld %ld\n", shm, sem, msg, md.msg_lspid, sd.shm_cpid, md.msg_stime, sd.shm_ctime);
	shmctl(shm, IPC_RMID, 0), semctl(sem, 0, IPC_RMID), msgctl(msg, IPC_RMID, 0);
}

PROBE(ipc_posix)
{
	char name[32], b[64] = "";
	struct mq_attr at = {.mq_maxmsg = 4, .mq_msgsize = 64};
	struct stat st;
	unsigned prio = 0;
	snprintf(name, sizeof name, "/probe%d", getpid());
	int shm = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	MUST(shm >= 0 && ftruncate(shm, 4096) == 0);
	sem_t *s = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &at);
	MUST(s != SEM_FAILED && q != (mqd_t)-1);
	char *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shm, 0);
	pid_t p = fork();
	if (p == 0) {
		strcpy(m, "shared");
		mq_send(q, "low", 4, 1);
		mq_send(q, "high", 5, 7);
		sem_post(s);
		_exit(0);
	}
	while (sem_wait(s)) {}
	CHECK(!strcmp(m, "shared") && mq_receive(q, b, 64, &prio) == 5 && prio == 7);
	wait_ok(p);
	fstat(shm, &st);
	printf("%s %s %d, inode %lu mtime %ld\n", m, b, prio, st.st_ino, st.st_mtime);
	shm_unlink(name), sem_unlink(name), mq_unlink(name);
}
