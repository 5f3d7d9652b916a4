// A random tree of processes, made from a seed, for the test of that name. What
// a process does has one right result on Linux, whatever the order in which
// processes run: R notes it. What depends on the order goes to race.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// An op is one thing that a process of the tree does.
typedef void op(void);
op op_pipe, op_big_pipe, op_kill, op_stop, op_group, op_session, op_eintr, op_restart, op_interval, op_timerfd,
	op_posix_timer, op_poll, op_epoll, op_edge, op_select, op_signalfd, op_epoll_signalfd, op_pidfd, op_vfork, op_spawn,
	op_exec_thread, op_threads, op_mutex, op_exit_group, op_leader, op_orphan, op_reaper, op_pdeath, op_exec_mask,
	op_flock, op_fcntl, op_fifo, op_rights, op_queue, op_sigwait, op_sigchld, op_autoreap, op_massacre, op_tty,
	op_async, op_mask, op_nested, op_barrier, op_wait_any, op_wait_thread, op_stop_group, op_sockets, op_pump,
	op_clone_parent, op_shared, op_sleepers, op_timeouts, op_kill_vfork, op_tty_stop, op_jobs;

extern char dir[256], self[256];
extern int depth;

void R(const char *fmt, ...);
void race(const char *fmt, ...);
uint32_t rnd(uint32_t n);
void ms(int n);
int64_t now(void);

// child makes a process in a random way; it logs under its own name.
pid_t child(const char *name);
// reap waits for a child in a random way and gives its wait status.
int reap(pid_t p);
// handle installs a handler that counts in caught; flags as in sigaction(2).
void handle(int sig, int flags);
extern volatile int caught[65];
void block(int sig), unblock(int sig);
// tell and await pass one byte through a pipe.
void tell(int fd);
int await(int fd);
void fail(const char *what);
#define MUST(x) do { if (!(x)) fail(#x); } while (0)
const char *err(long r);
void again(char *const argv[]);
