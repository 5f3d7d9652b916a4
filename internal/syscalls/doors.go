package syscalls

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/door"
)

// For is the table of a run with the given doors open. With threads-native the
// kernel orders threads, so calls that stop only for the sake of order do not,
// nor do those that wait: what still stops carries a value of the host, or a
// limit of time on the logical clock. Refused rows stay refused.
//
// The rows are not the caller's to change.
func For(open door.Set) []Row {
	if !open.Threads {
		return table()
	}
	rows := Table()
	filters := concurrent()
	if !open.Time {
		for name, f := range limited() {
			filters[name] = f
		}
	}
	for i := range rows {
		if f, ok := filters[rows[i].Name]; ok && rows[i].Class != Refuse {
			rows[i].Filter = f
		}
	}
	return rows
}

// concurrent are the filters with threads-native.
func concurrent() map[string]Filter {
	fs := map[string]Filter{}
	for _, name := range []string{
		"futex", "futex_waitv", "futex_wake", "futex_wait", "futex_requeue", "sched_yield",
		"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2",
		"signalfd", "signalfd4", "pause", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigpending", "restart_syscall",
		"wait4", "waitid", "flock", "accept", "accept4", "listen", "shutdown", "getsockname", "getpeername",
		"recvfrom", "recvmsg", "recvmmsg",
		"semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl",
		"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr",
		"nanosleep", "clock_nanosleep", "alarm", "getitimer", "setitimer",
		"timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete",
		"timerfd_create", "timerfd_settime", "timerfd_gettime",
		"open", "openat", "openat2", "creat",
		"access", "faccessat", "faccessat2", "getppid", "getpgid", "getsid", "pidfd_open",
		"truncate", "ftruncate", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat",
		"unlink", "unlinkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2",
		"utime", "utimes", "futimesat", "utimensat", "fallocate",
		"gettimeofday", "time", "clock_gettime", "times", "getrusage",
	} {
		fs[name] = Filter{Default: Allow}
	}
	kill := func(arg int) Filter { return traceIf(Cond{arg, low32, uint64(unix.SIGKILL)}) }
	fs["kill"], fs["tkill"], fs["tgkill"] = kill(1), kill(1), kill(2)
	fs["rt_sigqueueinfo"], fs["rt_tgsigqueueinfo"], fs["pidfd_send_signal"] = kill(1), kill(2), kill(1)
	fs["fcntl"] = fcntl().Filter
	for _, cmd := range []uint64{unix.F_SETLK, unix.F_SETLKW, unix.F_GETLK, unix.F_OFD_SETLK, unix.F_OFD_SETLKW, unix.F_OFD_GETLK} {
		f := fs["fcntl"]
		f.Rules = append(f.Rules, Rule{[]Cond{{1, low32, cmd}}, Allow})
		fs["fcntl"] = f
	}
	return fs
}

// limited are the filters of the calls that stop all the same where the clock
// is logical: those that read it or set times by it, and those that wait for a
// limited time.
func limited() map[string]Filter {
	fs := map[string]Filter{}
	for _, name := range []string{
		"nanosleep", "clock_nanosleep", "alarm", "setitimer", "timer_settime", "timerfd_settime",
		"wait4", "waitid", "semctl", "msgctl",
		"gettimeofday", "time", "clock_gettime", "times", "getrusage",
		"truncate", "ftruncate", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat",
		"unlink", "unlinkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2",
		"utime", "utimes", "futimesat", "utimensat", "fallocate",
	} {
		fs[name] = Filter{Default: Trace}
	}
	for name, arg := range map[string]int{ // of a pointer to the time
		"ppoll": 2, "select": 4, "pselect6": 4, "epoll_pwait2": 3, "rt_sigtimedwait": 2, "semtimedop": 3,
		"futex_waitv": 3, "futex_wait": 4, "mq_timedsend": 4, "mq_timedreceive": 4,
	} {
		fs[name] = allowIf(Cond{arg, ^uint64(0), 0})
	}
	for name, arg := range map[string]int{"poll": 2, "epoll_wait": 3, "epoll_pwait": 3} { // of milliseconds
		fs[name] = allowValues(arg, 0, low32)
	}
	const futexCommand = 0x7f // without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME
	futex := Filter{Allow, []Rule{{[]Cond{{3, ^uint64(0), 0}}, Allow}}}
	for _, op := range []uint64{futexWait, futexLockPI, futexWaitBitset, futexWaitRequeuePI, futexLockPI2} {
		futex.Rules = append(futex.Rules, Rule{[]Cond{{1, futexCommand, op}}, Trace})
	}
	fs["futex"] = futex
	return fs
}

// Commands of futex(2) that wait, for up to the time in their fourth argument.
const (
	futexWait          = 0
	futexLockPI        = 6
	futexWaitBitset    = 9
	futexWaitRequeuePI = 11
	futexLockPI2       = 13
)
