// Random changes of what the kernel's scheduler knows of threads: policy,
// priority, nice level, I/O priority, CPUs, and who inherits them. Says the
// same natively, without CAP_SYS_NICE and with limits of 0.
#define _GNU_SOURCE
#include "random.h"
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t prio;
	uint64_t runtime, deadline, period;
	uint32_t min, max;
	char tail[8];
};

// The targets: 0 for oneself, own number, a thread, a child, nobody, nonsense.
static int self, thread, child;
static int quit[2];
static void *waits(void *p) {
	char c;
	*(int *)p = syscall(SYS_gettid);
	write(quit[1], "x", 1);
	for (;;) pause();
	return 0;
}
static void new_thread(void) {
	pthread_t t;
	char c;
	static int tid;
	pthread_create(&t, 0, waits, &tid);
	pthread_detach(t);
	read(quit[0], &c, 1);
	thread = tid;
}
static void new_child(void) {
	if (child) { kill(child, SIGKILL); waitpid(child, 0, 0); }
	if ((child = fork()) == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) pause(); }
}
static int target(int *name) {
	int all[] = {0, self, thread, child, 0x7ffffff0, -1};
	int i = one_in(8) ? 4 + below(2) : below(4);
	*name = i;
	return all[i];
}

static void show(void) {
	int all[] = {self, thread, child};
	printf("  =");
	for (int i = 0; i < 3; i++) {
		struct attr a = {0};
		struct sched_param p = {-5};
		char f[64], line[1024];
		int n = 0, prio = 0, nice = 0, rt = 0, policy = 0;
		syscall(SYS_sched_getattr, all[i], &a, sizeof a, 0);
		sched_getparam(all[i], &p);
		errno = 0;
		printf(" [%x %s n%d/%ld p%d/%d f%lx s%d io%lx", sched_getscheduler(all[i]), said(a.policy), a.nice,
			syscall(SYS_getpriority, PRIO_PROCESS, all[i]), a.prio, p.sched_priority, a.flags, a.size, syscall(SYS_ioprio_get, 1, all[i]));
		snprintf(f, sizeof f, i == 1 ? "/proc/%2$d/task/%1$d/stat" : "/proc/%d/stat", all[i], self);
		FILE *s = fopen(f, "r");
		if (s && fgets(line, sizeof line, s)) {
			char *q = strrchr(line, ')');
			for (char *w = strtok(q + 1, " "); w; w = strtok(0, " "), n++) {
				if (n == 15) prio = atoi(w);
				if (n == 16) nice = atoi(w);
				if (n == 37) rt = atoi(w);
				if (n == 38) policy = atoi(w);
			}
		}
		if (s) fclose(s);
		// Linux lets the nice level of a sched_setattr to SCHED_IDLE show here, and nowhere else.
		printf(" stat %d %d %d %d]", policy == 5 ? -1 : prio, nice, rt, policy);
	}
	printf(" group %ld io %lx\n", syscall(SYS_getpriority, PRIO_PGRP, 0), syscall(SYS_ioprio_get, 2, 0));
}

// Values that are allowed and not, out of all ranges.
static const int policies[] = {0, 0, 1, 2, 3, 3, 5, 5, 6, 4, 8, -1, 0x40000000, 0x40000003, 0x40000005, 0x40000001};
static const int prios[] = {0, 0, 0, 0, 1, 50, 99, 100, -1};
static const int nices[] = {0, 1, 2, 3, 5, 7, 10, 19, -1, -20, -100, 100};
static const int ioprios[] = {0, 1, 7, 1 << 13, 2 << 13, (2 << 13) + 4, (2 << 13) + 7, 3 << 13, (3 << 13) + 5, 4 << 13, 7 << 13};
static const unsigned sizes[] = {0, 47, 48, 48, 56, 56, 56, 64, 4096, 4097, 1 << 20};
static const uint64_t flags[] = {0, 0, 0, 0, 1, 2, 8, 0x10, 0x18, 0x19, 0x80, 1ull << 40};

