package fastpath

import "golang.org/x/sys/unix"

// What the code may answer from the state beyond times and futexes, and what it
// notes there for the supervisor. Everything read back is the guest's word: it
// is clamped, and wrong words harm nobody but the guest.

// RandomWords is how many words of the random stream are published.
const RandomWords = 8

// Random publishes the next words of the run's random stream.
func (r *Region) Random(words [RandomWords]uint64) {
	r.guard(func() {
		for i, w := range words {
			r.state.word(offRandom + 8*i).Store(w)
		}
		r.state.word(offRandomPos).Store(0)
	})
	r.taken = 0
}

// RandomTaken is how many of the words of the last Random were taken since the
// last RandomTaken.
func (r *Region) RandomTaken() (n int) {
	r.guard(func() {
		pos := int(min(r.state.word(offRandomPos).Load(), RandomWords))
		n, r.taken = max(pos-r.taken, 0), max(pos, r.taken)
	})
	return n
}

// NoChild tells whether the process that goes on has children to wait for.
func (r *Region) NoChild(none bool) { r.tell(offNoChild, none) }

// Alone tells whether nobody could have the turn instead of the thread that goes on.
func (r *Region) Alone(alone bool) { r.tell(offAlone, alone) }

// tell stores 0 or 1.
func (r *Region) tell(off int, yes bool) {
	v := uint64(0)
	if yes {
		v = 1
	}
	r.guard(func() {
		if w := r.state.word(off); w.Load() != v {
			w.Store(v)
		}
	})
}

// Sigaction is what the thread that ran does on SIGSEGV since it said so to the
// code: struct sigaction of the kernel. ok is false if it did not.
func (r *Region) Sigaction() (act [32]byte, ok bool) {
	r.guard(func() {
		if w := r.state.word(offSegvSet); w.Load() != 0 {
			w.Store(0)
			ok = copy(act[:], r.mem[TextSize+offSegv:]) == len(act)
		}
	})
	return act, ok
}

// Stillborn is the result of a birth that the code has tried in vain since it was
// asked last; ok is false if there was none.
func (r *Region) Stillborn() (errno unix.Errno, ok bool) {
	r.guard(func() {
		if w := r.state.word(offStill); w.Load() != 0 {
			v := -int64(w.Swap(0))
			errno, ok = unix.Errno(v), v > 0 && v < 4096
		}
	})
	return errno, ok
}
