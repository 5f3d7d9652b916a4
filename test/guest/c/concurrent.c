// What threads and processes do to each other when they really run at once: each
// mode ends by itself and prints what Linux always gives. TestConcurrent runs
// them with --allow threads-native.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *self;

static void die(const char *what)
{
	perror(what);
	exit(9);
}

static void start(pthread_t *t, void *(*f)(void *), void *arg)
{
	if (pthread_create(t, 0, f, arg))
		die("pthread_create");
}

// threads: a hundred add under a mutex, wait for each other at a barrier and
// pass a token round by a condition variable.
enum { THREADS = 100, ROUNDS = 200 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long sum;
static int token;

static void *adder(void *arg)
{
	long n = (long)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		sum++;
		pthread_mutex_unlock(&lock);
		if (i % 50 == 0)
			pthread_barrier_wait(&barrier);
	}
	pthread_mutex_lock(&lock);
	while (token != n)
		pthread_cond_wait(&turned, &lock);
	token++;
	pthread_cond_broadcast(&turned);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void threads(void)
{
	pthread_t t[THREADS];
	pthread_barrier_init(&barrier, 0, THREADS);
	for (long i = 0; i < THREADS; i++)
		start(&t[i], adder, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], 0);
	printf("sum %ld, token %d\n", sum, token);
}

// pipes: four writers and four readers share one pipe; more than fits goes through.
static int ends[2];

static void *writer(void *arg)
{
	char b[3000];
	memset(b, 'x', sizeof b);
	for (int i = 0; i < 300; i++)
		for (size_t n = 0; n < sizeof b;) {
			ssize_t r = write(ends[1], b + n, sizeof b - n);
			if (r < 0)
				die("write");
			n += r;
		}
	return 0;
}

static void *reader(void *arg)
{
	char b[5000];
	long n = 0;
	for (ssize_t r; (r = read(ends[0], b, sizeof b)) > 0;)
		n += r;
	return (void *)n;
}

static void pipes(void)
{
	pthread_t w[4], r[4];
	long n = 0;
	if (pipe(ends))
		die("pipe");
	for (int i = 0; i < 4; i++) {
		start(&w[i], writer, 0);
		start(&r[i], reader, 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(w[i], 0);
	close(ends[1]);
	for (int i = 0; i < 4; i++) {
		void *v;
		pthread_join(r[i], &v);
		n += (long)v;
	}
	printf("%ld bytes\n", n);
}

// forks: eight threads fork at once, children of children, by every way there is.
static void *forker(void *arg)
{
	long bad = 0;
	for (int i = 0; i < 12; i++) {
		pid_t p = i % 3 == 2 ? vfork() : fork();
		if (p < 0)
			die("fork");
		if (p == 0) {
			if (i % 3 == 2)
				_exit(i);
			if (i % 3 == 1) {
				execl(self, self, "status", "1", (char *)0);
				_exit(99);
			}
			pid_t q = fork();
			if (q == 0)
				_exit(3);
			int s;
			waitpid(q, &s, 0);
			_exit(WEXITSTATUS(s) == 3 ? i : 98);
		}
		int s, want = i % 3 == 1 ? 1 : i;
		if (waitpid(p, &s, 0) != p || !WIFEXITED(s) || WEXITSTATUS(s) != want)
			bad++;
	}
	return (void *)bad;
}

static void forks(void)
{
	pthread_t t[8];
	long bad = 0;
	for (int i = 0; i < 8; i++)
		start(&t[i], forker, 0);
	for (int i = 0; i < 8; i++) {
		void *v;
		pthread_join(t[i], &v);
		bad += (long)v;
	}
	printf("%ld wrong\n", bad);
}

// kills: processes are killed at any moment, while they are born, fork and die.
static void storm(void)
{
	alarm(20); // whatever becomes of the others
	for (;;) {
		pid_t p = fork();
		if (p == 0) {
			if (fork() == 0)
				_exit(0);
			execl(self, self, "status", "0", (char *)0);
			_exit(0);
		}
		if (p > 0)
			waitpid(p, 0, 0);
	}
}

static void *idle(void *arg)
{
	for (;;)
		pause();
}

static void kills(void)
{
	int wrong = 0;
	for (int i = 0; i < 30; i++) {
		pid_t p = fork();
		if (p == 0) {
			setpgid(0, 0);
			pthread_t t;
			if (i % 2)
				start(&t, idle, 0);
			storm();
		}
		setpgid(p, p);
		usleep(1000 * (i % 7));
		kill(-p, SIGKILL);
		int s;
		if (waitpid(p, &s, 0) != p || !WIFSIGNALED(s) || WTERMSIG(s) != SIGKILL)
			wrong++;
	}
	printf("%d wrong\n", wrong);
}

// leaves: the first process ends while others fork and start threads. Only a
// pid namespace ends with its first process, so not for the host.
static void leaves(void)
{
	if (getpid() != 2)
		return;
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			pthread_t t;
			start(&t, idle, 0);
			storm();
		}
	usleep(20000);
	printf("gone\n");
}

// signals: threads shoot at each other, at blocking calls too.
static _Atomic long caught;
static void count(int n) { caught++; }

static void *target(void *arg)
{
	char c;
	_Atomic int *stop = arg;
	while (!*stop)
		if (read(ends[0], &c, 1) < 0 && errno != EINTR)
			die("read");
	return 0;
}

static void signals(void)
{
	struct sigaction a = {.sa_handler = count};
	pthread_t t[4];
	static _Atomic int stop[4];
	if (pipe(ends))
		die("pipe");
	sigaction(SIGUSR1, &a, 0);
	for (int i = 0; i < 4; i++)
		start(&t[i], target, &stop[i]);
	for (long n = 0; n < 200; n++) {
		long was = caught;
		pthread_kill(t[n % 4], SIGUSR1);
		while (caught == was)
			sched_yield();
	}
	for (int i = 0; i < 4; i++) {
		stop[i] = 1;
		pthread_kill(t[i], SIGUSR1);
	}
	if (write(ends[1], "xxxx", 4) != 4)
		die("write");
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], 0);
	// A timer that signals, a child that ends, a process that stops and goes on.
	struct itimerval v = {.it_value = {.tv_usec = 20000}};
	sigaction(SIGALRM, &a, 0);
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	long was = caught;
	setitimer(ITIMER_REAL, &v, 0);
	while (caught == was)
		sigsuspend(&old);
	pid_t p = fork();
	if (p == 0) {
		raise(SIGSTOP);
		_exit(5);
	}
	int s;
	waitpid(p, &s, WUNTRACED);
	int stopped = WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP;
	kill(p, SIGCONT);
	waitpid(p, &s, 0);
	printf("caught %s, stopped %d, status %d\n", was >= 200 ? "all" : "too few", stopped, WEXITSTATUS(s));
}