static void set_attr(void) {
	static char page[8192];
	int name, t = target(&name);
	struct attr *a = (struct attr *)page;
	memset(page, 0, sizeof page);
	*a = (struct attr){PICK(sizes), PICK(policies), PICK(flags), PICK(nices), PICK(prios)};
	if (a->size >= 64 && one_in(3)) page[60] = 1;
	if (a->policy == 6) a->runtime = 10000000, a->deadline = 20000000, a->period = one_in(3) ? 1 : 0;
	unsigned size = a->size;
	int fl = one_in(10);
	long r = syscall(SYS_sched_setattr, t, one_in(20) ? 0 : a, fl);
	printf("setattr %d size %u policy %x flags %lx nice %d prio %d: %s size %u\n", name, size, a->policy, a->flags, a->nice, a->prio, said(r), a->size);
}
static void get_attr(void) {
	static char page[8192];
	int name, t = target(&name), size = PICK(sizes), fl = one_in(10);
	memset(page, 'x', sizeof page);
	long r = syscall(SYS_sched_getattr, t, page, size, fl);
	int n = 0;
	while (n < 8192 && page[8191 - n] == 'x') n++;
	printf("getattr %d room %d flags %d: %s %d bytes\n", name, size, fl, said(r), r ? 0 : n > 8192 - 56 ? 8192 - n : 56); // since 6.13 zeros follow
}
static void affinity(void) {
	static cpu_set_t all, one, none, far;
	int name, t = target(&name);
	if (!CPU_COUNT(&all)) {
		sched_getaffinity(0, sizeof all, &all);
		for (int i = 0; !CPU_COUNT(&one); i++) if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
		CPU_SET(1023, &far);
	}
	cpu_set_t *sets[] = {&one, &all, &none, &far, 0}, got;
	int i = below(5), size = one_in(5) ? below(3) : sizeof(cpu_set_t);
	printf("setaffinity %d set %d size %d: %s", name, i, size, said(syscall(SYS_sched_setaffinity, t, size, sets[i])));
	CPU_ZERO(&got);
	long r = syscall(SYS_sched_getaffinity, t, sizeof got, &got);
	printf(" is %s %s\n", r < 0 ? said(r) : "ok", CPU_EQUAL(&got, &one) ? "one" : CPU_EQUAL(&got, &all) ? "all" : "other");
	printf("  sizes %s %s %s\n", said(syscall(SYS_sched_getaffinity, t, 0, &got)), said(syscall(SYS_sched_getaffinity, t, 7, &got)),
		said(syscall(SYS_sched_getaffinity, t, 129, &got)));
}

static void step(void) {
	int name, t = target(&name), v = PICK(nices), p = PICK(policies), which;
	struct sched_param sp = {PICK(prios)};
	struct timespec ts;
	void *bad = one_in(12) ? 0 : one_in(12) ? (void *)8 : &sp;
	switch (below(12)) {
	case 0:
	case 1:
		printf("setscheduler %d %x %d: %s\n", name, p, sp.sched_priority, said(syscall(SYS_sched_setscheduler, t, p, bad)));
		break;
	case 2: printf("setparam %d %d: %s\n", name, sp.sched_priority, said(syscall(SYS_sched_setparam, t, bad))); break;
	case 3:
	case 4: set_attr(); break;
	case 5: get_attr(); break;
	case 6:
		which = one_in(3) ? PRIO_PGRP : one_in(8) ? 3 + below(2) * -4 : PRIO_PROCESS;
		if (which == PRIO_PGRP && name && name < 4) t = 0; // the number of a group that is another's natively
		printf("setpriority %d %d %d: %s\n", which, name, v, said(syscall(SYS_setpriority, which, t, v)));
		break;
	case 7:
		v = PICK(ioprios);
		which = one_in(3) ? 2 : one_in(8) ? below(2) * 4 : 1;
		if (which == 2 && name && name < 4) t = 0;
		printf("ioprio_set %d %d %x: %s\n", which, name, v, said(syscall(SYS_ioprio_set, which, t, v)));
		break;
	case 8: affinity(); break;
	case 9:
		printf("interval %d: %s\n", name, said(syscall(SYS_sched_rr_get_interval, t, one_in(8) ? (void *)8 : &ts)));
		printf("range %d: %s %s\n", p, said(sched_get_priority_min(p)), said(sched_get_priority_max(p)));
		break;
	case 10: new_thread(); printf("thread\n"); break;
	case 11: new_child(); printf("child\n"); break;
	}
}

int main(int argc, char **argv) {
	int sessions = atoi(argv[2]);
	struct rlimit none = {0, 0};
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	setpriority(PRIO_PROCESS, 0, 0);
	syscall(SYS_ioprio_set, 1, 0, 0);
	setrlimit(RLIMIT_NICE, &none);
	setrlimit(RLIMIT_RTPRIO, &none);
	syscall(SYS_capget, &h, d);
	d[0].effective = d[0].permitted = d[0].effective & ~(1 << CAP_SYS_NICE | 1 << CAP_SYS_ADMIN | 1 << CAP_SYS_RESOURCE);
	syscall(SYS_capset, &h, d);
	setvbuf(stdout, 0, _IOFBF, 1 << 16);
	for (int i = 0; i < sessions; i++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			random_state = atoi(argv[1]) * 1000003 + i;
			setpgid(0, 0);
			pipe(quit);
			self = getpid();
			new_thread();
			new_child();
			for (int j = 0; j < 25; j++) { step(); show(); }
			kill(child, SIGKILL);
			fflush(stdout);
			_exit(0);
		}
		waitpid(pid, 0, 0);
		printf("session %d\n", i);
	}
	return 0;
}
