// The time stamp counter while SIGSEGV is blocked, in processes whose vDSO has
// been replaced by the fast paths: the handler and the mask stay as they are.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static void on_fault(int sig) { _exit(sig); }

int main(void)
{
	setvbuf(stdout, 0, _IONBF, 0);
	for (int i = 0; i < 4; i++) {
		struct timespec ts;
		for (int j = 0; j < 5; j++)
			clock_gettime(CLOCK_MONOTONIC, &ts), time(0);
		pid_t p = fork();
		if (p == 0) {
			sigset_t s, cur;
			struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_RESTART}, got;
			sigaction(SIGSEGV, &sa, 0);
			sigemptyset(&s);
			sigaddset(&s, SIGSEGV);
			sigprocmask(SIG_BLOCK, &s, 0);
			unsigned aux;
			unsigned long a = __rdtscp(&aux), b = __rdtsc(), c = __rdtscp(&aux);
			sigaction(SIGSEGV, 0, &got);
			sigprocmask(SIG_BLOCK, 0, &cur);
			printf("%d: rises %d, handler %d, flags %d, blocked %d\n", i, a < b && b < c, got.sa_handler == on_fault,
			       got.sa_flags & SA_RESTART, sigismember(&cur, SIGSEGV));
			sigprocmask(SIG_UNBLOCK, &s, 0);
			__rdtscp(&aux);
			*(volatile int *)8 = 1;
		}
		int status;
		waitpid(p, &status, 0);
		printf("exit %d\n", WEXITSTATUS(status));
	}
}