// exec: a thread that is not the first executes a program while others run.
static void *execs(void *arg)
{
	execl(self, self, "status", "4", (char *)0);
	die("execl");
	return 0;
}

static void *spins(void *arg)
{
	for (;;)
		sched_yield();
}

static void exec(void)
{
	int good = 0;
	for (int i = 0; i < 10; i++) {
		pid_t p = fork();
		if (p == 0) {
			pthread_t t[3];
			start(&t[0], idle, 0);
			start(&t[1], spins, 0);
			start(&t[2], execs, 0);
			if (i % 2)
				pthread_exit(0); // the first thread goes before
			pause();
			for (;;)
				pause();
		}
		int s;
		waitpid(p, &s, 0);
		good += WIFEXITED(s) && WEXITSTATUS(s) == 4;
	}
	printf("%d of 10\n", good);
}

// exits: exit_group while others block in all sorts of calls.
static void *blocks(void *arg)
{
	static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
	static int once = 0;
	int fds[2];
	char c;
	struct pollfd p;
	switch ((long)arg % 6) {
	case 0:
		pause();
	case 1:
		if (pipe(fds) == 0)
			c = read(fds[0], &c, 1);
	case 2:
		pthread_mutex_lock(&held);
		pthread_mutex_lock(&held);
	case 3:
		poll(&p, 0, -1);
	case 4:
		sleep(1000);
	default:
		waitpid(-1, &once, 0);
		for (;;)
			sched_yield();
	}
	return 0;
}

static void exits(void)
{
	int good = 0;
	for (int i = 0; i < 10; i++) {
		pid_t p = fork();
		if (p == 0) {
			pthread_t t;
			for (long j = 0; j < 12; j++)
				start(&t, blocks, (void *)j);
			usleep(100 * i);
			_exit(6);
		}
		int s;
		waitpid(p, &s, 0);
		good += WIFEXITED(s) && WEXITSTATUS(s) == 6;
	}
	printf("%d of 10\n", good);
}

