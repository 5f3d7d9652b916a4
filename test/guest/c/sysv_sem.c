// System V semaphores: results, errors, waiting, removal, signals, timeouts,
// undo, the order of waiters. Says the same natively.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void show(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : ""); fflush(stdout); }
static int op1(int id, int n, int v, int f) { struct sembuf b = {n, v, f}; return semop(id, &b, 1); }
static void ms(int n) { struct timespec t = {n / 1000, n % 1000 * 1000000L}; while (nanosleep(&t, &t) && errno == EINTR) {} }
static void handler(int s) { (void)s; }

// Waits until n operations wait on semaphore 0: natively others take a while.
static void waiting(int id, int n, int cmd) { while (semctl(id, 0, cmd) != n) ms(1); }

static pid_t waiter(int id, int v, int f, int out, char name) {
	pid_t p = fork();
	if (p == 0) {
		int r = op1(id, 0, v, f);
		if (r < 0) name = errno == EIDRM ? 'D' : errno == EINTR ? 'I' : '?';
		write(out, &name, 1);
		_exit(0);
	}
	return p;
}

// With an argument the order of the waiters' reports, natively a race, does not show.
static int sorted;
static int cmp(const void *a, const void *b) { return *(char *)a - *(char *)b; }

static void collect(int in, int n) {
	char b[16] = {0};
	for (int i = 0; i < n; i++) read(in, b + i, 1);
	if (sorted) qsort(b, n, 1, cmp);
	printf(" %s\n", b);
	for (int i = 0; i < n; i++) wait(0);
	fflush(stdout);
}

static void *thread_undo(void *a) { op1(*(int *)a, 1, 1, SEM_UNDO); return 0; }

