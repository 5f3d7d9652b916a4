package fuse

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls that the runtime does not know of. Of one that it knows, it takes the P
// away whenever its monitor happens to see it 10 ms after the goroutine was last
// scheduled (retake in runtime/proc.go, Go 1.26), and then that monitor looks
// every 20 us for a while: more work than all requests of a guest that
// computes. A goroutine in a raw call does not stop for the collector, so none
// of these may last: the read and the write do not wait, and the signal that asks
// a goroutine to stop ends the poll.

// patience is how long await waits at most without coming back into Go, in ns.
const patience = 9_000_000

// patienceTimes is how often it does in a row: after that no request is expected, and
// what the monitor does when it takes the P away is less than the wake-ups of await.
const patienceTimes = 3

// await waits for a while until there may be something to read. Its caller is in
// a loop: at the beginning of each call, which needs a frame and is not inlined, the
// goroutine stops if it was asked to.
//
//go:noinline
func await(fd int) error {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	ts := unix.Timespec{Nsec: patience}
	_, _, e := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 && e != unix.EINTR {
		return e
	}
	return nil
}

// awaitLong waits until there may be something to read. The runtime knows of it: its
// monitor sleeps, too, when nothing else is to be done.
func awaitLong(fd int) error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
	if err == unix.EINTR {
		return nil
	}
	return err
}

func rawRead(fd int, b []byte) (int, error) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func rawWrite(fd int, b []byte) error {
	_, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if e != 0 {
		return syscall.Errno(e)
	}
	return nil
}

// rawSplice moves n bytes of a pipe to fd, without waiting.
func rawSplice(pipe, fd, n int) (int, error) {
	k, _, e := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(pipe), 0, uintptr(fd), 0, uintptr(n), unix.SPLICE_F_NONBLOCK)
	if e != 0 {
		return 0, e
	}
	return int(k), nil
}