// ipc: objects of System V and POSIX between processes.
static void ipc(void)
{
	int sem = semget(IPC_PRIVATE, 2, 0600), q = msgget(IPC_PRIVATE, 0600);
	sem_t *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long *n = (long *)(s + 1);
	if (sem < 0 || q < 0 || sem_init(s, 1, 1))
		die("ipc");
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			struct { long type; char text[8]; } m = {1, "hello"};
			for (int j = 0; j < 100; j++) {
				sem_wait(s);
				++*n;
				sem_post(s);
				if (msgsnd(q, &m, 6, 0))
					die("msgsnd");
			}
			struct sembuf up = {0, 1, 0};
			semop(sem, &up, 1);
			_exit(0);
		}
	struct sembuf down = {0, -4, 0};
	int got = 0;
	for (int i = 0; i < 400; i++) {
		struct { long type; char text[8]; } m;
		got += msgrcv(q, &m, 8, 0, 0) == 6;
	}
	semop(sem, &down, 1);
	struct timespec soon;
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	sem_wait(s);
	int late = sem_timedwait(s, &soon) < 0 && errno == ETIMEDOUT;
	while (wait(0) > 0)
		;
	printf("%ld added, %d received, late %d\n", *n, got, late);
	semctl(sem, 0, IPC_RMID);
	msgctl(q, IPC_RMID, 0);
}

// times: whoever waits for a time finds that it has come, on every clock.
static long long now(clockid_t c)
{
	struct timespec t;
	clock_gettime(c, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void times(void)
{
	const long long ms = 1000000;
	long long a = now(CLOCK_MONOTONIC);
	usleep(30000);
	int good = now(CLOCK_MONOTONIC) - a >= 30 * ms;
	a = now(CLOCK_REALTIME) + 30 * ms;
	struct timespec t = {a / 1000000000, a % 1000000000};
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	pthread_mutex_lock(&lock);
	int e = 0;
	while (now(CLOCK_REALTIME) < a)
		e = pthread_cond_timedwait(&c, &lock, &t);
	good += e == ETIMEDOUT;
	a = now(CLOCK_MONOTONIC) + 30 * ms;
	t = (struct timespec){a / 1000000000, a % 1000000000};
	good += clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0) == 0 && now(CLOCK_MONOTONIC) >= a;
	a = now(CLOCK_MONOTONIC);
	good += poll(0, 0, 30) == 0 && now(CLOCK_MONOTONIC) - a >= 30 * ms;
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	a = now(CLOCK_REALTIME) + 30 * ms;
	struct itimerspec it = {.it_value = {a / 1000000000, a % 1000000000}};
	unsigned long long fired = 0;
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, 0);
	good += read(fd, &fired, 8) == 8 && fired == 1 && now(CLOCK_REALTIME) >= a;
	printf("%d of 5\n", good);
}

// sockets: TCP on the loopback between threads, and nothing behind it.
static void *echo(void *arg)
{
	int l = (long)arg, c = accept(l, 0, 0);
	char b[4096];
	for (ssize_t n; (n = read(c, b, sizeof b)) > 0;)
		if (write(c, b, n) != n)
			die("echo");
	close(c);
	return 0;
}

#include <arpa/inet.h>
static void sockets(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || c < 0 || bind(l, (void *)&a, len) || listen(l, 5) || getsockname(l, (void *)&a, &len))
		die("listen");
	pthread_t t;
	start(&t, echo, (void *)(long)l);
	if (connect(c, (void *)&a, len))
		die("connect");
	long n = 0;
	char b[4096] = {1};
	for (int i = 0; i < 50; i++) {
		if (write(c, b, sizeof b) != sizeof b)
			die("send");
		for (size_t m = 0; m < sizeof b;) {
			ssize_t r = read(c, b, sizeof b);
			if (r <= 0)
				die("receive");
			m += r;
			n += r;
		}
	}
	shutdown(c, SHUT_WR);
	pthread_join(t, 0);
	int out = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = inet_addr("192.0.2.1");
	errno = 0;
	connect(out, (void *)&a, len);
	int e = errno;
	errno = 0;
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
	printf("%ld bytes, outside: %s, raw: %d %s\n", n, strerror(e), raw, strerror(errno));
}

// spins: two threads pass a ball without a system call, and count how often
// they looked, which no supervisor can take for a mere wait.
static _Atomic int ball;
static _Atomic long looks;

static void *plays(void *arg)
{
	int me = (long)arg;
	for (int i = 0; i < 20; i++) {
		while (ball != me)
			looks++;
		ball = !me;
	}
	return 0;
}

static void spins_(void)
{
	pthread_t t[2];
	for (long i = 0; i < 2; i++)
		start(&t[i], plays, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], 0);
	printf("ball at %d\n", ball);
}

// cpus: threads that compute, for measurements.
static void *computes(void *arg)
{
	volatile unsigned long x = 1;
	for (long i = 0; i < 400000000; i++)
		x = x * 6364136223846793005UL + 1;
	return 0;
}

static void cpus(int n)
{
	pthread_t t[8];
	for (int i = 0; i < n; i++)
		start(&t[i], computes, 0);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
}

