// Time section: sleeps, timeouts and timers in every form.
#include "probe.h"
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/timerfd.h>
#include <pthread.h>

static int64_t start;
static void begin(void) { start = now(CLOCK_MONOTONIC); }
// A sleep never ends early; late by at most 200 ms on a loaded host.
static void end(const char *what, int r, int64_t want)
{
	int e = r < 0 ? errno : 0;
	int64_t d = now(CLOCK_MONOTONIC) - start;
	CHECK(d >= want && d < want + 500 * MS, "%s took %ld, wanted %ld", what, d, want);
	printf("%s %d %s %ld\n", what, r, errname(e), d);
}

static void nop(int s) { (void)s; }

PROBE(time_sleeps)
{
	struct timespec d = {0, 20 * MS}, rem = {9, 9}, abs;
	begin();
	end("nanosleep", nanosleep(&d, &rem), 20 * MS);
	begin();
	end("clock_nanosleep monotonic", -clock_nanosleep(CLOCK_MONOTONIC, 0, &d, 0), 20 * MS);
	begin();
	end("clock_nanosleep realtime", -clock_nanosleep(CLOCK_REALTIME, 0, &d, 0), 20 * MS);
	int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
	for (int i = 0; i < 4; i++) {
		int64_t t = now(ids[i]) + 30 * MS;
		abs.tv_sec = t / SEC, abs.tv_nsec = t % SEC;
		begin();
		int r = clock_nanosleep(ids[i], TIMER_ABSTIME, &abs, 0);
		CHECK(now(ids[i]) >= t, "clock %d woke early", ids[i]);
		end("absolute", -r, 28 * MS);
		begin();
		end("absolute in the past", -clock_nanosleep(ids[i], TIMER_ABSTIME, &abs, 0), 0);
	}
	begin();
	end("usleep", usleep(15000), 15 * MS);
	d.tv_nsec = 1000000000;
	CHECK(nanosleep(&d, 0) == -1 && errno == EINVAL);
}

PROBE(time_sleep_rem)
{
	struct sigaction sa = {.sa_handler = nop};
	struct itimerval it = {.it_value = {0, 30000}};
	struct timespec d = {2, 0}, rem = {0};
	sigaction(SIGALRM, &sa, 0);
	setitimer(ITIMER_REAL, &it, 0);
	begin();
	int r = nanosleep(&d, &rem);
	end("interrupted", r, 29 * MS);
	CHECK(r == -1);
	CHECK(ts_ns(rem) > 1400 * MS && ts_ns(rem) <= 1971 * MS, "rem %ld", ts_ns(rem));
	printf("rem %ld\n", ts_ns(rem));
	setitimer(ITIMER_REAL, &it, 0);
	begin();
	r = clock_nanosleep(CLOCK_MONOTONIC, 0, &d, &rem);
	CHECK(r == EINTR && ts_ns(rem) <= 1971 * MS);
	printf("rem %d %ld\n", r, ts_ns(rem));
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {1, 0}}, 0);
	printf("sleep left %u\n", sleep(3));
}

PROBE(time_timeouts)
{
	struct timespec d = {0, 20 * MS};
	struct timeval tv = {0, 20000};
	int p[2], word = 5;
	fd_set fs;
	sigset_t usr;
	MUST(pipe(p) == 0);
	struct pollfd pf = {p[0], POLLIN, 0};
	begin();
	end("poll", poll(&pf, 1, 20), 20 * MS);
	begin();
	end("poll nothing", poll(0, 0, 20), 20 * MS);
	begin();
	end("ppoll", ppoll(&pf, 1, &d, 0), 20 * MS);
	FD_ZERO(&fs);
	FD_SET(p[0], &fs);
	begin();
	end("select", select(p[0] + 1, &fs, 0, 0, &tv), 20 * MS);
	printf("select left %ld.%06ld\n", tv.tv_sec, tv.tv_usec);
	FD_ZERO(&fs);
	FD_SET(p[0], &fs);
	begin();
	end("pselect", pselect(p[0] + 1, &fs, 0, 0, &d, 0), 20 * MS);
	int ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN};
	MUST(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
	begin();
	end("epoll_wait", epoll_wait(ep, &ev, 1, 20), 20 * MS);
	begin();
	end("epoll_pwait", epoll_pwait(ep, &ev, 1, 20, 0), 20 * MS);
	begin();
	int r = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &d, 0, 0);
	CHECK(r == -1 && errno == ETIMEDOUT);
	end("futex", r, 20 * MS);
	int64_t t = now(CLOCK_MONOTONIC) + 20 * MS;
	struct timespec abs = {t / SEC, t % SEC};
	begin();
	r = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 5, &abs, 0, ~0u);
	CHECK(r == -1 && errno == ETIMEDOUT);
	end("futex bitset", r, 15 * MS);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr, 0);
	begin();
	r = sigtimedwait(&usr, 0, &d);
	CHECK(r == -1 && errno == EAGAIN);
	end("sigtimedwait", r, 20 * MS);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	int sv[2];
	char c;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 20000}, sizeof(struct timeval));
	begin();
	r = recv(sv[0], &c, 1, 0);
	CHECK(r == -1 && errno == EAGAIN);
	end("recv timeout", r, 15 * MS);
	close(s);
}

