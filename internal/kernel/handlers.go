package kernel

// handlers maps call names to what answers them at their entry. Rows of the
// policy table that stop but are missing here are refused.
func handlers() map[string]handler {
	h := map[string]handler{}
	add := func(f handler, names ...string) {
		for _, n := range names {
			h[n] = f
		}
	}
	// files
	add(sysRead, "read", "readv", "pread64", "preadv", "preadv2")
	add(sysWrite, "write", "writev", "pwrite64", "pwritev", "pwritev2")
	add(sysOpen, "open", "openat", "openat2", "creat")
	add(sysMknod, "mknod", "mknodat")
	add(sysStat, "stat", "lstat", "fstat", "newfstatat")
	add(sysStatx, "statx")
	add(sysStatfs, "statfs", "fstatfs")
	add(sysReadlink, "readlink", "readlinkat")
	add(sysGetdents, "getdents", "getdents64")
	add(sysIoctl, "ioctl")
	add(sysFcntl, "fcntl")
	add(sysFlock, "flock")
	add(sysChown, "chown", "lchown", "fchown", "fchownat")
	add(sysGetxattr, "getxattr", "lgetxattr", "fgetxattr")
	add(sysSplice, "splice", "tee")
	add(sysVmsplice, "vmsplice")
	add(sysSendfile, "sendfile")
	add(sysCopyFileRange, "copy_file_range")
	add(sysMmap, "mmap")
	add(sysMremap, "mremap")
	add(sysMunmap, "munmap")
	add(sysMprotect, "mprotect")
	add(sysBrk, "brk")
	add(sysMemfdCreate, "memfd_create")
	add(sysMadvise, "madvise")
	add(passCall, "lseek", "ftruncate", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync",
		"pipe", "pipe2", "socketpair", "eventfd", "eventfd2", "epoll_create", "epoll_create1",
		"inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
		"pidfd_open", "execveat", "setpgid", "setsid", "rt_sigpending",
		"listxattr", "llistxattr", "flistxattr",
		"access", "faccessat", "faccessat2", "close_range", "fallocate")
	// processes
	add(sysFork, "fork", "vfork")
	add(sysClone, "clone")
	add(sysClone3, "clone3")
	add(sysExecve, "execve", "execveat")
	add(sysExit, "exit")
	add(sysWait, "wait4", "waitid")
	add(sysUnshare, "unshare", "setns")
	add(sysPrctl, "prctl")
	add(sysArchPrctl, "arch_prctl")
	add(sysPrlimit, "prlimit64", "setrlimit", "getrlimit")
	add(sysSetid, "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid")
	add(sysGetgroups, "getgroups")
	add(sysSetgroups, "setgroups")
	// signals
	add(sysKill, "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
	add(sysSigaction, "rt_sigaction")
	add(sysSigsuspend, "pause", "rt_sigsuspend")
	add(sysSigtimedwait, "rt_sigtimedwait")
	add(sysRestart, "restart_syscall")
	// time
	add(sysClockGettime, "clock_gettime")
	add(sysClockGetres, "clock_getres")
	add(sysGettimeofday, "gettimeofday")
	add(sysTime, "time")
	add(sysTimes, "times")
	add(sysGetrusage, "getrusage")
	add(sysAdjtimex, "adjtimex", "clock_adjtime")
	add(sysNanosleep, "nanosleep", "clock_nanosleep")
	add(sysAlarm, "alarm")
	add(sysSetitimer, "setitimer")
	add(sysGetitimer, "getitimer")
	add(sysTimerfdCreate, "timerfd_create")
	add(sysTimerfdSettime, "timerfd_settime")
	add(sysTimerfdGettime, "timerfd_gettime")
	add(sysTimerCreate, "timer_create")
	add(sysTimerSettime, "timer_settime")
	add(sysTimerGettime, "timer_gettime")
	add(sysTimerGetoverrun, "timer_getoverrun")
	add(sysTimerDelete, "timer_delete")
	// waiting
	add(sysPoll, "poll", "ppoll", "select", "pselect6")
	add(sysEpollCtl, "epoll_ctl")
	add(sysEpollWait, "epoll_wait", "epoll_pwait", "epoll_pwait2")
	add(sysSignalfd, "signalfd", "signalfd4")
	add(sysFutex, "futex")
	add(sysFutexWaitv, "futex_waitv")
	add(sysFutexWake, "futex_wake")
	add(sysFutexWait, "futex_wait")
	add(sysFutexRequeue, "futex_requeue")
	add(sysSchedYield, "sched_yield")
	// System V objects, POSIX message queues
	add(sysSemget, "semget")
	add(sysSemop, "semop", "semtimedop")
	add(sysSemctl, "semctl")
	add(sysMsgget, "msgget")
	add(sysMsgsnd, "msgsnd")
	add(sysMsgrcv, "msgrcv")
	add(sysMsgctl, "msgctl")
	add(sysShmget, "shmget")
	add(sysShmat, "shmat")
	add(sysShmdt, "shmdt")
	add(sysShmctl, "shmctl")
	add(sysMqTimedreceive, "mq_timedreceive")
	add(sysMqTimedsend, "mq_timedsend")
	add(sysMqNotify, "mq_notify")
	// identity and machine
	add(sysUname, "uname")
	add(sysSysinfo, "sysinfo")
	add(sysSchedGetaffinity, "sched_getaffinity")
	add(sysSchedSetaffinity, "sched_setaffinity")
	add(sysGetcpu, "getcpu")
	add(sysGetpriority, "getpriority")
	add(sysSetpriority, "setpriority")
	add(sysIoprioGet, "ioprio_get")
	add(sysIoprioSet, "ioprio_set")
	add(sysSchedSetscheduler, "sched_setscheduler")
	add(sysSchedGetscheduler, "sched_getscheduler")
	add(sysSchedSetparam, "sched_setparam")
	add(sysSchedGetparam, "sched_getparam")
	add(sysSchedSetattr, "sched_setattr")
	add(sysSchedGetattr, "sched_getattr")
	add(sysSchedRRGetInterval, "sched_rr_get_interval")
	add(sysSchedPriorityRange, "sched_get_priority_max", "sched_get_priority_min")
	add(sysMincore, "mincore")
	add(sysPersonality, "personality")
	add(sysGetrandom, "getrandom")
	add(sysMembarrier, "membarrier")
	// sockets
	add(sysSocket, "socket")
	add(sysBind, "bind")
	add(sysListen, "listen")
	add(sysAccept, "accept", "accept4")
	add(sysConnect, "connect")
	add(sysGetsockname, "getsockname", "getpeername")
	add(sysShutdown, "shutdown")
	add(sysRecv, "recvfrom", "recvmsg", "recvmmsg")
	add(sysSend, "sendto", "sendmsg", "sendmmsg")
	add(sysGetsockopt, "getsockopt")
	add(sysSetsockopt, "setsockopt")
	return h
}

// passCall is for calls that stop only to count as an event.
func passCall(*Kernel, *Task) verdict { return pass }
