package syscalls

import "golang.org/x/sys/unix"

// Notes shared by the calls that move data through a descriptor. The class of
// the object is found by fstat(2), never by path.
const (
	noteRead = "A regular file on our file system: the kernel reads it. Pipes, sockets, ttys, eventfds: the thread is parked until there is data, so the order of readers is the run queue's (ordered). /proc, random and character devices: the content is ours (normalised)."
	noteWrt  = "A regular file on our file system: the kernel writes, mtime is the logical clock. A full pipe, socket or tty parks the thread; writes reach the other end in run-queue order (ordered)."
	noteMove = "Between files of our file system and pipes: parked until the pipe is ready, then made without blocking (ordered). With a socket, a device or a file of /proc: EINVAL, and callers read and write instead."
	noteAIO  = "Completes at a moment of the kernel's choosing, outside the one running thread: refused as by a kernel without CONFIG_AIO."
)

// rowsIO are the calls on open descriptors.
func rowsIO() []Row {
	return []Row{
		schedule(0, "read", noteRead),
		schedule(1, "write", noteWrt),
		schedule(17, "pread64", noteRead),
		schedule(18, "pwrite64", noteWrt),
		schedule(19, "readv", noteRead),
		schedule(20, "writev", noteWrt),
		schedule(295, "preadv", noteRead),
		schedule(296, "pwritev", noteWrt),
		schedule(327, "preadv2", noteRead+" RWF_NOWAIT would tell what is in the page cache: answered as if all were."),
		schedule(328, "pwritev2", noteWrt),
		schedule(40, "sendfile", noteMove),
		schedule(275, "splice", noteMove),
		schedule(276, "tee", noteMove),
		refuse(278, "vmsplice", unix.EINVAL, "Maps memory that goes on changing into a pipe: EINVAL, and callers write instead."),
		schedule(326, "copy_file_range", "Whether the host's file system can share blocks must not show: on our file system the data is copied, with mtime from the logical clock; other descriptors as read(2) and write(2) (normalised)."),

		native(3, "close", "The lowest free number comes back into use: a function of the process's own past. A closed pipe end wakes its peer through the readiness the supervisor watches."),
		native(436, "close_range", "As close(2) for a range; descriptor numbers are the process's own."),
		native(32, "dup", "The lowest free descriptor: deterministic."),
		native(33, "dup2", "The number is the caller's."),
		native(292, "dup3", "The number is the caller's."),
		native(8, "lseek", "The offset is the caller's; sizes, holes and directory cookies come from our file system and not from the host's."),
		native(22, "pipe", "The two lowest free descriptors; the pipe's inode number, a counter of the host, is hidden by fstat and readlink."),
		native(293, "pipe2", "As pipe(2)."),
		fcntl(),
		ioctl(),
		schedule(73, "flock", "A lock that is taken parks the thread; waiters get it in the order they came (ordered)."),

		native(74, "fsync", "Reaches our file system's server at most: nothing to see, and no host disk is waited for."),
		native(75, "fdatasync", "As fsync(2)."),
		native(277, "sync_file_range", "As fsync(2)."),
		native(306, "syncfs", "As fsync(2); for a descriptor of ours it ends at our server."),
		emulate(162, "sync", "Would flush every disk of the host, however long that takes: answered at once, our files need no flushing."),
		native(187, "readahead", "Only a hint to the page cache, which no call of the guest can see."),
		native(221, "fadvise64", "As readahead(2)."),
		counted(285, "fallocate", "Space and modes are our file system's, not the host's; ticks the clock, as mtime changes."),

		refuse(206, "io_setup", unix.ENOSYS, noteAIO),
		refuse(207, "io_destroy", unix.ENOSYS, noteAIO),
		refuse(208, "io_getevents", unix.ENOSYS, noteAIO),
		refuse(209, "io_submit", unix.ENOSYS, noteAIO),
		refuse(210, "io_cancel", unix.ENOSYS, noteAIO),
		refuse(333, "io_pgetevents", unix.ENOSYS, noteAIO),
		refuse(425, "io_uring_setup", unix.ENOSYS, "Kernel threads work on the ring in parallel with the guest, unseen by any filter: refused as by a kernel without CONFIG_IO_URING."),
		refuse(426, "io_uring_enter", unix.ENOSYS, "There is no ring (io_uring_setup is refused)."),
		refuse(427, "io_uring_register", unix.ENOSYS, "There is no ring (io_uring_setup is refused)."),
	}
}

// fcntl stops but for the commands that only touch the descriptor itself.
// F_SETFL with O_ASYNC stops too: it asks the kernel for signals.
func fcntl() Row {
	f := allowValues(1, unix.F_DUPFD, unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_DUPFD_CLOEXEC)
	f.Rules = append(f.Rules, Rule{[]Cond{{1, low32, unix.F_SETFL}, {2, unix.O_ASYNC, 0}}, Allow})
	return Row{Nr: 72, Name: "fcntl", Class: Schedule, Event: true, Errno: unix.EINVAL, Filter: f,
		Note: "Flags and duplicates are the kernel's (no stop). Locks park their waiters in order (ordered). O_ASYNC gives SIGIO in the call that causes it (ordered). F_SETSIG, F_NOTIFY, F_SETLEASE are refused with EINVAL. F_GETPIPE_SZ and F_SETPIPE_SZ do not depend on the host's pipe limits (normalised)."}
}

// Requests of asm-generic/ioctls.h that x/sys does not name.
const (
	fionbio  = 0x5421
	fionclex = 0x5450
	fioclex  = 0x5451
)

func ioctl() Row {
	return Row{Nr: 16, Name: "ioctl", Class: Adjust, Event: true, Errno: unix.ENOTTY,
		Filter: allowValues(1, unix.TCGETS, fioclex, fionclex, fionbio),
		Note:   "Known requests only: terminal settings, window size and job control of the guest's own ttys, FIONREAD (a poll, so an event), FIOASYNC of pipes and sockets, those of netdevice(7) with the one interface lo, FICLONE as our file system answers it. Everything else could reach a device or a counter of the host: ENOTTY, and reported."}
}
