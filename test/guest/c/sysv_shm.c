// System V shared memory: attach, detach, what fork, exec and exit do to the
// counts, and the files of /proc/sysvipc. Says the same natively.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : ""); fflush(stdout); }

static void stat_of(int id) {
	struct shmid_ds d;
	if (shmctl(id, IPC_STAT, &d)) { show("stat", -1); return; }
	printf("size %zu attached %lu creator %d last %d atime %d dtime %d ctime %d\n", d.shm_segsz, d.shm_nattch, d.shm_cpid == getpid(),
	       d.shm_lpid == getpid(), d.shm_atime != 0, d.shm_dtime != 0, d.shm_ctime != 0);
	fflush(stdout);
}

// The line of an object in its file of /proc/sysvipc, without what the host
// or the user decide.
static void file(const char *name, int id) {
	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/sysvipc/%s", name);
	FILE *f = fopen(path, "r");
	while (fgets(line, sizeof line, f)) {
		int key, i;
		unsigned mode;
		long a, b;
		if (sscanf(line, "%d %d %o %ld %ld", &key, &i, &mode, &a, &b) == 5 && i == id)
			printf("%s: %zu bytes, mode %o, %ld\n", name, strlen(line), mode, a);
	}
	fclose(f);
}

int main(void) {
	show("no key", shmget(0x7e570003, 10, 0));
	show("empty", shmget(IPC_PRIVATE, 0, 0600));
	show("hole", (long)shmat(-1, 0, 0));
	int id = shmget(IPC_PRIVATE, 5000, 0600);
	stat_of(id);
	char *a = shmat(id, 0, 0), *b = shmat(id, 0, SHM_RDONLY);
	strcpy(a, "shared");
	printf("%s\n", b);
	stat_of(id);
	if (fork() == 0) { strcpy(a, "child"); stat_of(id); _exit(0); }
	wait(0);
	stat_of(id);
	printf("%s\n", b);
	if (fork() == 0) { execl("/bin/true", "true", (char *)0); _exit(1); }
	wait(0);
	stat_of(id);
	show("detach", shmdt(b));
	show("again", shmdt(b));
	stat_of(id);
	file("shm", id);
	int s = semget(IPC_PRIVATE, 3, 0640), q = msgget(IPC_PRIVATE, 0604);
	msgsnd(q, &(struct { long t; char c[4]; }){1, "abc"}, 4, 0);
	file("sem", s);
	file("msg", q);
	semctl(s, 0, IPC_RMID);
	msgctl(q, IPC_RMID, 0);
	show("remove", shmctl(id, IPC_RMID, 0));
	printf("%s\n", a);
	stat_of(id);
	show("detach", shmdt(a));
	stat_of(id);
	return 0;
}
