// Package door names the doors: kinds of things of the host that a run may let
// in on purpose, with --allow. All are closed unless named. A run through whose
// open door something really came is impure: it is no longer a function of its
// inputs, and its report says so.
package door

// Door is one of them.
type Door struct {
	Name  string // as --allow takes it
	Opens string // what comes in, for one line of help
}

// The names.
const (
	ASLR    = "aslr"
	Machine = "machine"
	Network = "network"
	Random  = "random"
	Signals = "signals"
	Threads = "threads-native"
	Time    = "time"
)

// All lists the doors, sorted by name.
func All() []Door {
	return []Door{
		{ASLR, "addresses are randomised"},
		{Machine, "the number of CPUs and the memory of the host"},
		{Network, "the host's network"},
		{Random, "the host's entropy"},
		{Signals, "signals sent to dettrace go to the command"},
		{Threads, "threads and processes run at once, on all CPUs"},
		{Time, "the host's clocks"},
	}
}

// Names lists the names, sorted.
func Names() []string {
	var names []string
	for _, d := range All() {
		names = append(names, d.Name)
	}
	return names
}

// Set says which doors are open.
type Set struct{ ASLR, Machine, Network, Random, Signals, Threads, Time bool }

// Open is the set of the named doors; other names are ignored.
func Open(names []string) (s Set) {
	for _, n := range names {
		switch n {
		case ASLR:
			s.ASLR = true
		case Machine:
			s.Machine = true
		case Network:
			s.Network = true
		case Random:
			s.Random = true
		case Signals:
			s.Signals = true
		case Threads:
			s.Threads = true
		case Time:
			s.Time = true
		}
	}
	return s
}
