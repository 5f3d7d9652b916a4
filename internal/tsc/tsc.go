// Package tsc takes the time stamp counter away from threads of ours.
//
// The counter of every guest thread traps (PR_SET_TSC(2const)). That is a bit
// of the control register CR4, which the kernel writes at each switch between a
// thread that has the counter and one that has not (__switch_to_xtra in
// arch/x86/kernel/process.c). On hardware that is a hundred cycles; in a virtual
// machine on an AMD CPU each write leaves the guest, 4 us. A stop, or a request
// to the file system, is two switches. So the threads that guests switch to
// and from do without the counter, too.
//
// What reads it in a Go program is the vDSO's clock_gettime, which is replaced by
// the system call, and the runtime when it measures how long it waits for a lock
// of its own, which is answered by a signal handler. Both are done once for the
// process; its other threads keep the counter.
package tsc

import (
	"sync"

	"golang.org/x/sys/unix"
)

var (
	once  sync.Once
	ready bool
)

// Off takes the counter from the calling thread, to which the goroutine must be
// locked, until back is called on it. Where that cannot be, nothing happens, and
// switches cost what they cost. A process that the thread starts meanwhile has
// no counter either: there must be none.
func Off() (back func()) {
	once.Do(func() { ready = replaceClock() == nil && install() == nil })
	if !ready || unix.Prctl(unix.PR_SET_TSC, unix.PR_TSC_SIGSEGV, 0, 0, 0) != nil {
		return func() {}
	}
	return func() { _ = unix.Prctl(unix.PR_SET_TSC, unix.PR_TSC_ENABLE, 0, 0, 0) }
}
