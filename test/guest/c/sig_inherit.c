// What of signals a thread, a child and a new program get (signal(7), clone(2),
// execve(2)): mask, pending signals, actions, the alternate stack.
#define _GNU_SOURCE
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *image;
static const int watched[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGCHLD, (34 + 1), (34 + 1) + 2};

static void handler(int s) { (void)s; }

static void show(const char *who) {
	uint64_t mask = 0, pending = 0;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, &mask, 8);
	syscall(SYS_rt_sigpending, &pending, 8);
	printf("%s: mask %lx pending %lx actions", who, mask, pending);
	for (unsigned i = 0; i < sizeof watched / sizeof *watched; i++) {
		struct sigaction a;
		sigaction(watched[i], 0, &a);
		printf(" %s", a.sa_handler == SIG_DFL ? "dfl" : a.sa_handler == SIG_IGN ? "ign" : "own");
	}
	stack_t s;
	sigaltstack(0, &s);
	printf(" stack %d %zu\n", s.ss_flags, s.ss_size);
	fflush(stdout);
}

static void *thread(void *arg) {
	show(arg);
	return 0;
}
static void in_thread(const char *who) {
	pthread_t t;
	pthread_create(&t, 0, thread, (void *)who);
	pthread_join(t, 0);
}
static void program(const char *who) { execl(image, image, who, (char *)0); }

// born makes a child with clone3(2), which has no stack of its own.
static void born(const char *who, uint64_t flags) {
	struct clone_args a = {.flags = flags, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &a, sizeof a);
	if (pid == 0) {
		show(who);
		_exit(0);
	}
	if (pid < 0) printf("%s: none\n", who);
	waitpid(pid, 0, 0);
}

static void all(void) {
	show("self");
	in_thread("thread");
	if (fork() == 0) {
		show("fork");
		in_thread("thread of a fork");
		program("exec of a fork");
	}
	wait(0);
	if (vfork() == 0) program("exec of a vfork");
	wait(0);
	born("clone3", 0);
	born("clone3 cleared", CLONE_CLEAR_SIGHAND);
	if (fork() == 0) { // execve(2) in a thread that blocks something else
		sigset_t s;
		sigemptyset(&s);
		sigaddset(&s, SIGTERM);
		pthread_t t;
		sigprocmask(SIG_SETMASK, &s, 0);
		pthread_create(&t, 0, (void *(*)(void *))program, "exec of a thread");
		pause();
	}
	wait(0);
	posix_spawnattr_t at;
	sigset_t mask, def;
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigemptyset(&def);
	sigaddset(&def, SIGUSR2);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&at, &mask);
	posix_spawnattr_setsigdefault(&at, &def);
	char *args[] = {(char *)image, "spawned", 0};
	pid_t pid;
	posix_spawn(&pid, image, 0, &at, args, environ);
	waitpid(pid, 0, 0);
}

int main(int argc, char **argv) {
	image = argv[0];
	if (argc > 1) {
		show(argv[1]);
		return 0;
	}
	setvbuf(stdout, 0, _IOLBF, 4096);
	signal(SIGUSR1, handler);
	signal((34 + 1), handler);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536};
	sigaltstack(&s, 0);
	all();
	sigset_t set;
	sigemptyset(&set);
	int blocked[] = {SIGUSR1, SIGTERM, (34 + 1), (34 + 1) + 2, SIGCHLD};
	for (unsigned i = 0; i < sizeof blocked / sizeof *blocked; i++) sigaddset(&set, blocked[i]);
	sigprocmask(SIG_BLOCK, &set, 0);
	kill(getpid(), SIGUSR1);
	pthread_kill(pthread_self(), SIGTERM);
	sigqueue(getpid(), (34 + 1), (union sigval){1});
	all();
	program("exec of itself"); // which keeps what is pending
}
