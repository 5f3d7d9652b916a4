package ptrace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// nudge is the signal that ends a wait of the tracing thread. Go's handler for
// it does nothing.
const nudge = unix.SIGIO

// Nudge makes WaitOnce return on the tracing thread tid of this process. Safe
// for any goroutine. One that comes before the wait began is lost.
func Nudge(tid int) { NudgeProcess(unix.Getpid(), tid) }

// NudgeProcess is Nudge from another process than the tracing one, pid.
func NudgeProcess(pid, tid int) { _ = unix.Tgkill(pid, tid, nudge) }

// nudgeable takes SA_RESTART from the signal's handler: waits must end by it.
func nudgeable() (undo func()) {
	const restart = 0x10000000
	var old kernelSigaction
	if !sigaction(nudge, nil, &old) {
		return func() {}
	}
	act := old
	act.flags &^= restart
	if !sigaction(nudge, &act, nil) {
		return func() {}
	}
	return func() { sigaction(nudge, &old, nil) }
}

// WaitOnce is Wait that a nudge ends: the returned id is 0 then.
func WaitOnce(tid int, flags int) (int, Status, error) {
	var ws uint32
	p, e := wait4(tid, &ws, unix.WALL|flags)
	return waited(tid, p, ws, e)
}

// WaitLong is WaitOnce that the Go runtime knows of: it takes the P away and its
// monitor sleeps meanwhile, which costs a wait that ends soon more than it is worth.
func WaitLong(tid int) (int, Status, error) {
	var ws unix.WaitStatus
	p, err := unix.Wait4(tid, &ws, unix.WALL, nil)
	e, _ := err.(unix.Errno)
	return waited(tid, p, uint32(ws), e)
}

func waited(tid, p int, ws uint32, e unix.Errno) (int, Status, error) {
	if e == unix.EINTR {
		return 0, Status{}, nil
	}
	if e != 0 {
		return 0, Status{}, fmt.Errorf("wait4 %d: %w", tid, e)
	}
	return p, Status{unix.WaitStatus(ws)}, nil
}
