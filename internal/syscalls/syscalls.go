// Package syscalls is the policy: one row for every x86-64 system call number.
//
// The table is the documentation and the program at once. The seccomp filter
// is compiled from it (package seccomp), the virtual kernel dispatches by it
// (package kernel), and docs/syscalls.md and "dettrace syscalls" print it.
// Each row names the entropy that the call would let in and says whether it is
// eliminated, normalised, ordered, assumed stable, or the call refused.
//
// Invariants, all tested: every number from 0 to Newest has exactly one row;
// a row's name is the kernel's; a refused row has an errno and always stops,
// so that its use is reported.
package syscalls

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

//go:generate go test -run TestDocs -update .

// Newest is the highest system call number that the table knows. Higher ones
// stop too, and are answered with ENOSYS and reported.
const Newest = unix.SYS_RSEQ_SLICE_YIELD

// Class is who does the work of a call.
type Class uint8

const (
	Native   Class = iota // the kernel, which is deterministic here
	Emulate               // the supervisor answers, the kernel never sees it
	Adjust                // the kernel, but arguments or results are corrected
	Schedule              // may block or wake others: the supervisor parks and wakes
	Refuse                // nobody: a clean errno and, unless it never stops, a line in the report
)

func (c Class) String() string {
	switch c {
	case Native:
		return "native"
	case Emulate:
		return "emulate"
	case Adjust:
		return "adjust"
	case Schedule:
		return "schedule"
	}
	return "refuse"
}

// Row is the policy of one call.
type Row struct {
	Nr    int
	Name  string // the kernel's; "unassigned_N" for a number without a call
	Class Class
	// Event says that a use that stops is an event: the clock ticks, the
	// quantum shrinks and the log gets a line. It belongs to the call, not to
	// the way it is intercepted: serving it inside the guest must not change it.
	Event bool
	// Errno is the answer of a refused call, and of the uses of another one
	// that are not supported; 0 in a row that has none.
	Errno  unix.Errno
	Filter Filter
	Note   string
}

// Assigned reports whether Linux has a call of this number.
func (r *Row) Assigned() bool { return r.Name != unassignedName(r.Nr) }

// Table gives all rows, sorted by number; row i has number i.
func Table() []Row { return slices.Clone(table()) }

// table is made once: a run asks for it several times.
var table = sync.OnceValue(func() []Row {
	families := [][]Row{
		rowsIO(), rowsOpen(), rowsStat(), rowsChange(), rowsXattr(), rowsPoll(), rowsMemory(),
		rowsProcess(), rowsIdentity(), rowsSignal(), rowsTime(), rowsMachine(), rowsSched(),
		rowsSocket(), rowsIPC(), rowsFutex(), rowsMount(), rowsAdmin(), rowsModern(), rowsObsolete(),
		rowsUnassigned(),
	}
	n := 0
	for _, f := range families {
		n += len(f)
	}
	t := make([]Row, n)
	for _, f := range families {
		for i := range f {
			t[f[i].Nr] = f[i]
		}
	}
	return t
})

// ByName finds the row of a call by its kernel name.
func ByName(name string) (Row, bool) {
	for _, r := range Table() {
		if r.Name == name {
			return r, true
		}
	}
	return Row{}, false
}
