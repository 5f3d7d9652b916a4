// Package sched decides which guest thread runs, and when logical time moves.
//
// It is a pure state machine: no system calls, no wall clock, no maps whose
// order could matter. Its whole state is a function of the calls made so far,
// which is the determinism argument for scheduling. One thread has the turn;
// the others are in the run queue (ready) or parked (waiting for something
// that only another thread or the logical clock can bring about).
package sched

// State says where a thread is.
type State uint8

// The states of a thread.
const (
	Ready   State = iota // in the run queue
	Running              // has the turn
	Parked               // waits for Wake or its deadline
	Dead
)

// Thread is one schedulable thread. The owner embeds its own data by key in
// Data; sched never looks at it.
type Thread struct {
	Data any

	state    State
	seq      uint64 // order of parking, for deterministic wake-ups
	deadline *Timer
	used     int // events since the thread got the turn
	expired  bool

	id       int    // order of birth
	events   uint64 // since birth, under a Policy
	ends     int    // turns that began since the last of them
	priority uint64 // of the Explorer
	since    int    // events since its rank last fell
}

// ID is the thread's number in order of birth, from 0.
func (t *Thread) ID() int { return t.id }

// State reports where the thread is.
func (t *Thread) State() State { return t.state }

// Seq is the position of the thread's park among all parks: smaller parked earlier.
func (t *Thread) Seq() uint64 { return t.seq }

// Expired reports, after a wake-up, that the deadline ended the park.
func (t *Thread) Expired() bool { return t.expired }

// Sched holds the run queue, the parked threads' timers and the logical clock.
type Sched struct {
	now     int64 // ns since 1970
	quantum int   // events per turn, on average
	turns   uint64
	limit   int // events of this turn
	queue   []*Thread
	cur     *Thread
	parks   uint64
	timers  timerHeap
	tseq    uint64
	live    int
	born    int

	policy    Policy // nil: the default
	plan      Plan   // of the running thread
	planned   bool   // it came true
	last      *Thread
	decisions []Decision
}

// New starts the clock at now (ns since 1970); a thread may use quantum
// events per turn, on average.
func New(now int64, quantum int) *Sched { return &Sched{now: now, quantum: quantum} }

// Now is the logical time in ns since 1970.
func (s *Sched) Now() int64 { return s.now }

// Advance moves the clock forward to ns since 1970; it never goes back.
func (s *Sched) Advance(ns int64) { s.now = max(s.now, ns) }

// Live is the number of threads that are not dead.
func (s *Sched) Live() int { return s.live }

// Ready is how many threads are in the run queue.
func (s *Sched) Ready() int { return len(s.queue) }

// Turns is how many turns have begun.
func (s *Sched) Turns() uint64 { return s.turns }

// Current is the thread that has the turn, or nil.
func (s *Sched) Current() *Thread { return s.cur }

// Add puts a new thread at the end of the run queue.
func (s *Sched) Add(data any) *Thread {
	t := &Thread{Data: data, state: Ready, id: s.born}
	s.born++
	s.queue = append(s.queue, t)
	s.live++
	if s.policy != nil {
		s.policy.Born(t)
	}
	return t
}

// Next gives the turn to a ready thread, the first one if no Policy chooses
// another, or returns nil when none is.
func (s *Sched) Next() *Thread {
	if s.cur != nil {
		return s.cur
	}
	if len(s.queue) == 0 {
		return nil
	}
	i := s.pick()
	t := s.queue[i]
	copy(s.queue[i:], s.queue[i+1:])
	s.queue[len(s.queue)-1] = nil
	s.queue = s.queue[:len(s.queue)-1]
	t.state, t.used = Running, 0
	s.turns++
	s.cur, s.last = t, t
	s.plan, s.planned = Plan{}, false
	if s.policy == nil {
		s.limit = turnLimit(s.turns, s.quantum)
		return t
	}
	s.limit = longTurn
	t.ends++
	s.plan = s.policy.Resumed(s, t)
	return t
}

// Event counts one event of the running thread and moves the clock by ns. It
// reports whether the thread should give up the turn at the next safe point:
// its quantum is used up, or a timer is due. An empty queue does not spare it:
// parked threads may have become ready without our knowing, and a thread that
// polls for what they do would otherwise keep the turn for ever.
func (s *Sched) Event(ns int64) bool {
	s.now += ns
	if s.cur == nil {
		return false
	}
	s.cur.used++
	if s.policy != nil {
		s.plans(s.cur)
	}
	return s.cur.used >= s.limit || s.plan.Switch || s.timerDue()
}

