package sched

import "math/bits"

// Explorer is a Policy that seeks the schedules in which races show. Which
// one it takes is a function of its seed. Small random switches alone miss
// bugs that need one thread to be late for long, so seeds alternate between:
//
//   - walk: any ready thread is next, turns of a few events;
//   - ranks: threads have random ranks, the highest ready one runs, and at a
//     few moments of the run the running thread falls to the lowest rank
//     (Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees
//     of Finding Bugs, 2010);
//   - starve: a walk in which random threads get no turn for long intervals;
//   - stride: long turns that end at random; who gives one up falls to the
//     lowest rank.
//
// All of them end some turns between two events, in the middle of user code:
// after a number of instructions, or at an access to a word that another
// thread was seen to write. That finds races of code that makes no call.
type Explorer struct {
	rnd    uint64
	kind   int
	mean   int    // events of a turn, on average
	events uint64 // of all threads

	changes []uint64 // ranks: the events at which the running thread falls
	low     uint64   // the next rank below all

	starving uint64 // starve: a thread's bit is taken from here
	until    uint64 // the event at which it changes

	shots   int // plans within user code so far
	shyness int // of the current one: accesses on the way for one that ends it
	words   map[any]*words
}

// Kinds of schedules.
const (
	kindWalk = iota
	kindRanks
	kindStarve
	kindStride
	kinds
)

// NewExplorer explores the schedule of seed.
func NewExplorer(seed uint64) *Explorer {
	x := &Explorer{rnd: seed, low: 1 << 32, words: map[any]*words{}}
	x.next() // seeds 1 and 2 have little in common after a round
	x.kind = int((seed - 1) % kinds)
	x.mean = 1 << x.below(5)
	if x.kind == kindStride {
		x.mean = 64 << x.below(4)
	}
	for range 1 + x.below(6) {
		x.changes = append(x.changes, x.spread(17))
	}
	return x
}

// next is splitmix64: no state but one word, specified here and so the same
// for ever.
func (x *Explorer) next() uint64 {
	x.rnd += 0x9e3779b97f4a7c15
	z := x.rnd
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a random number in [0, n).
func (x *Explorer) below(n int) int {
	hi, _ := bits.Mul64(x.next(), uint64(n))
	return int(hi)
}

// oneIn is true once in n times.
func (x *Explorer) oneIn(n int) bool { return x.below(n) == 0 }

// spread is a random number in [1, 1<<n) of which all magnitudes are equally
// likely: how long a program runs is not known.
func (x *Explorer) spread(n int) uint64 {
	k := x.below(n)
	return 1<<k | x.next()&(1<<k-1)
}

// Born implements Policy.
func (x *Explorer) Born(t *Thread) { t.priority = x.low + 1 + x.next()>>32 }

// Yielded implements Policy.
func (x *Explorer) Yielded(t *Thread) { x.fall(t) }

func (x *Explorer) fall(t *Thread) {
	x.low--
	t.priority = x.low
}

// Event implements Policy.
func (x *Explorer) Event(s *Sched, t *Thread) Plan {
	x.events++
	if t.since++; t.since >= longTurn { // whatever it waits for, others must come to it
		t.since = 0
		x.fall(t)
	}
	if x.events >= x.until {
		x.until = x.events + 16*x.spread(11)
		half := x.next()
		x.starving = half & x.next() // a quarter of all
	}
	switch x.kind {
	case kindRanks:
		for i, e := range x.changes {
			if e <= x.events {
				x.changes[i] = ^uint64(0)
				x.fall(t)
			}
		}
		for _, r := range s.queue {
			if r.priority > t.priority {
				return Plan{Switch: true}
			}
		}
	default:
		if len(s.queue) > 0 && x.oneIn(x.mean) {
			if x.kind == kindStride {
				x.fall(t)
			}
			return Plan{Switch: true}
		}
	}
	return x.ambush(t)
}

// Shared is what a thread's Data may implement: the identity of the memory
// that other threads can change while it does not run, nil if none can.
type Shared interface{ SharedMemory() any }

// Resumed implements Policy.
func (x *Explorer) Resumed(_ *Sched, t *Thread) Plan { return x.ambush(t) }

// maxSteps bounds a plan of steps: each costs a stop.
const maxSteps = 1 << 11

// ambush plans, now and then, an end of the turn within user code. Each costs
// about as much as hundreds of events, so they become rarer in a long run:
// n of them take the order of n*n/32 events.
func (x *Explorer) ambush(t *Thread) Plan {
	d, ok := t.Data.(Shared)
	if !ok {
		return Plan{}
	}
	mem := d.SharedMemory()
	if mem == nil || !x.oneIn(1+x.shots/16) {
		return Plan{}
	}
	x.shots++
	x.shyness = 1 << x.below(7)
	w := x.words[mem]
	switch {
	case w == nil || x.oneIn(2):
		return Plan{Steps: maxSteps}
	case x.oneIn(4):
		return Plan{Steps: int(x.spread(11))}
	}
	return Plan{Watch: w.choose(x), Hits: int(x.spread(6))}
}

// Access tells of an access to shared memory on the way of a plan of steps.
// True ends the turn behind it: what was read may be old when it is used, what
// was written may be incomplete.
func (x *Explorer) Access(t *Thread, mem any, addr uint64, store bool) bool {
	w := x.words[mem]
	if w == nil {
		if !store {
			return false
		}
		w = &words{}
		x.words[mem] = w
	}
	return w.note(addr&^7, t.id, store) && x.oneIn(x.shyness)
}

// words holds the addresses that were last seen written in one memory.
type words struct {
	all [64]word
	n   int // ever noted
}

type word struct {
	addr   uint64
	thread int
	shared bool // two threads were seen to use it
}

// note reports whether others may care about this access.
func (w *words) note(addr uint64, thread int, store bool) bool {
	for i := range w.all[:min(w.n, len(w.all))] {
		if e := &w.all[i]; e.addr == addr {
			e.shared = e.shared || e.thread != thread
			return true
		}
	}
	if store {
		w.all[w.n%len(w.all)] = word{addr: addr, thread: thread}
		w.n++
	}
	return store
}

// choose prefers words that two threads were seen to use.
func (w *words) choose(x *Explorer) uint64 {
	have := w.all[:min(w.n, len(w.all))]
	e := have[x.below(len(have))]
	for range 3 {
		if !e.shared {
			e = have[x.below(len(have))]
		}
	}
	return e.addr
}

// Pick implements Policy.
func (x *Explorer) Pick(_ *Sched, last *Thread, ready []*Thread) int {
	best := -1
	switch x.kind {
	case kindRanks, kindStride:
		for i, t := range ready {
			if best < 0 || t.priority > ready[best].priority {
				best = i
			}
		}
		return best
	}
	if n := len(ready); n > 1 && ready[n-1] == last {
		ready = ready[:n-1] // it has just given up the turn
	}
	if x.kind == kindStarve {
		n := 0
		for i, t := range ready {
			if x.starving>>(t.id%64)&1 == 0 {
				if n++; x.oneIn(n) { // each of them is equally likely
					best = i
				}
			}
		}
		if best >= 0 {
			return best
		}
	}
	return x.below(len(ready))
}
