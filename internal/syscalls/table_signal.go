package syscalls

import "golang.org/x/sys/unix"

const noteKill = "The target sees the signal at its next event, in order; of a process-directed one the supervisor chooses the thread as Linux would with all threads running. kill with signal 0 is a poll (ordered)."

// rowsSignal are sending, handling and waiting for signals.
func rowsSignal() []Row {
	return []Row{
		// Only the disposition of SIGSEGV is watched: a trapped rdtsc is one, and
		// the kernel resets a blocked or ignored disposition before we see it.
		native(13, "rt_sigaction", "The process's own table. The disposition of SIGSEGV is mirrored, since a trapped rdtsc may reset it.").
			only(traceIf(Cond{0, low32, uint64(unix.SIGSEGV)}), false),
		native(14, "rt_sigprocmask", "The thread's own mask; what it unblocks is delivered at once."),
		native(15, "rt_sigreturn", "Restores the frame that the signal made. Assumed stable: the frame's size follows the CPU's XSAVE area."),
		native(131, "sigaltstack", "The thread's own. Assumed stable: on CPUs with very large registers the kernel asks for more than MINSIGSTKSZ."),
		counted(127, "rt_sigpending", "What is pending follows from past events; a poll, so an event."),
		schedule(34, "pause", "Parks the thread until a signal comes."),
		schedule(130, "rt_sigsuspend", "Parks the thread, under its temporary mask, until a signal comes."),
		schedule(128, "rt_sigtimedwait", "Parks until one of the signals is pending or the logical clock reaches the timeout."),
		schedule(62, "kill", noteKill),
		schedule(200, "tkill", noteKill),
		schedule(234, "tgkill", noteKill),
		schedule(129, "rt_sigqueueinfo", noteKill),
		schedule(297, "rt_tgsigqueueinfo", noteKill),
		schedule(424, "pidfd_send_signal", noteKill),
		emulate(219, "restart_syscall", "Waits are restarted by the supervisor with the time that is left on the logical clock, so the kernel has none to restart: EINTR, as Linux answers then.").withErrno(unix.EINTR),
	}
}
