// Refused section: calls that must fail cleanly. Arguments are such that no
// call can do harm on the machine where the probe is checked natively.
#include "probe.h"
#include <sys/ptrace.h>

struct call {
	const char *name;
	int nr;
	long a[6];
};
#define NO (-1L)
static const struct call calls[] = {
	{"bpf", 321, {0, 0, 0}}, // BPF_MAP_CREATE with no attributes
	{"perf_event_open", 298, {0, 0, NO, NO, 0}},
	{"io_uring_setup", 425, {1, 0}},
	{"io_uring_enter", 426, {NO, 0, 0, 0, 0, 0}},
	{"io_uring_register", 427, {NO, 0, 0, 0}},
	{"userfaultfd", 323, {0}},
	{"add_key", 248, {0, 0, 0, 0, 0}},
	{"request_key", 249, {0, 0, 0, 0}},
	{"keyctl", 250, {0, -3, 0}},
	{"kexec_load", 246, {0, 999, 0, 0}},
	{"kexec_file_load", 320, {NO, NO, 0, 0, 0xff}},
	{"init_module", 175, {0, 0, 0}},
	{"finit_module", 313, {NO, 0, 0}},
	{"delete_module", 176, {0, 0}},
	{"acct", 163, {8}},
	{"swapon", 167, {8, 0}},
	{"swapoff", 168, {8}},
	{"reboot", 169, {0, 0, 0, 0}},
	{"quotactl", 179, {NO, 0, 0, 0}},
	{"quotactl_fd", 443, {NO, NO, 0, 0}},
	{"mount", 165, {8, 8, 8, 0, 0}},
	{"umount2", 166, {8, 0}},
	{"pivot_root", 155, {8, 8}},
	{"chroot", 161, {8}},
	{"fsopen", 430, {8, 0}},
	{"fsmount", 432, {NO, 0, 0}},
	{"fspick", 433, {NO, 8, 0}},
	{"open_tree", 428, {NO, 8, 0}},
	{"open_tree_attr", 467, {NO, 8, 0, 0, 0}},
	{"move_mount", 429, {NO, 8, NO, 8, 0}},
	{"mount_setattr", 442, {NO, 8, 0, 8, 32}},
	{"fanotify_init", 300, {0, 0}},
	{"fanotify_mark", 301, {NO, 1, 1, NO, 0}},
	{"ptrace", 101, {PTRACE_ATTACH, 1, 0, 0}},
	{"process_vm_readv", 310, {1, 0, 0, 0, 0, 0}},
	{"process_vm_writev", 311, {1, 0, 0, 0, 0, 0}},
	{"kcmp", 312, {1, 1, 0, 0, 0}},
	{"name_to_handle_at", 303, {NO, 8, 8, 8, 0}},
	{"open_by_handle_at", 304, {NO, 8, 0}},
	{"syslog", 103, {10, 0, 0}},
	{"settimeofday", 164, {8, 0}},
	{"clock_settime", 227, {0, 8}},
	{"iopl", 172, {0}},
	{"ioperm", 173, {0, 1, 0}},
	{"modify_ldt", 154, {0, 0, 0}},
	{"rseq", 334, {8, 32, 0, 0}},
	{"map_shadow_stack", 453, {0, 4096, 0}},
	{"memfd_secret", 447, {NO}},
	{"cachestat", 451, {NO, 8, 8, 0}},
	{"statmount", 457, {8, 8, 8, 0}},
	{"listmount", 458, {8, 8, 8, 0}},
	{"lsm_get_self_attr", 459, {0, 0, 0, 0}},
	{"lsm_set_self_attr", 460, {0, 0, 0, 0}},
	{"lsm_list_modules", 461, {0, 0, 0}},
	{"landlock_create_ruleset", 444, {8, 8, 0}},
	{"landlock_add_rule", 445, {NO, 1, 8, 0}},
	{"landlock_restrict_self", 446, {NO, 0}},
	{"lookup_dcookie", 212, {0, 0, 0}},
	{"nfsservctl", 180, {0, 0, 0}},
	{"setns", 308, {NO, 0}},
	{"unshare", 272, {0x10000000}}, // CLONE_NEWUSER
	{"unknown 500", 500, {0}},
	{"unknown 1000", 1000, {0}},
	{"unknown -1", -1, {0}},
};
enum { CALLS = sizeof calls / sizeof *calls };

static void one(const struct call *c)
{
	long r = syscall(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
	printf("%s %s\n", c->name, r < 0 ? errname(errno) : "SUCCEEDED");
}

// refused NAME: one call; its errno is the output.
PROBE(refused)
{
	for (int i = 0; i < CALLS; i++)
		if (arg_count == 0 || !strcmp(calls[i].name, arg_list[0])) {
			fflush(stdout);
			pid_t p = fork();
			if (p == 0) {
				one(&calls[i]);
				fflush(stdout);
				_exit(0);
			}
			wait_ok(p);
		}
}

// ptrace of others: a parent of its child and back.
PROBE(refused_ptrace)
{
	int st;
	pid_t p = fork();
	if (p == 0) {
		long r = ptrace(PTRACE_TRACEME, 0, 0, 0);
		printf("TRACEME %s\n", errname(r ? errno : 0));
		fflush(stdout);
		_exit(0);
	}
	MUST(waitpid(p, &st, 0) == p);
	p = fork();
	if (p == 0) {
		pause();
		_exit(0);
	}
	long r = ptrace(PTRACE_SEIZE, p, 0, 0);
	printf("SEIZE %s\n", errname(r ? errno : 0));
	kill(p, SIGKILL);
	waitpid(p, &st, 0);
}

static void died(int st, const char *what, long r)
{
	if (WIFSIGNALED(st))
		printf("%s signal %d\n", what, WTERMSIG(st));
	else
		printf("%s status %d\n", what, WEXITSTATUS(st));
	(void)r;
}

// 32-bit calls through int 0x80: getpid (20) must not answer.
PROBE(refused_int80)
{
	int st, p[2];
	MUST(pipe(p) == 0);
	pid_t c = fork();
	if (c == 0) {
		int r;
		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
		(void)!write(p[1], &r, 4);
		_exit(0);
	}
	MUST(waitpid(c, &st, 0) == c);
	close(p[1]);
	int r = 0, got = read(p[0], &r, 4);
	died(st, "int 0x80", r);
	if (got == 4)
		printf("getpid gives %s\n", r == c ? "the pid" : errname(-r));
}

// The same calls through the x32 numbers.
PROBE(refused_x32)
{
	int st, p[2];
	MUST(pipe(p) == 0);
	pid_t c = fork();
	if (c == 0) {
		int r = syscall(0x40000000 | SYS_getpid), e = r < 0 ? -errno : r;
		(void)!write(p[1], &e, 4);
		_exit(0);
	}
	MUST(waitpid(c, &st, 0) == c);
	close(p[1]);
	int r = 0, got = read(p[0], &r, 4);
	died(st, "x32", r);
	if (got == 4)
		printf("getpid gives %s\n", r == c ? "the pid" : errname(-r));
}