// Budget is how many events of ns the running thread can make, one after the
// other, of which Event would report false.
func (s *Sched) Budget(ns int64) int {
	if s.cur == nil {
		return 0
	}
	n := s.limit - s.cur.used - 1
	if len(s.timers) > 0 && ns > 0 {
		n = min(n, int(min((s.timers[0].When-1-s.now)/ns, int64(n))))
	}
	return max(n, 0)
}

// Events counts n events at once, at most Budget.
func (s *Sched) Events(n int, ns int64) {
	s.now += int64(n) * ns
	if s.cur != nil {
		s.cur.used += n
	}
}

// turnLimit is the quantum of the n-th turn: between a half and one and a half
// of the average, spread by a fixed mixing function (splitmix64). With turns of
// equal length a loop whose period divides them gives up the turn at the same
// place for ever, for instance always with a lock held that others wait for.
func turnLimit(n uint64, quantum int) int {
	z := n * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return max(quantum/2+int(z%uint64(max(quantum, 1))), 1)
}

// Yield puts the running thread at the end of the run queue.
func (s *Sched) Yield() {
	t := s.cur
	if t == nil {
		return
	}
	s.yielding(t)
	t.state = Ready
	s.queue = append(s.queue, t)
	s.cur = nil
}

// Park takes the turn away from the running thread until Wake, or until the
// clock reaches deadline (ns since 1970; negative: no deadline).
func (s *Sched) Park(t *Thread, deadline int64) {
	s.parks++
	t.seq = s.parks
	t.expired = false
	s.remove(t)
	t.state = Parked
	if deadline >= 0 {
		t.deadline = s.AddTimer(deadline, t)
	}
}

// Release lets the running thread go on beside others: none has the turn then,
// and it is not in the queue until it was parked and woken.
func (s *Sched) Release() { s.cur = nil }

// remove takes t out of the turn and the queue.
func (s *Sched) remove(t *Thread) {
	if s.cur == t {
		s.cur = nil
	}
	if t.state == Ready {
		for i, q := range s.queue {
			if q == t {
				s.queue = append(s.queue[:i], s.queue[i+1:]...)
				break
			}
		}
	}
}

// Wake makes a parked thread ready; others are left as they are.
func (s *Sched) Wake(t *Thread) {
	if t.state != Parked {
		return
	}
	if t.deadline != nil {
		s.StopTimer(t.deadline)
		t.deadline = nil
	}
	t.state = Ready
	s.queue = append(s.queue, t)
}

// Exit removes a thread for ever.
func (s *Sched) Exit(t *Thread) {
	if t.state == Dead {
		return
	}
	s.remove(t)
	if t.deadline != nil {
		s.StopTimer(t.deadline)
		t.deadline = nil
	}
	t.state = Dead
	s.live--
}

// Due takes the timers that the clock has reached, in order of time and then
// of creation. Threads whose park ended are woken; other timers are returned.
func (s *Sched) Due() []*Timer {
	var out []*Timer
	for len(s.timers) > 0 && s.timers[0].When <= s.now {
		tm := s.timers.pop()
		if t, ok := tm.Data.(*Thread); ok && t.deadline == tm {
			t.deadline = nil
			t.expired = true
			t.state = Ready
			s.queue = append(s.queue, t)
			continue
		}
		out = append(out, tm)
	}
	return out
}

// NextTimer is the moment of the next timer; ok is false when there is none.
func (s *Sched) NextTimer() (when int64, ok bool) {
	if len(s.timers) == 0 {
		return 0, false
	}
	return s.timers[0].When, true
}

// Timers is the number of timers that are to come, deadlines of parks included.
func (s *Sched) Timers() int { return len(s.timers) }

// Jump moves the clock forward to the next timer when nobody is ready. It
// reports false when there is no timer: the guest is deadlocked.
func (s *Sched) Jump() bool {
	if len(s.timers) == 0 {
		return false
	}
	if w := s.timers[0].When; w > s.now {
		s.now = w
	}
	return true
}
