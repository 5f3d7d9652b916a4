package sched

import (
	"math/rand"
	"slices"
	"testing"
)

// model is the scheduler as one would write it without thinking of speed:
// lists, linear scans, no heap, no shared state with the real one.
type model struct {
	now     int64
	quantum int
	used    int
	turns   uint64
	cur     int // -1: nobody
	queue   []int
	threads []modelThread
	timers  []modelTimer // in order of registration
	parks   uint64

	policy  *watched // nil: first come, first served
	last    int      // had the turn last; -1: nobody yet
	planned bool     // the plan of this turn came true in user code
	decided []Decision
}

type modelThread struct {
	state   State
	seq     uint64
	expired bool
	events  uint64 // under a policy
	ends    int
}

// modelTimer is a plain timer, or with thread >= 0 the deadline of a park.
type modelTimer struct {
	when   int64
	id     int
	thread int
}

func (m *model) first() int {
	best := -1
	for i, t := range m.timers {
		if best < 0 || t.when < m.timers[best].when {
			best = i
		}
	}
	return best
}

func (m *model) dropDeadline(i int) {
	m.timers = slices.DeleteFunc(m.timers, func(t modelTimer) bool { return t.thread == i })
}

func (m *model) leave(i int) {
	if m.cur == i {
		m.cur = -1
	}
	m.queue = slices.DeleteFunc(m.queue, func(q int) bool { return q == i })
}

func (m *model) next() int {
	if m.cur < 0 && len(m.queue) > 0 {
		m.cur, m.queue = m.choose()
		m.used = 0
		m.turns++
		m.threads[m.cur].state = Running
	}
	return m.cur
}

func (m *model) limit() int {
	if m.policy != nil {
		return longTurn
	}
	return turnLimit(m.turns, m.quantum)
}

func (m *model) event(ns int64) bool {
	m.now += ns
	if m.cur < 0 {
		return false
	}
	m.used++
	return m.used >= m.limit() || m.planEvent() || m.timerDue()
}

func (m *model) timerDue() bool {
	f := m.first()
	return f >= 0 && m.timers[f].when <= m.now
}

func (m *model) wake(i int) {
	if m.threads[i].state == Parked {
		m.dropDeadline(i)
		m.threads[i].state = Ready
		m.queue = append(m.queue, i)
	}
}

// yield is the end of a turn that the thread does not park in.
func (m *model) yield() {
	i := m.cur
	if i < 0 {
		return
	}
	m.noteYield()
	m.cur = -1
	m.threads[i].state = Ready
	m.queue = append(m.queue, i)
}

func (m *model) due() []int {
	var out []int
	for f := m.first(); f >= 0 && m.timers[f].when <= m.now; f = m.first() {
		t := m.timers[f]
		m.timers = slices.Delete(m.timers, f, f+1)
		if t.thread >= 0 {
			m.threads[t.thread].expired = true
			m.threads[t.thread].state = Ready
			m.queue = append(m.queue, t.thread)
			continue
		}
		out = append(out, t.id)
	}
	return out
}

// driver runs the same random program on both and compares after each step.
type driver struct {
	tb      testing.TB
	rnd     *rand.Rand
	s       *Sched
	m       *model
	threads []*Thread
	timers  []*Timer
	turns   []int // who had the turn whenever Next was asked
	replays bool  // plans come with what was done of them
	signals modelSignals
}

func newDriver(tb testing.TB, seed int64, p Policy) *driver {
	rnd := rand.New(rand.NewSource(seed))
	q := 1 + rnd.Intn(5)
	if rnd.Intn(4) == 0 {
		q = 1 + rnd.Intn(50)
	}
	d := &driver{tb: tb, rnd: rnd, s: New(1000, q), m: &model{now: 1000, quantum: q, cur: -1, last: -1}}
	if p != nil {
		d.m.policy = &watched{Policy: p, d: d}
		d.s.SetPolicy(d.m.policy)
	}
	return d
}

// live picks a thread, usually one that is not dead; -1 when there is none.
func (d *driver) pick() int {
	if len(d.threads) == 0 {
		return -1
	}
	for range 4 {
		if i := d.rnd.Intn(len(d.threads)); d.m.threads[i].state != Dead {
			return i
		}
	}
	return d.rnd.Intn(len(d.threads))
}

func (d *driver) step() {
	s, m := d.s, d.m
	switch op := d.rnd.Intn(25); {
	case op == 0 && s.Live() < 40:
		d.threads = append(d.threads, s.Add(testData(len(d.threads))))
		m.threads = append(m.threads, modelThread{})
		m.queue = append(m.queue, len(m.threads)-1)
		d.signals.grow(len(m.threads), d.someSignals)
	case op <= 6:
		got, want := s.Next(), m.next()
		if (got == nil) != (want < 0) || got != nil && got.Data != any(testData(want)) {
			d.tb.Fatalf("Next = %v, want thread %d", got, want)
		}
		d.turns = append(d.turns, want)
		if want >= 0 {
			d.take(want)
		}
	case op <= 9:
		ns := int64(d.rnd.Intn(20))
		if got, want := s.Event(ns), m.event(ns); got != want {
			d.tb.Fatalf("Event = %v, want %v", got, want)
		}
	case op == 10:
		s.Yield()
		m.yield()
	case op <= 13:
		d.park()
	case op <= 15:
		d.wake()
	case op == 16 && d.rnd.Intn(3) == 0:
		d.exit()
	case op == 17:
		d.timer()
	case op == 18:
		if m.cur < 0 && len(m.queue) == 0 {
			f := m.first()
			if s.Jump() != (f >= 0) {
				d.tb.Fatalf("Jump = %v with %d timers", f < 0, len(m.timers))
			}
			if f >= 0 {
				m.now = max(m.now, m.timers[f].when)
			}
		}
	case op == 19:
		d.budget()
	case op == 20:
		d.ambush()
	case op <= 22:
		d.signal()
	case op == 23:
		d.mask()
	default:
		var got []int
		for _, t := range s.Due() {
			got = append(got, t.Data.(int))
		}
		if want := m.due(); !slices.Equal(got, want) {
			d.tb.Fatalf("Due = %v, want %v", got, want)
		}
	}
}