// attrs: threads and processes are born with the CPUs and the nice level of who
// makes them.
static void *made(void *arg)
{
	cpu_set_t s;
	struct sched_param p;
	sched_getaffinity(0, sizeof s, &s);
	printf("CPUs %d, nice %d\n", CPU_COUNT(&s) > 0, getpriority(PRIO_PROCESS, 0) == 19);
	return 0;
}

static void *maker(void *arg)
{
	pthread_t t;
	setpriority(PRIO_PROCESS, 0, 19); // of this thread alone
	pthread_create(&t, 0, made, 0);
	pthread_join(t, 0);
	if (fork() == 0) {
		made(0);
		_exit(0);
	}
	wait(0);
	return 0;
}

static void attrs(void)
{
	pthread_t t;
	pthread_create(&t, 0, maker, 0);
	pthread_join(t, 0);
}

// clocks: whoever reads a clock after another thread has is told a later time;
// sleeps and files have times between those that are read around them.
static long long newest[2];
static int backwards;

static long long reads(int id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *read_clocks(void *arg)
{
	for (int i = 0; i < 50000; i++) {
		int real = i & 1;
		long long before = __atomic_load_n(&newest[real], __ATOMIC_SEQ_CST), now = reads(real ? CLOCK_REALTIME : CLOCK_MONOTONIC);
		if (now < before)
			__atomic_store_n(&backwards, 1, __ATOMIC_SEQ_CST);
		while (before < now && !__atomic_compare_exchange_n(&newest[real], &before, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		if (i % 10000 == 0) { // the supervisor moves the time as well
			struct timespec ms = {0, 1000000};
			long long t = reads(CLOCK_MONOTONIC);
			nanosleep(&ms, 0);
			if (reads(CLOCK_MONOTONIC) < t + 1000000)
				__atomic_store_n(&backwards, 2, __ATOMIC_SEQ_CST);
		}
	}
	return 0;
}

static void clocks(void)
{
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], 0, read_clocks, 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], 0);
	struct timeval tv;
	gettimeofday(&tv, 0);
	long long a = tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL, b = reads(CLOCK_REALTIME_COARSE);
	time_t s = time(0);
	struct timespec r;
	printf("backwards %d, agree %d %d, seconds %d, bad clock %d\n", backwards, a >= newest[1] - 1000, b - a < 1000000000LL && a - b < 1000000000LL,
		s >= tv.tv_sec && s <= tv.tv_sec + 1, clock_gettime(77, &r) == -1 && errno == EINVAL);
	int fd = open("f", O_CREAT | O_WRONLY, 0600);
	struct stat st;
	long long before = reads(CLOCK_REALTIME_COARSE);
	write(fd, "x", 1);
	fstat(fd, &st);
	long long m = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	printf("written %d\n", before <= m && m <= reads(CLOCK_REALTIME));
	unlink("f");
	// The image of a child has them, too; it has no room where they were.
	if (fork() == 0) {
		long long t = reads(CLOCK_MONOTONIC);
		munmap((void *)0x180000, 0x200000 - 0x180000);
		printf("without the region %d\n", reads(CLOCK_MONOTONIC) > t);
		_exit(0);
	}
	wait(0);
	// What lies where the kernel's functions were is the program's own.
	if (fork() == 0) {
		char line[256], *at = 0, *end = 0;
		FILE *f = fopen("/proc/self/maps", "r");
		while (fgets(line, sizeof line, f)) // it is unmapped as a whole or not at all
			if (strstr(line, "[vdso]"))
				sscanf(line, "%p-%p", (void **)&at, (void **)&end);
		if (mmap(at, end - at, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
			die("mmap");
		memset(at, 7, end - at);
		munmap((void *)0x180000, 0x200000 - 0x180000);
		int n = 0;
		for (int i = 0; i < 4096; i++)
			n += at[i] == 7;
		printf("without the vDSO %d\n", n);
		_exit(0);
	}
	wait(0);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	self = argv[0];
	setvbuf(stdout, 0, _IOLBF, 0);
	if (!strcmp(mode, "status"))
		return atoi(argv[2]);
	if (!strcmp(mode, "cpus")) {
		cpus(atoi(argv[2]));
		return 0;
	}
	struct { const char *name; void (*f)(void); } all[] = {
		{"threads", threads}, {"pipes", pipes}, {"forks", forks}, {"kills", kills}, {"signals", signals}, {"leaves", leaves},
		{"exec", exec}, {"exits", exits}, {"ipc", ipc}, {"times", times}, {"sockets", sockets}, {"spins", spins_},
		{"clocks", clocks}, {"attrs", attrs},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(mode, all[i].name)) {
			all[i].f();
			return 0;
		}
	return 2;
}
