package syscalls

import "golang.org/x/sys/unix"

const (
	notePid   = "Process ids are those of a namespace of our own, counted up by deterministic births; no stop."
	notePeer  = "About oneself it does not stop. About another process it tells whether that one still lives: counted as an event."
	noteUser  = "The user database is the container's, ids are mapped; the same for every user who runs dettrace."
	noteSetID = "With subordinate ids the kernel does it. With one mapped id the change of ids cannot be had from the kernel: refused with EPERM and reported."
)

// rowsIdentity are process ids, sessions, users and capabilities.
func rowsIdentity() []Row {
	self := allowIf(Cond{0, low32, 0})
	return []Row{
		native(39, "getpid", notePid),
		native(186, "gettid", notePid),
		counted(110, "getppid", "The parent's id, or 1 when it died: a poll for its death, so an event."),
		native(111, "getpgrp", notePid),
		native(109, "setpgid", notePid),
		counted(121, "getpgid", notePeer).only(self, true),
		counted(124, "getsid", notePeer).only(self, true),
		native(112, "setsid", notePid),
		native(102, "getuid", noteUser),
		native(104, "getgid", noteUser),
		native(107, "geteuid", noteUser),
		native(108, "getegid", noteUser),
		native(118, "getresuid", noteUser),
		native(120, "getresgid", noteUser),
		adjust(115, "getgroups", "With one mapped id the caller's own supplementary groups would show as 65534: the list is that of the container's user (normalised)."),
		adjust(116, "setgroups", "With one mapped id, where the kernel allows no change, it changes the list that getgroups(2) and /proc show (normalised)."),
		adjust(105, "setuid", noteSetID).withErrno(unix.EPERM),
		adjust(106, "setgid", noteSetID).withErrno(unix.EPERM),
		adjust(113, "setreuid", noteSetID).withErrno(unix.EPERM),
		adjust(114, "setregid", noteSetID).withErrno(unix.EPERM),
		adjust(117, "setresuid", noteSetID).withErrno(unix.EPERM),
		adjust(119, "setresgid", noteSetID).withErrno(unix.EPERM),
		adjust(122, "setfsuid", noteSetID).withErrno(unix.EPERM),
		adjust(123, "setfsgid", noteSetID).withErrno(unix.EPERM),
		native(125, "capget", "The capabilities are a fixed set of ours, whoever runs dettrace."),
		native(126, "capset", "As capget(2); they can only shrink."),
	}
}
