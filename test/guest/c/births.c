/* Births of processes that do not stop at their entry: registers and flags of parent
 * and child, a signal before the child's first instruction, and births that fail. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The call with known values in all registers; what they are afterwards, and first the
 * flags, in the parent and in the child, which shares the memory after vfork(2). */
uint64_t before[16], after[16], child[16], sp, given_flags, flags, result, next;

#define BIRTH(name, nr, child_ends) \
	__attribute__((naked, noinline)) static void name(void) { \
		__asm__ volatile( \
			"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n" \
			"mov %rsp, sp(%rip)\n" \
			"lea before(%rip), %rax\n" \
			"mov 8(%rax), %rbx; mov 24(%rax), %rdx; mov 32(%rax), %rsi; mov 40(%rax), %rdi; mov 48(%rax), %rbp\n" \
			"mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10; mov 96(%rax), %r12; mov 104(%rax), %r13\n" \
			"mov 112(%rax), %r14; mov 120(%rax), %r15\n" \
			"push given_flags(%rip); popf\n" \
			"mov $" #nr ", %eax\n" \
			"syscall\n" \
			"1: pushf; pop flags(%rip)\n" \
			"mov %rax, result(%rip)\n" \
			"test %rax, %rax; lea after(%rip), %rax; jnz 2f; lea child(%rip), %rax\n" \
			"2: mov %rbx, 8(%rax); mov %rcx, 16(%rax); mov %rdx, 24(%rax); mov %rsi, 32(%rax); mov %rdi, 40(%rax); mov %rbp, 48(%rax)\n" \
			"mov %rsp, 56(%rax); mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax); mov %r12, 96(%rax)\n" \
			"mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n" \
			"mov flags(%rip), %rcx; mov %rcx, (%rax)\n" \
			"lea 1b(%rip), %rcx; mov %rcx, next(%rip)\n" child_ends \
			"mov sp(%rip), %rsp\n" \
			"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"); \
	}

BIRTH(birth, 56, "")
BIRTH(birth_v, 58, "cmpq $0, result(%rip); jne 3f; mov $231, %eax; xor %edi, %edi; syscall\n3:\n")

static int differs(const char *who, const uint64_t *got) {
	int bad = 0;
	for (int i = 0; i < 16; i++) {
		uint64_t want = i == 2 ? next : i == 7 ? sp : i == 0 || i == 11 ? given_flags : before[i];
		if (got[i] == want) continue;
		printf("%s: register %d (0: flags) is %#lx, not %#lx\n", who, i, got[i], want);
		bad = 1;
	}
	return bad;
}

static void registers(int rounds, int v) {
	static const int given[] = {0, 1, 4, 0x800, 0x8d5}; /* flags */
	int bad = 0, tid;
	for (int i = 0; i < rounds; i++) {
		for (int r = 0; r < 16; r++) before[r] = 0x1111111111111111 * r + i;
		if (!v) {
			before[3] = before[4] = 0;
			before[5] = SIGCHLD | (i % 2 ? CLONE_CHILD_SETTID : 0) | (i % 3 ? CLONE_CHILD_CLEARTID : 0);
			before[10] = (uint64_t)&tid;
		}
		given_flags = 0x202 | given[i % 5];
		tid = 0;
		fflush(stdout);
		(v ? birth_v : birth)();
		if (result == 0) {
			bad = differs("child", child) | (i % 2 ? tid != getpid() : tid != 0);
			fflush(stdout);
			_exit(bad);
		}
		bad |= differs("parent", after) | (v && differs("child", child));
		int s;
		bad |= waitpid(result, &s, 0) != (pid_t)result || s != 0;
	}
	printf("registers %s\n", bad ? "differ" : "ok");
}

static void handler(int sig) { _exit(9); }

static int came;

static void counter(int sig) { came++; }

static void quiet_vforks(void) {
	for (int i = 0; i < 10; i++) { /* until they stop no more */
		pid_t p = vfork();
		if (p == 0) _exit(0);
		waitpid(p, 0, 0);
	}
}

static void signals(int rounds) {
	int early = 0;
	signal(SIGUSR1, handler);
	signal(SIGUSR2, counter);
	quiet_vforks();
	for (int i = 0; i < rounds; i++) {
		pid_t p = vfork();
		if (p == 0) {
			kill(getppid(), SIGUSR2);
			_exit(0);
		}
		waitpid(p, 0, 0);
	}
	for (int i = 0; i < rounds; i++) {
		pid_t p = fork();
		if (!p) pause();
		kill(p, SIGUSR1);
		int s;
		waitpid(p, &s, 0);
		early += WIFEXITED(s) && WEXITSTATUS(s) == 9;
	}
	printf("%d children got their signal, %d parents\n", early, came);
}

static void failures(int rounds) {
	quiet_vforks();
	for (int i = 0; i < rounds; i++) {
		int n = 0;
		pid_t p, first = 0, last;
		while ((p = fork()) > 0) {
			n++;
			first = first ? first : p;
			last = p;
		}
		if (p == 0) for (;;) pause();
		printf("%d children, then %s;", n, errno == EAGAIN ? "EAGAIN" : "another error");
		if ((p = vfork()) == 0) _exit(0);
		printf(" vfork %s;", p > 0 ? "none" : errno == EAGAIN ? "EAGAIN" : "another error");
		kill(last, SIGKILL);
		waitpid(last, 0, 0);
		p = fork();
		if (p == 0) for (;;) pause();
		printf(" the next has number %d more\n", p - last);
		fflush(stdout);
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		signal(SIGTERM, SIG_DFL);
		while (wait(0) > 0);
	}
}

/* Jumps to the region's own call, with flags that would let the child escape. */
static void forged(void) {
	static const unsigned char code[] = {0x0f, 0x05, 0x48, 0x89, 0xd1, 0x48, 0x99};
	unsigned char *at = memmem((void *)0x180000, 0x2000, code, sizeof code);
	long r;
	if (!at) {
		puts("no such call");
		return;
	}
	__asm__ volatile(
		"lea 1f(%%rip), %%rdx\n"
		"jmp *%1\n"
		"1: .fill 16, 1, 0x90\n"
		"jmp 2f\n"
		".fill 16, 1, 0x90\n"
		"2:\n"
		: "=a"(r) : "b"(at), "a"(56), "D"(CLONE_UNTRACED | SIGCHLD), "S"(0) : "rcx", "r11", "rdx", "memory");
	if (r == 0) _exit(0);
	printf("forged: %s\n", r == 56 ? "refused" : "made");
}

int main(int c, char **v) {
	/* Where vfork(2) ends a signal would come, and its instruction would have to stay. */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, 0);
	if (!strcmp(v[1], "registers")) registers(atoi(v[2]), 0);
	if (!strcmp(v[1], "vfork")) registers(atoi(v[2]), 1);
	if (!strcmp(v[1], "signals")) signals(atoi(v[2]));
	if (!strcmp(v[1], "failures")) failures(atoi(v[2]));
	if (!strcmp(v[1], "forged")) forged();
	fflush(stdout);
	_exit(0);
}
