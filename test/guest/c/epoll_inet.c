// Internet sockets in sets of epoll(7) where the unix sockets behind them know less or
// other events: what Linux says is the oracle. A thread waits while things happen.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(int ms) { nanosleep(&(struct timespec){0, ms * 1000000L}, 0); }

static struct sockaddr_in at(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t n = sizeof a;
	getsockname(fd, (void *)&a, &n);
	return a;
}

static int bound(int type)
{
	int fd = socket(AF_INET, type, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bind(fd, (void *)&a, sizeof a);
	if (type == SOCK_STREAM)
		listen(fd, 8);
	return fd;
}

static void join(int fd, struct sockaddr_in to) { connect(fd, (void *)&to, sizeof to); }

static void pair(int ends[2])
{
	int l = bound(SOCK_STREAM);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	join(ends[0], at(l));
	ends[1] = accept(l, 0, 0);
	close(l);
}

static int set;
static pthread_t thread;

static void add(int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};
	if (epoll_ctl(set, op, fd, &e))
		printf("epoll_ctl: %s\n", strerror(errno));
}

static int order(struct epoll_event *a, struct epoll_event *b)
{
	return a->data.u64 != b->data.u64 ? a->data.u64 > b->data.u64 : a->events > b->events;
}

static int done; // tells a thread that nothing comes
static const uint64_t done_data = ~0ULL;

static void ask(int room, int ms)
{
	struct epoll_event e[9];
	int n = epoll_wait(set, e, room, ms), told = 0;
	for (int i = 0; i < n; i++) // in one order: theirs is that of wake-ups
		if (e[i].data.u64 == done_data)
			told = 1;
		else
			for (int j = i; j > 0 && order(&e[j - 1], &e[j]); j--) {
				struct epoll_event x = e[j];
				e[j] = e[j - 1];
				e[j - 1] = x;
			}
	n -= told;
	printf(" %d", n);
	for (int i = 0; i < n; i++)
		printf(":%x/%llx", e[i].events, (unsigned long long)e[i].data.u64);
	if (told && n) // natively when the host is busy
		fprintf(stderr, "woken late\n");
}

static void *wait_long(void *arg)
{
	ask(9, -1);
	return arg;
}

static void begin(void)
{
	add(EPOLL_CTL_ADD, done, EPOLLIN, done_data);
	pthread_create(&thread, 0, wait_long, 0);
	pause_ms(5);
}

// What the thread was woken with, what there still is, and what after EPOLL_CTL_MOD.
static void end(const char *what, int fd, uint32_t events, uint64_t data)
{
	pause_ms(5);
	eventfd_write(done, 1);
	pthread_join(thread, 0);
	eventfd_read(done, &(eventfd_t){0});
	epoll_ctl(set, EPOLL_CTL_DEL, done, 0);
	ask(8, 0);
	ask(1, 0);
	add(EPOLL_CTL_MOD, fd, events, data);
	ask(8, 0);
	ask(8, 0);
	printf(" %s %x\n", what, events);
}

static const uint32_t interests[] = {
	0, EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
	EPOLLET, EPOLLIN | EPOLLET, EPOLLOUT | EPOLLET, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	EPOLLIN | EPOLLONESHOT, EPOLLRDHUP | EPOLLONESHOT, EPOLLOUT | EPOLLONESHOT, EPOLLIN | EPOLLONESHOT | EPOLLET,
};

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	signal(SIGPIPE, SIG_IGN);
	done = eventfd(0, 0);
	const uint64_t data = 0x123456789abcdef0;
	for (unsigned i = 0; i < sizeof interests / sizeof *interests; i++) {
		uint32_t x = interests[i];
		int two[2], other[2], fd, closed;

		// This side ends reading, then writing.
		set = epoll_create1(0);
		pair(two);
		add(EPOLL_CTL_ADD, two[0], x, data);
		ask(8, 0);
		begin();
		shutdown(two[0], SHUT_RD);
		end("reading ended", two[0], x, data);
		if (x & EPOLLET) { // Two edges: the answer is one of its own.
			shutdown(two[0], SHUT_WR);
			pause_ms(5);
			ask(8, 0);
			printf(" writing too %x\n", x);
		} else {
			begin();
			shutdown(two[0], SHUT_WR);
			end("writing too", two[0], x, data);
		}
		close(two[0]);
		close(two[1]);
		close(set);

		// It has before it is added.
		set = epoll_create1(0);
		pair(two);
		shutdown(two[0], SHUT_RD);
		add(EPOLL_CTL_ADD, two[0], x, data);
		begin();
		end("added after", two[0], x, data);
		close(two[0]);
		close(two[1]);
		close(set);

		// The peer closes, then this side ends writing.
		set = epoll_create1(0);
		pair(two);
		add(EPOLL_CTL_ADD, two[0], x, data);
		ask(8, 0);
		begin();
		close(two[1]);
		end("peer closed", two[0], x, data);
		begin();
		shutdown(two[0], SHUT_WR);
		end("and we", two[0], x, data);
		close(two[0]);
		close(set);

		// Before there is a connection.
		for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
			set = epoll_create1(0);
			fd = socket(AF_INET, SOCK_STREAM, 0);
			add(EPOLL_CTL_ADD, fd, x, data);
			ask(8, 0);
			begin();
			shutdown(fd, how);
			end("not connected", fd, x, data);
			close(fd);
			close(set);
		}

		// A datagram is refused. Edges of EPOLLOUT come whenever one has left.
		if ((x & (EPOLLET | EPOLLOUT)) != (EPOLLET | EPOLLOUT)) {
			set = epoll_create1(0);
			closed = bound(SOCK_DGRAM);
			fd = bound(SOCK_DGRAM);
			join(fd, at(closed));
			close(closed);
			add(EPOLL_CTL_ADD, fd, x, data);
			ask(8, 0);
			begin();
			send(fd, "", 1, 0);
			end("refused", fd, x, data);
			recv(fd, &two, 1, 0);
			begin();
			shutdown(fd, SHUT_RD);
			end("no reading", fd, x, data);
			close(fd);
			close(set);
		}

		// Several with the same data.
		set = epoll_create1(0);
		pair(two);
		pair(other);
		closed = bound(SOCK_DGRAM);
		fd = bound(SOCK_DGRAM);
		join(fd, at(closed));
		close(closed);
		add(EPOLL_CTL_ADD, two[0], x, data);
		add(EPOLL_CTL_ADD, other[0], x, data);
		add(EPOLL_CTL_ADD, fd, x, data);
		ask(8, 0);
		close(two[1]);
		ask(8, 0);
		send(fd, "", 1, 0);
		ask(8, 0);
		shutdown(other[0], SHUT_RD);
		ask(8, 0);
		ask(8, 0);
		printf(" same data %x\n", x);
		close(two[0]);
		close(other[0]);
		close(other[1]);
		close(fd);
		close(set);
	}
	return 0;
}
