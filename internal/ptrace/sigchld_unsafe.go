package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelSigaction is the struct of rt_sigaction(2) on x86-64.
type kernelSigaction struct {
	handler, flags, restorer, mask uint64
}

// muteSIGCHLD keeps the kernel from sending a SIGCHLD for every stop of a
// tracee: Go's runtime has a handler for it, and a signal frame written and
// taken down again costs up to a fifth of a stop. SIG_DFL, not SIG_IGN: an ignored
// SIGCHLD would also reap the children that are not traced (do_notify_parent,
// kernel/signal.c). wait4 is woken without any signal.
func muteSIGCHLD() (undo func()) {
	const nocldstop = 1
	act := kernelSigaction{flags: nocldstop}
	var old kernelSigaction
	if !sigaction(unix.SIGCHLD, &act, &old) {
		return func() {}
	}
	return func() { sigaction(unix.SIGCHLD, &old, nil) }
}

func sigaction(sig unix.Signal, act, old *kernelSigaction) bool {
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	return e == 0
}