PROBE(time_mq_timeout)
{
	struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 8};
	char buf[8];
	mqd_t q = mq_open("/probe_q", O_RDWR | O_CREAT | O_EXCL, 0600, &a);
	MUST(q >= 0);
	mq_unlink("/probe_q");
	int64_t t = now(CLOCK_REALTIME) + 20 * MS;
	struct timespec abs = {t / SEC, t % SEC};
	begin();
	int r = mq_timedreceive(q, buf, 8, 0, &abs);
	CHECK(r == -1 && errno == ETIMEDOUT);
	end("mq_timedreceive", r, 15 * MS);
	MUST(mq_send(q, "x", 1, 0) == 0);
	t = now(CLOCK_REALTIME) + 20 * MS;
	abs = (struct timespec){t / SEC, t % SEC};
	begin();
	r = mq_timedsend(q, "y", 1, 0, &abs);
	CHECK(r == -1 && errno == ETIMEDOUT);
	end("mq_timedsend", r, 15 * MS);
	struct stat st;
	MUST(fstat(q, &st) == 0);
	show_stat("mqueue", &st);
}

PROBE(time_semtimedop)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	MUST(id >= 0);
	struct sembuf op = {0, -1, 0};
	struct timespec d = {0, 20 * MS};
	begin();
	int r = semtimedop(id, &op, 1, &d);
	CHECK(r == -1 && errno == EAGAIN);
	end("semtimedop", r, 20 * MS);
	semctl(id, 0, IPC_RMID);
}

static volatile sig_atomic_t fired;
static int64_t fired_at[64];
static void on_alarm(int s)
{
	(void)s;
	if (fired < 64)
		fired_at[fired] = now(CLOCK_MONOTONIC);
	fired++;
}

static void wait_fired(int n)
{
	sigset_t none;
	sigemptyset(&none);
	while (fired < n)
		sigsuspend(&none);
}

static void arm_handler(int sig)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	sigset_t s;
	sigaction(sig, &sa, 0);
	sigemptyset(&s);
	sigaddset(&s, sig);
	sigprocmask(SIG_BLOCK, &s, 0);
	start = now(CLOCK_MONOTONIC);
}

static void show_fired(int64_t first, int64_t step)
{
	for (int i = 0; i < fired && i < 64; i++) {
		int64_t d = fired_at[i] - start;
		CHECK(d >= first + i * step - MS, "%d fired after %ld", i, d);
		CHECK(d < first + i * step + 500 * MS, "%d fired after %ld", i, d);
		printf("%d %ld\n", i, d);
	}
}

PROBE(time_alarm)
{
	arm_handler(SIGALRM);
	CHECK(alarm(5) == 0);
	unsigned left = alarm(1);
	CHECK(left == 5, "%u left", left);
	wait_fired(1);
	show_fired(1000 * MS, 0);
}

PROBE(time_setitimer)
{
	struct itimerval it = {{0, 10000}, {0, 20000}}, got;
	arm_handler(SIGALRM);
	MUST(setitimer(ITIMER_REAL, &it, 0) == 0);
	MUST(getitimer(ITIMER_REAL, &got) == 0);
	CHECK(got.it_interval.tv_usec == 10000 && got.it_value.tv_usec <= 20001 && got.it_value.tv_usec > 0);
	printf("left %ld\n", got.it_value.tv_usec);
	wait_fired(5);
	setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
	show_fired(20 * MS, 10 * MS);
}

