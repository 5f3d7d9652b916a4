package syscalls

import "golang.org/x/sys/unix"

const noteName = "The host name is a setting of the run (--hostname): as without CAP_SYS_ADMIN."

// rowsMachine are the identity and state of the computer, and randomness.
func rowsMachine() []Row {
	return []Row{
		emulate(63, "uname", "Release, version and names of the machine that every guest sees, not of the host (normalised)."),
		emulate(99, "sysinfo", "Uptime from the logical clock; memory, load and process count of the machine that every guest sees (eliminated)."),
		emulate(318, "getrandom", "Bytes of a ChaCha8 stream from the run's seed, the same for all flags; never blocks (normalised)."),
		emulate(309, "getcpu", "CPU 0 of node 0, or the first that sched_setaffinity(2) left (eliminated)."),
		absent(334, "rseq", unix.ENOSYS, "Shows the number of the CPU that the thread runs on, in memory, without any call: refused as by a kernel without CONFIG_RSEQ (eliminated). Every thread of the C library tries it, so the filter answers and no report names it."),
		refuse(471, "rseq_slice_yield", unix.ENOSYS, "There is no rseq."),
		refuse(139, "sysfs", unix.ENOSYS, "Lists the file system types of the host's kernel; obsolete, and off by default."),
		refuse(103, "syslog", unix.EPERM, "The host's kernel messages: as with kernel.dmesg_restrict."),
		refuse(170, "sethostname", unix.EPERM, noteName),
		refuse(171, "setdomainname", unix.EPERM, noteName),
	}
}

const (
	noteSched = "Kept for each thread by Linux's rules (limits, owner, CAP_SYS_NICE, inheritance, SCHED_RESET_ON_FORK), beginning with those of a fresh process whatever the caller's are, and shown in /proc. The order of threads does not follow from them (normalised)."
	noteNice  = "Kept for each thread by Linux's rules, beginning with 0 whatever the caller's are; has no effect (normalised)."
	noteRange = "A constant of Linux; of unknown policies the same constant on every kernel (normalised)."
)

// rowsSched are the calls about the kernel's scheduler.
func rowsSched() []Row {
	policies := allowValues(0, 0, 1, 2, 3, 5, 6)
	return []Row{
		schedule(24, "sched_yield", "Gives the turn to the next thread of the run queue (ordered); none where all others wait for what only this one can bring."),
		emulate(203, "sched_setaffinity", "The CPUs are those of --cpus; the mask is kept for each thread. Threads share one CPU all the same; getcpu(2) gives the first of the mask (eliminated)."),
		emulate(204, "sched_getaffinity", "The CPUs are those of --cpus, default one, or what sched_setaffinity(2) left of them (normalised)."),
		emulate(142, "sched_setparam", noteSched),
		emulate(143, "sched_getparam", noteSched),
		emulate(144, "sched_setscheduler", noteSched),
		emulate(145, "sched_getscheduler", noteSched),
		emulate(314, "sched_setattr", noteSched+" Utilisation clamps get EOPNOTSUPP, as without CONFIG_UCLAMP_TASK."),
		emulate(315, "sched_getattr", noteSched),
		emulate(148, "sched_rr_get_interval", "The time slice that the policy would have on the declared machine, not the host's (normalised)."),
		emulate(146, "sched_get_priority_max", noteRange).only(policies, true),
		emulate(147, "sched_get_priority_min", noteRange).only(policies, true),
		emulate(140, "getpriority", noteNice),
		emulate(141, "setpriority", noteNice),
		emulate(252, "ioprio_get", noteNice),
		emulate(251, "ioprio_set", noteNice),
		emulate(324, "membarrier", "One thread runs at a time and every switch is a barrier: barriers need what they need on Linux, a registration of the address space, and do nothing. The query gives a fixed set, without those of rseq (normalised)."),
	}
}
