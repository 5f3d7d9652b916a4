package fastpath

// FUTEX_WAKE is served where it is known who waits. The supervisor publishes the
// private futexes on which threads of the address space wait that goes on; the
// code answers how many it wakes, and notes it. Whoever was woken runs only
// after the next stop, and there the notes come first.

// Waiters are the threads that wait for the word at Addr.
type Waiters struct{ Addr, Count uint64 }

const (
	offFutexes  = 0x300 // number of Waiters; more than maxFutexes: not known
	offFutex    = 0x400 // those
	offWakes    = 0x350 // number of notes
	offWake     = 0x358 // each the address and how many were woken
	maxFutexes  = 16
	maxWakes    = 8
	waitersSize = 16
)

// MaxFutexes is how many words Futexes takes.
const MaxFutexes = maxFutexes

// Futexes tells the code who waits in the address space that goes on next. known
// is false if there are more than these, or others than plain waiters among them.
func (r *Region) Futexes(list []Waiters, known bool) {
	n := uint64(len(list))
	if !known || n > maxFutexes {
		n = ^uint64(0)
	}
	if n == 0 && r.futexes == 0 {
		return
	}
	r.futexes = n
	r.guard(func() {
		if n <= maxFutexes {
			for i, w := range list {
				r.state.word(offFutex + waitersSize*i).Store(w.Addr)
				r.state.word(offFutex + waitersSize*i + 8).Store(w.Count)
			}
		}
		r.state.word(offFutexes).Store(n)
	})
}

// Wakes calls do for each call served since the last Wakes, in order: of the
// threads that wait for addr the first n are to go on. The numbers are what the
// guest left there.
func (r *Region) Wakes(do func(addr, n uint64)) {
	var notes [maxWakes]Waiters
	k := 0
	r.guard(func() {
		w := r.state.word(offWakes)
		if w.Load() == 0 {
			return
		}
		k = int(min(w.Swap(0), maxWakes))
		for i := range notes[:k] {
			notes[i] = Waiters{r.state.word(offWake + waitersSize*i).Load(), r.state.word(offWake + waitersSize*i + 8).Load()}
		}
	})
	for _, x := range notes[:k] {
		do(x.Addr, x.Count)
	}
}
