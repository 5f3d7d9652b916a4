// main and the walk over the tree.
#include "tree.h"
#include <dirent.h>

void begin(uint64_t seed, const char *path);

static const struct {
	const char *name;
	op *f;
} ops[] = {
#define O(n) {#n, op_##n}
	O(pipe), O(big_pipe), O(kill), O(stop), O(group), O(session), O(eintr), O(restart), O(interval), O(timerfd),
	O(posix_timer), O(poll), O(epoll), O(edge), O(select), O(signalfd), O(epoll_signalfd), O(pidfd), O(vfork), O(spawn),
	O(exec_thread), O(threads), O(mutex), O(exit_group), O(leader), O(orphan), O(reaper), O(pdeath), O(exec_mask),
	O(flock), O(fcntl), O(fifo), O(rights), O(queue), O(sigwait), O(sigchld), O(autoreap), O(massacre), O(tty),
	O(async), O(mask), O(nested), O(barrier), O(wait_any), O(wait_thread), O(stop_group), O(sockets), O(pump),
	O(clone_parent), O(shared), O(sleepers), O(timeouts), O(kill_vfork), O(tty_stop), O(jobs),
};
enum { OPS = sizeof ops / sizeof *ops };

static const char *only;

// run_op does one thing in a process of its own, so that what it leaves behind
// (handlers, masks, timers, children) does not matter to the next.
static void run_op(void)
{
	int n = rnd(OPS);
	for (int i = 0; only && i < OPS; i++)
		if (!strcmp(ops[i].name, only))
			n = i;
	pid_t p = child(ops[n].name);
	if (p == 0) {
		ops[n].f();
		_exit(rnd(50));
	}
	R("%s %x", ops[n].name, reap(p));
}

static void node(void)
{
	pid_t kids[8];
	int n = 0;
	for (int i = 3 + rnd(4); i; i--) {
		if (n < 3 && depth < 3 && rnd(3) == 0) {
			if ((kids[n] = child("n")) == 0) {
				node();
				_exit(rnd(100));
			}
			n++;
		}
		race("at %ld", now());
		run_op();
	}
	while (n)
		R("node %x", reap(kids[--n]));
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void show(char kind, FILE *f)
{
	struct dirent **e;
	int n = scandir(dir, &e, 0, by_name);
	for (int i = 0; i < n; i++) {
		char name[1024], line[4096];
		if (e[i]->d_name[0] != kind)
			continue;
		snprintf(name, sizeof name, "%s/%s", dir, e[i]->d_name);
		FILE *in = fopen(name, "r");
		while (in && fgets(line, sizeof line, in))
			fprintf(f, "%s: %s", e[i]->d_name + 1, line);
		if (in)
			fclose(in);
	}
}

// after_exec is what this program does when a process of the tree runs it.
static void after_exec(char **argv)
{
	sigset_t m, p;
	struct sigaction a;
	if (!strcmp(argv[1], "exit"))
		_exit(atoi(argv[2]));
	if (!strcmp(argv[1], "sleep")) {
		ms(atoi(argv[2]));
		_exit(0);
	}
	if (!strcmp(argv[1], "pause"))
		for (;;)
			pause();
	sigprocmask(0, 0, &m);
	sigpending(&p);
	int sum = 0;
	for (int s = 1; s < 32; s++) {
		sigaction(s, 0, &a);
		sum = sum * 31 + sigismember(&m, s) + 2 * sigismember(&p, s) + 4 * (a.sa_handler == SIG_IGN) + 8 * (a.sa_handler != SIG_DFL);
	}
	_exit(sum & 0x7f);
}

int main(int argc, char **argv)
{
	MUST(realpath("/proc/self/exe", self));
	if (argc < 3)
		return 2;
	if (strspn(argv[1], "0123456789") != strlen(argv[1]))
		after_exec(argv);
	char *s = realpath(argv[2], dir);
	MUST(s);
	only = argc > 3 ? argv[3] : 0;
	// Natively there may be a SIGHUP that nohup ignores.
	for (int i = 1; i < 65; i++)
		signal(i, SIG_DFL);
	begin(atoll(argv[1]), "0");
	node();
	show('r', stdout);
	show('x', stderr);
	return 0;
}
