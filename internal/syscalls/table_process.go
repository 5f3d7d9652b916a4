package syscalls

import "golang.org/x/sys/unix"

const (
	noteFork = "The new process id is the next of a namespace of our own, which wraps at a limit of ours; the child runs when the run queue says. The birth itself is the event, reported by ptrace."
	noteRoom = " Where the host has no room for it while the guest has, the run ends."
	noteExec = "The new image gets our vDSO, fixed auxiliary vector and seeded AT_RANDOM before its first instruction; addresses are not randomised."
	noteWait = "Parks until a child changes; which one is told first follows from the order of deaths, which is the run queue's. rusage is logical: no real CPU time, faults or switches (ordered, normalised)."
)

// rowsProcess are birth, death, waiting and process attributes.
func rowsProcess() []Row {
	clone := adjust(56, "clone", noteFork+noteRoom+" The call stops to see a failure, no more; a birth of the guest's ends in its event. What fork(3) asks for is made by the fast paths without that stop, and stops where it fails. CLONE_UNTRACED and CLONE_PTRACE, by which a child would escape, are cleared; new namespaces get EPERM.")
	clone.Errno = unix.EPERM
	clone.Filter = cloneFilter()
	return []Row{
		clone,
		adjust(435, "clone3", noteFork+" Its arguments are in memory, so it always stops: they are checked as those of clone(2), and no other thread can change them then, but with `--allow threads-native`.").withErrno(unix.ENOSYS),
		adjust(57, "fork", noteFork+noteRoom).only(Filter{Default: Look}, false),
		adjust(58, "vfork", noteFork+" The parent stays stopped until the child executes or dies. The fast paths make it without a stop, unless it fails."+noteRoom).only(Filter{Default: Look}, false),
		counted(59, "execve", noteExec),
		counted(322, "execveat", noteExec),
		counted(60, "exit", "The death is reported by ptrace and handled in order: zombies, SIGCHLD and clear_child_tid. It stops because the kernel does not report a leader's death while other threads live."),
		native(231, "exit_group", "As exit(2); the deaths of the other threads are all waited for before anything goes on."),
		schedule(61, "wait4", noteWait),
		schedule(247, "waitid", noteWait),
		native(218, "set_tid_address", "Thread ids are the namespace's. The word is cleared at the death, in order."),
		native(273, "set_robust_list", "A pointer of the thread's own; used at its death, in order."),
		native(274, "get_robust_list", "As set_robust_list(2)."),
		counted(434, "pidfd_open", "Refers to a process of the container; its readiness is the death, which is ordered. The inode number is hidden by fstat."),
		refuse(438, "pidfd_getfd", unix.EPERM, "Takes a descriptor out of another process behind its back: as without ptrace access."),
		refuse(101, "ptrace", unix.EPERM, "A process has one tracer and that is the supervisor: what Linux answers for a process that is traced already. Debuggers are not supported yet."),
		refuse(310, "process_vm_readv", unix.ENOSYS, "Reads another process while it runs: refused as by a kernel without CONFIG_CROSS_MEMORY_ATTACH."),
		refuse(311, "process_vm_writev", unix.ENOSYS, "Writes another process while it runs: as process_vm_readv(2)."),
		refuse(312, "kcmp", unix.ENOSYS, "Orders kernel objects by their (scrambled) addresses: pure entropy of the host."),
		adjust(157, "prctl", "PR_SET_NAME and PR_GET_NAME go through. Capabilities, dumpable, no_new_privs, parent-death signal and subreaper are checked and passed on. PR_SET_TSC, PR_SET_SECCOMP, speculation and CPU features would undo what holds the container or show the CPU: EINVAL.").
			withErrno(unix.EINVAL).only(allowValues(0, unix.PR_SET_NAME, unix.PR_GET_NAME), true),
		emulate(158, "arch_prctl", "FS and GS bases go through (thread-local storage). ARCH_SET_CPUID, ARCH_GET_CPUID, shadow stacks, tagged addresses and XSAVE permissions depend on the CPU: EINVAL, as on one without.").
			withErrno(unix.EINVAL).only(allowValues(0, 0x1001, 0x1002, 0x1003, 0x1004), true), // ARCH_{SET_GS,SET_FS,GET_FS,GET_GS}
		emulate(135, "personality", "Asking gives PER_LINUX; ADDR_NO_RANDOMIZE, which is really on, is hidden, and may be set to no effect. Others would change addresses or uname: EINVAL (normalised).").withErrno(unix.EINVAL),
		refuse(317, "seccomp", unix.EINVAL, "A filter of the guest's own could answer or forge the stops of ours (the newest filter's data wins, a notification outranks a trace): refused as by a kernel without CONFIG_SECCOMP_FILTER."),
		refuse(272, "unshare", unix.EPERM, "New namespaces are refused, as where user namespaces are switched off. Unsharing file descriptors, directories and semaphore undo is the kernel's.").
			only(allowIf(Cond{0, ^uint64(unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SYSVSEM), 0}), true),
		refuse(308, "setns", unix.EPERM, "There is no other namespace that the guest may enter."),
		adjust(97, "getrlimit", "Limits are fixed by us, not inherited, so the kernel answers (normalised); only those that are recorded stop, see setrlimit(2).").
			only(Filter{Allow, recordedLimits(0)}, true),
		adjust(160, "setrlimit", "Kept by the kernel. RLIMIT_CPU and RLIMIT_RTTIME count real time there, so they are only recorded (eliminated). RLIMIT_NPROC and RLIMIT_SIGPENDING start with the figures of the declared machine, not the host's hard limits, and the kernel learns of lower ones (normalised); RLIMIT_RSS and RLIMIT_LOCKS mean nothing to Linux."),
		// A query about oneself: pid 0 and no new limit.
		adjust(302, "prlimit64", "Limits are fixed by us, not inherited; queries about oneself do not stop. Setting as setrlimit(2).").
			only(Filter{Trace, append(recordedLimits(1), Rule{[]Cond{{0, low32, 0}, {2, ^uint64(0), 0}}, Allow})}, true),
	}
}

// rlimitRTTime is RLIMIT_RTTIME, which x/sys does not name.
const rlimitRTTime = 15

// recordedLimits stops for the limits that are not the kernel's; arg is the
// argument that says which.
func recordedLimits(arg int) []Rule {
	var out []Rule
	for _, resource := range []uint64{unix.RLIMIT_CPU, rlimitRTTime, unix.RLIMIT_RSS, unix.RLIMIT_LOCKS, unix.RLIMIT_NPROC, unix.RLIMIT_SIGPENDING} {
		out = append(out, Rule{[]Cond{{arg, low32, resource}}, Trace})
	}
	return out
}

// cloneFilter only looks at what fork(3), vfork(3) and posix_spawn(3) do: a
// process that signals its end by SIGCHLD, whose birth is the event. The kernel of clone(2) ignores the
// upper half of flags; one that is not zero stops.
func cloneFilter() Filter {
	const (
		tids  = unix.CLONE_CHILD_SETTID | unix.CLONE_CHILD_CLEARTID | unix.CLONE_PARENT_SETTID | unix.CLONE_SETTLS
		vfork = unix.CLONE_VM | unix.CLONE_VFORK
	)
	return Filter{Trace, []Rule{
		{[]Cond{{0, ^uint64(tids), uint64(unix.SIGCHLD)}}, Look},
		{[]Cond{{0, ^uint64(tids), vfork | uint64(unix.SIGCHLD)}}, Look},
	}}
}
