// Signals that a call makes for its own caller, by which a write that the fast
// paths serve ends inside their code: SIGXFSZ ignored, handled and deadly, with
// the flags that the handler and the caller see.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile long seen, flags;

static void handler(int sig, siginfo_t *si, void *u)
{
	ucontext_t *c = u;
	seen++;
	flags = c->uc_mcontext.gregs[REG_EFL];
	printf("signal %d code %d, result %lld, trap flag %ld\n", sig, si->si_code, (long long)c->uc_mcontext.gregs[REG_RAX], flags >> 8 & 1);
}

static void writes(int fd)
{
	for (int i = 0; i < 5; i++) {
		int r = write(fd, "12345", 5), e = r < 0 ? errno : 0;
		unsigned long f;
		asm volatile("pushfq; pop %0" : "=r"(f));
		printf("%d %s, trap flag %lu\n", r, e ? strerrorname_np(e) : "ok", f >> 8 & 1);
	}
}

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	int fd = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0644);
	signal(SIGXFSZ, SIG_IGN);
	writes(fd);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){33, RLIM_INFINITY});
	writes(fd);
	sigaction(SIGXFSZ, &(struct sigaction){.sa_sigaction = handler, .sa_flags = SA_SIGINFO}, 0);
	writes(fd);
	printf("%ld seen\n", seen);
	signal(SIGXFSZ, SIG_DFL);
	pid_t p = fork();
	if (p == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		writes(fd);
		_exit(0);
	}
	int status;
	waitpid(p, &status, 0);
	printf("ended by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}
