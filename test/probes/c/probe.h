// Common parts of the probe programs. One executable holds every probe;
// argv[1] selects it. A probe prints what it observed to standard output,
// complains about wrong answers with CHECK (standard error, status 1), and so
// neither a leak nor a constant passes.
#ifndef PROBE_H
#define PROBE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct probe {
	const char *name;
	void (*run)(void);
};

#define PROBE(n)                                                               \
	static void n(void);                                                   \
	static const struct probe entry_##n                                    \
	    __attribute__((section("probes"), used, aligned(8))) = {#n, n};    \
	static void n(void)

extern int failed;      // exit status of the probe
extern int arg_count;   // arguments after the probe's name
extern char **arg_list;
extern char **environ;

void wrong(const char *file, int line, const char *fmt, ...);
#define CHECK(cond, ...)                                                       \
	do {                                                                   \
		if (!(cond))                                                   \
			wrong(__FILE__, __LINE__, #cond ": " __VA_ARGS__);     \
	} while (0)
// MUST ends the probe: later steps make no sense without this one.
#define MUST(cond)                                                             \
	do {                                                                   \
		if (!(cond)) {                                                 \
			wrong(__FILE__, __LINE__, #cond ": %s", strerror(errno)); \
			exit(1);                                               \
		}                                                              \
	} while (0)

const char *errname(int e);
int64_t now(clockid_t id); // ns
int64_t ts_ns(struct timespec t);
struct stat st_of(const char *path); // of the link itself
int64_t mt(const char *path);        // its mtime, ns
void tick(void);                     // lets a tick of the kernel's file times pass
void burn(long rounds);
uint64_t hash_bytes(uint64_t h, const void *p, size_t n);
void show_stat(const char *label, const struct stat *st);
int slurp(const char *path, char *buf, size_t size); // bytes, or -errno
void spit(const char *path, const char *text);
long auxval(unsigned long type); // 0 when absent
void wait_ok(pid_t pid);
#define HASH0 0xcbf29ce484222325ull
#define MS 1000000ll
#define SEC 1000000000ll
#endif
