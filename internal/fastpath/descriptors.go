package fastpath

// What a descriptor is can be kept instead of asked before each call, which is most of
// what a read costs above its own: in a table by number, for File and List, and for
// pipes.
//
// An entry must be gone before its descriptor can become another. Calls that free or
// replace a descriptor (Frees) therefore come by the code, which clears the entry
// first, or stop; and whenever a thread is let go the table is empty (Know): whatever
// another thread, a fork, an exec or the supervisor does to descriptors happens
// before. What only makes descriptors takes numbers that are free and so have no
// entry. So the table is always that of the running thread since it was let go.
//
// To stop at every close(2) that was not replaced would cost most programs more than
// it saves them: the table is in use only in threads that have asked often, and that
// were given a filter of their own then (package seccomp, Watch).

const (
	offKinds = 0x600 // a byte by descriptor: 0, or what it is
	maxKinds = 256   // descriptors from here on are asked each time
	kindPipe = 255   // else it is the Class
	offKnown = 0x700 // how many of them are in use: maxKinds or 0
	offAsked = 0x708 // how often the code has asked
)

// Know says whether the thread that goes on stops at what Frees lists. If so what is
// known of descriptors is used until its next stop.
func (r *Region) Know(watched bool) {
	if !watched && !r.knows {
		return
	}
	r.knows = watched
	n := uint64(0)
	if watched {
		n = maxKinds
	}
	r.guard(func() {
		clear(r.mem[TextSize+offKinds:][:maxKinds])
		r.state.word(offKnown).Store(n)
	})
}

// Asked is how often the code has asked what a descriptor is since the last Asked,
// at most the budget and a half whatever the guest wrote there.
func (r *Region) Asked() (n int) {
	r.guard(func() {
		if w := r.state.word(offAsked); w.Load() != 0 {
			n = int(min(w.Swap(0), r.armed))
		}
	})
	return n
}

// Frees lists the calls that free or replace descriptors.
func (r *Region) Frees() (nrs []int) {
	for nr, c := range r.classes {
		if c >= Close {
			nrs = append(nrs, nr)
		}
	}
	return nrs
}