func (d *driver) park() {
	i := d.pick()
	if i < 0 || d.m.threads[i].state == Dead || d.m.threads[i].state == Parked {
		return
	}
	deadline := int64(-1)
	if d.rnd.Intn(2) == 0 {
		deadline = d.m.now + int64(d.rnd.Intn(60)) - 5
	}
	d.parkUntil(i, deadline)
	d.wakeSignalled() // the call finds what waits before it would sleep
}

// parkUntil parks a thread; negative: without a deadline.
func (d *driver) parkUntil(i int, deadline int64) {
	d.signals.until[i] = deadline
	d.s.Park(d.threads[i], deadline)
	d.m.leave(i)
	d.m.parks++
	t := &d.m.threads[i]
	t.state, t.seq, t.expired = Parked, d.m.parks, false
	if deadline >= 0 {
		d.m.timers = append(d.m.timers, modelTimer{deadline, -1, i})
	}
}

func (d *driver) wake() {
	i := d.pick()
	if i < 0 {
		return
	}
	d.s.Wake(d.threads[i])
	d.m.wake(i)
}

func (d *driver) exit() {
	i := d.pick()
	if i < 0 {
		return
	}
	d.s.Exit(d.threads[i])
	d.m.leave(i)
	d.m.dropDeadline(i)
	d.m.threads[i].state = Dead
}

func (d *driver) timer() {
	if len(d.timers) > 0 && d.rnd.Intn(2) == 0 {
		id := d.rnd.Intn(len(d.timers))
		i := slices.IndexFunc(d.m.timers, func(t modelTimer) bool { return t.id == id && t.thread < 0 })
		if got := d.s.StopTimer(d.timers[id]); got != (i >= 0) {
			d.tb.Fatalf("StopTimer(%d) = %v", id, got)
		}
		if i >= 0 {
			d.m.timers = slices.Delete(d.m.timers, i, i+1)
		}
		return
	}
	when := d.m.now + int64(d.rnd.Intn(60)) - 5
	id := len(d.timers)
	d.timers = append(d.timers, d.s.AddTimer(when, id))
	d.m.timers = append(d.m.timers, modelTimer{when, id, -1})
}

// check compares everything that can be seen, and the invariants.
func (d *driver) check() {
	s, m := d.s, d.m
	if s.Now() != m.now {
		d.tb.Fatalf("Now = %d, want %d", s.Now(), m.now)
	}
	if c := s.Current(); (c == nil) != (m.cur < 0) || c != nil && c.Data != any(testData(m.cur)) {
		d.tb.Fatalf("Current = %v, want %d", c, m.cur)
	}
	live, ready := 0, 0
	for i, t := range d.threads {
		w := m.threads[i]
		if t.State() != w.state || t.Seq() != w.seq || t.Expired() != w.expired {
			d.tb.Fatalf("thread %d: state %d seq %d expired %v, want %+v", i, t.State(), t.Seq(), t.Expired(), w)
		}
		if w.state != Dead {
			live++
		}
		if w.state == Ready {
			ready++
		}
	}
	if s.Live() != live {
		d.tb.Fatalf("Live = %d, want %d", s.Live(), live)
	}
	if len(m.queue) != ready {
		d.tb.Fatalf("%d threads are ready, %d in the queue", ready, len(m.queue))
	}
	if len(s.timers) != len(m.timers) {
		d.tb.Fatalf("%d timers, want %d", len(s.timers), len(m.timers))
	}
	if n := d.m.policy.calls(); n != 0 {
		d.tb.Fatalf("%d calls of the policy too few or too many", n)
	}
	for i, t := range s.timers {
		if t.pos != i || i > 0 && s.timers.less(i, (i-1)/2) {
			d.tb.Fatalf("timer heap is broken at %d", i)
		}
	}
	d.checkSignals()
}

// run makes steps random steps on the scheduler and on the model.
func (d *driver) run(steps int) {
	for range steps {
		d.step()
		d.check()
	}
	got, want := d.s.Decisions(), d.m.decided
	if len(got) != len(want) {
		d.tb.Fatalf("%d decisions, want %d", len(got), len(want))
	}
	for i := range got {
		if !sameDecision(got[i], want[i]) {
			d.tb.Fatalf("decision %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

// TestModel makes a million random steps in the default order.
func TestModel(t *testing.T) {
	for seed := range 500 {
		newDriver(t, int64(seed), nil).run(2000)
	}
}

// TestProgress runs threads that only use their quantum, park and wake: each
// ready thread gets the turn before any other gets it twice.
func TestProgress(t *testing.T) {
	const count, quantum = 1000, 3
	s := New(0, quantum)
	for i := range count {
		s.Add(i)
	}
	for round := range 3 {
		for i := range count {
			th := s.Next()
			if th.Data != any(i) {
				t.Fatalf("round %d: thread %v has the turn, want %d", round, th.Data, i)
			}
			n := 1
			for !s.Event(1) {
				n++
			}
			if n > 2*quantum {
				t.Fatalf("a turn of %d events", n)
			}
			s.Yield()
		}
	}
}
