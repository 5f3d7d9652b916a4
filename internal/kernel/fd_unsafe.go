package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Questions about descriptors that the kernel answers at once: raw, as those of
// package ptrace.

// statxFD asks what fd is, without a question to a file system's server.
func statxFD(fd int, stx *unix.Statx_t) unix.Errno {
	var empty [1]byte
	_, _, e := unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_INO, uintptr(unsafe.Pointer(stx)), 0)
	return e
}

// statusFlags are the flags with which fd is open (F_GETFL), -1 if it is not.
func statusFlags(fd int) int {
	fl, _, e := unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	if e != 0 {
		return -1
	}
	return int(fl)
}

// pollNow reports whether one of the events of fd is there, or an error.
func pollNow(fd int, events int16) bool {
	told, e := pollOne(fd, events)
	return e != 0 || told != 0
}

// pollOne asks for events of fd.
func pollOne(fd int, events int16) (told int16, e unix.Errno) {
	p := unix.PollFd{Fd: int32(fd), Events: events}
	_, _, e = unix.RawSyscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, 0)
	return p.Revents, e
}

// pollAll asks for the events of all at once, waiting ms milliseconds at most.
func pollAll(fds []unix.PollFd, ms int) (n int, e unix.Errno) {
	if len(fds) == 0 {
		return 0, 0
	}
	if ms == 0 {
		r, _, e := unix.RawSyscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), 0)
		return int(r), e
	}
	r, _, e := unix.Syscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(ms))
	return int(r), e
}