PROBE(time_itimer_cpu)
{
	struct itimerval it = {.it_value = {0, 20000}};
	struct sigaction sa = {.sa_handler = on_alarm};
	sigaction(SIGVTALRM, &sa, 0);
	sigaction(SIGPROF, &sa, 0);
	printf("virtual %d\n", setitimer(ITIMER_VIRTUAL, &it, 0));
	for (long i = 0; i < 400000 && fired < 1; i++) {
		getppid();
		burn(300);
	}
	CHECK(fired == 1);
	printf("prof %d\n", setitimer(ITIMER_PROF, &it, 0));
	for (long i = 0; i < 400000 && fired < 2; i++) {
		getppid();
		burn(300);
	}
	CHECK(fired == 2);
	printf("%ld\n", now(CLOCK_MONOTONIC));
}

PROBE(time_timer_signal)
{
	timer_t t;
	struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec it = {{0, 5 * MS}, {0, 20 * MS}}, got;
	arm_handler(SIGUSR1);
	MUST(timer_create(CLOCK_MONOTONIC, &se, &t) == 0);
	MUST(timer_settime(t, 0, &it, 0) == 0);
	MUST(timer_gettime(t, &got) == 0);
	CHECK(ts_ns(got.it_value) > 0 && ts_ns(got.it_value) <= 20 * MS);
	printf("left %ld\n", ts_ns(got.it_value));
	wait_fired(3);
	MUST(timer_delete(t) == 0);
	show_fired(20 * MS, 5 * MS);
	// Overruns: signal blocked for 52 ms of 5 ms periods.
	fired = 0;
	MUST(timer_create(CLOCK_REALTIME, &se, &t) == 0);
	it.it_value.tv_nsec = 5 * MS;
	start = now(CLOCK_MONOTONIC);
	MUST(timer_settime(t, 0, &it, 0) == 0);
	usleep(52000);
	wait_fired(1);
	int o = timer_getoverrun(t);
	CHECK(o >= 9, "overrun %d", o);
	printf("overrun %d %ld\n", o, fired_at[0] - start);
	timer_delete(t);
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int called;
static int64_t called_at;
static void on_timer(union sigval v)
{
	pthread_mutex_lock(&mu);
	called = v.sival_int;
	called_at = now(CLOCK_MONOTONIC);
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mu);
}

PROBE(time_timer_thread)
{
	timer_t t;
	struct sigevent se = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer,
			      .sigev_value = {.sival_int = 42}};
	struct itimerspec it = {.it_value = {0, 20 * MS}};
	begin();
	MUST(timer_create(CLOCK_MONOTONIC, &se, &t) == 0);
	MUST(timer_settime(t, 0, &it, 0) == 0);
	pthread_mutex_lock(&mu);
	while (!called)
		pthread_cond_wait(&cond, &mu);
	pthread_mutex_unlock(&mu);
	CHECK(called == 42 && called_at - start >= 20 * MS);
	printf("%ld\n", called_at - start);
}

PROBE(time_timer_none)
{
	timer_t t;
	struct sigevent se = {.sigev_notify = SIGEV_NONE};
	struct itimerspec it = {.it_value = {0, 50 * MS}}, got;
	MUST(timer_create(CLOCK_MONOTONIC, &se, &t) == 0);
	MUST(timer_settime(t, 0, &it, 0) == 0);
	usleep(20000);
	MUST(timer_gettime(t, &got) == 0);
	CHECK(ts_ns(got.it_value) <= 30 * MS);
	printf("%ld\n", ts_ns(got.it_value));
	usleep(60000);
	MUST(timer_gettime(t, &got) == 0);
	CHECK(ts_ns(got.it_value) == 0);
}

PROBE(time_timerfd)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec it = {{0, 10 * MS}, {0, 20 * MS}}, got;
	uint64_t n = 0;
	MUST(fd >= 0);
	begin();
	MUST(timerfd_settime(fd, 0, &it, 0) == 0);
	CHECK(read(fd, &n, 8) == -1 && errno == EAGAIN);
	struct pollfd pf = {fd, POLLIN, 0};
	end("poll timerfd", poll(&pf, 1, 1000), 19 * MS);
	CHECK(read(fd, &n, 8) == 8 && n >= 1);
	printf("ticks %lu\n", n);
	usleep(45000);
	CHECK(read(fd, &n, 8) == 8 && n >= 4, "%lu", n);
	MUST(timerfd_gettime(fd, &got) == 0);
	CHECK(ts_ns(got.it_value) <= 10 * MS);
	printf("ticks %lu left %ld\n", n, ts_ns(got.it_value));
	fcntl(fd, F_SETFL, 0);
	CHECK(read(fd, &n, 8) == 8);
	printf("ticks %lu at %ld\n", n, now(CLOCK_MONOTONIC) - start);
}