int main(int argc, char **argv) {
	sorted = argc > 1;
	union { int val; unsigned short *array; struct semid_ds *buf; struct seminfo *info; } u;
	unsigned short v[4];
	struct semid_ds ds;
	key_t key = 0x7e570001;
	int p[2], st;
	pipe(p);
	int old = semget(key, 0, 0);
	if (old >= 0) semctl(old, 0, IPC_RMID);
	show("no key", semget(key, 3, 0600));
	show("no sems", semget(key, 0, IPC_CREAT | 0600));
	show("negative", semget(key, -1, IPC_CREAT | 0600));
	int id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
	show("exclusive", semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
	show("too many", semget(key, 4, 0600));
	show("found", semget(key, 2, 0) == id);
	int two = semget(IPC_PRIVATE, 1, 0600);
	show("another", two != id);
	semctl(two, 0, IPC_RMID);
	show("stale", semctl(two, 0, GETVAL));

	show("setval", semctl(id, 0, SETVAL, 5));
	show("range", semctl(id, 0, SETVAL, 40000));
	show("number", semctl(id, 3, GETVAL));
	u.array = v;
	show("getall", semctl(id, 0, GETALL, u));
	printf("%d %d %d\n", v[0], v[1], v[2]);
	v[0] = 0, v[1] = 1, v[2] = 2;
	show("setall", semctl(id, 0, SETALL, u));
	show("val 2", semctl(id, 2, GETVAL));
	show("pid", semctl(id, 2, GETPID) == getpid());
	show("nowait", op1(id, 0, -1, IPC_NOWAIT));
	show("zero", op1(id, 1, 0, IPC_NOWAIT));
	show("zero now", op1(id, 0, 0, 0));
	show("too big", op1(id, 3, 1, 0));
	show("overflow", op1(id, 1, 32767, 0));
	struct sembuf both[3] = {{1, -1, 0}, {2, -2, 0}, {0, -1, IPC_NOWAIT}};
	show("all or none", semop(id, both, 3));
	show("val 1", semctl(id, 1, GETVAL));
	show("both", semop(id, both, 2));
	show("val 2", semctl(id, 2, GETVAL));
	show("none", semop(id, both, 0));
	show("too many", semop(id, both, 501));
	show("fault", semop(id, (void *)1, 1));
	show("bad id", op1(-1, 0, 1, 0));

	struct timespec t = {0, 20000000};
	struct sembuf down = {0, -1, 0};
	show("timeout", semtimedop(id, &down, 1, &t));
	t.tv_nsec = -1;
	show("bad time", semtimedop(id, &down, 1, &t));

	// First come, first served, also when the poster waits again at once.
	for (int i = 0; i < 3; i++) { waiter(id, -1, 0, p[1], 'a' + i); waiting(id, i + 1, GETNCNT); }
	show("ncnt", semctl(id, 0, GETNCNT));
	show("up 2", op1(id, 0, 2, 0));
	show("left for me", op1(id, 0, -1, IPC_NOWAIT));
	op1(id, 0, 1, 0);
	collect(p[0], 3);
	// One that wants more does not hold up the others.
	waiter(id, -3, 0, p[1], 'x'); waiting(id, 1, GETNCNT);
	waiter(id, -1, 0, p[1], 'y'); waiting(id, 2, GETNCNT);
	op1(id, 0, 1, 0);
	waiting(id, 1, GETNCNT);
	op1(id, 0, 3, 0);
	collect(p[0], 2);
	// Waiting for zero.
	op1(id, 0, 2, 0);
	waiter(id, 0, 0, p[1], 'z'); waiting(id, 1, GETZCNT);
	show("zcnt", semctl(id, 0, GETZCNT));
	op1(id, 0, -2, 0);
	collect(p[0], 1);
	// SETVAL wakes, too.
	waiter(id, -7, 0, p[1], 's'); waiting(id, 1, GETNCNT);
	semctl(id, 0, SETVAL, 8);
	collect(p[0], 1);
	show("rest", semctl(id, 0, GETVAL));
	op1(id, 0, -1, 0);

	// A signal ends it with EINTR, SA_RESTART or not; a stop does as well.
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &sa, 0);
	pid_t c = waiter(id, -1, 0, p[1], 'i'); waiting(id, 1, GETNCNT);
	kill(c, SIGUSR1);
	collect(p[0], 1);
	c = waiter(id, -1, 0, p[1], 'i'); waiting(id, 1, GETNCNT);
	kill(c, SIGSTOP);
	waitpid(c, &st, WUNTRACED);
	kill(c, SIGCONT);
	collect(p[0], 1);
	c = waiter(id, -1, 0, p[1], 'i'); waiting(id, 1, GETNCNT);
	kill(c, SIGKILL);
	waitpid(c, &st, 0);
	show("ncnt after kill", semctl(id, 0, GETNCNT));

	// Undo at the end of a process, in its waiter's favour.
	op1(id, 0, 1, 0);
	if (fork() == 0) { op1(id, 0, -1, SEM_UNDO); op1(id, 1, 4, SEM_UNDO); pause(); _exit(0); }
	while (semctl(id, 1, GETVAL) != 4) ms(1);
	waiter(id, -1, 0, p[1], 'u'); waiting(id, 1, GETNCNT);
	waiter(id, -1, 0, p[1], 'U'); waiting(id, 2, GETNCNT);
	kill(semctl(id, 1, GETPID), SIGKILL);
	while (semctl(id, 0, GETNCNT) != 1) ms(1);
	show("undone", semctl(id, 1, GETVAL));
	op1(id, 0, 1, 0);
	collect(p[0], 3 - 1);
	wait(0);
	// SETVAL forgets it; threads share the list of their process.
	if ((c = fork()) == 0) {
		op1(id, 0, 3, SEM_UNDO);
		semctl(id, 0, SETVAL, 9);
		pthread_t th;
		pthread_create(&th, 0, thread_undo, &id);
		pthread_join(th, 0);
		show("thread gone", semctl(id, 1, GETVAL));
		_exit(0);
	}
	waitpid(c, &st, 0);
	show("forgotten", semctl(id, 0, GETVAL));
	show("undone", semctl(id, 1, GETVAL));
	show("undo range", op1(id, 0, 32000, SEM_UNDO) || op1(id, 0, -32000, 0) || op1(id, 0, 32000, SEM_UNDO));
	semctl(id, 0, SETVAL, 0);

	u.buf = &ds;
	show("stat", semctl(id, 0, IPC_STAT, u));
	printf("%lu %o %d %d %d\n", ds.sem_nsems, ds.sem_perm.mode, ds.sem_perm.__key == key, ds.sem_otime != 0, ds.sem_ctime != 0);
	ds.sem_perm.mode = 0640;
	show("set", semctl(id, 0, IPC_SET, u));
	ds.sem_perm.mode = 0;
	semctl(id, 0, IPC_STAT, u);
	printf("%o\n", ds.sem_perm.mode);
	struct seminfo si;
	u.info = &si;
	semctl(id, 0, IPC_INFO, u);
	printf("%d %d %d %d %d %d %d %d %d\n", si.semmni, si.semmns, si.semmnu, si.semmsl, si.semopm, si.semume, si.semusz, si.semvmx, si.semaem);
	show("bad command", semctl(id, 0, 99));

	// Removal wakes everybody.
	waiter(id, -1, 0, p[1], 'r'); waiting(id, 1, GETNCNT);
	waiter(id, -1, 0, p[1], 'r'); waiting(id, 2, GETNCNT);
	show("remove", semctl(id, 0, IPC_RMID));
	collect(p[0], 2);
	show("removed", op1(id, 0, 1, 0));
	return 0;
}
