// Package fault survives faults in memory that somebody else can take away: a
// mapping of a file that the guest can cut off raises SIGBUS then.
package fault

import "runtime/debug"

// Survive runs f, which touches such memory, and reports whether it came to its
// end. Every other panic goes on.
func Survive(f func()) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch e := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // runtime.Error of a fault
			ok = false
		default:
			panic(e)
		}
	}()
	f()
	return true
}
