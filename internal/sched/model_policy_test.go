package sched

import (
	"slices"
	"testing"
)

// watched is a Policy whose questions are compared with the model's, and whose
// answers the model follows.
type watched struct {
	Policy
	d      *driver
	picked int  // the last answer of Pick
	plan   Plan // of the running thread
	born   int
	// Calls that were made and that the model wanted.
	got, want struct{ picks, events, resumes, yields int }
}

// calls is not 0 if the policy was not asked what it should be.
func (w *watched) calls() int {
	if w == nil || w.got == w.want && w.born == len(w.d.threads) {
		return 0
	}
	return 1
}

func (w *watched) Born(t *Thread) {
	if t.ID() != w.born {
		w.d.tb.Fatalf("thread %d was born, want %d", t.ID(), w.born)
	}
	w.born++
	w.Policy.Born(t)
}

func (w *watched) Pick(s *Sched, last *Thread, ready []*Thread) int {
	m := w.d.m
	if len(ready) != len(m.queue) || (last == nil) != (m.last < 0) || last != nil && last.ID() != m.last {
		w.d.tb.Fatalf("Pick among %d after %v, want %d after %d", len(ready), last, len(m.queue), m.last)
	}
	for i, t := range ready {
		if t.ID() != m.queue[i] || t.State() != Ready {
			w.d.tb.Fatalf("place %d of the queue: thread %d, want %d", i, t.ID(), m.queue[i])
		}
	}
	w.got.picks++
	w.picked = w.Policy.Pick(s, last, ready)
	if w.picked < 0 || w.picked >= len(ready) {
		w.d.tb.Fatalf("Pick = %d of %d", w.picked, len(ready))
	}
	return w.picked
}

func (w *watched) Event(s *Sched, t *Thread) Plan {
	w.got.events++
	return w.keep(t, w.Policy.Event(s, t))
}

func (w *watched) Resumed(s *Sched, t *Thread) Plan {
	w.got.resumes++
	p := w.keep(t, w.Policy.Resumed(s, t))
	if p.Switch {
		w.d.tb.Fatalf("a switch at an event, where a turn begins")
	}
	return p
}

func (w *watched) keep(t *Thread, p Plan) Plan {
	if t.State() != Running {
		w.d.tb.Fatalf("asked about thread %d, which does not run", t.ID())
	}
	if p != (Plan{}) && !p.Valid() {
		w.d.tb.Fatalf("plan %+v", p)
	}
	w.plan = p
	return p
}

func (w *watched) Yielded(t *Thread) {
	w.got.yields++
	w.Policy.Yielded(t)
}

// SharedMemory makes plans within user code possible: two address spaces.
type testData int

func (d testData) SharedMemory() any { return d % 2 }

// choose is Next's choice: the first, or what the policy has said.
func (m *model) choose() (int, []int) {
	w := m.policy
	if w == nil {
		return m.queue[0], m.queue[1:]
	}
	w.want.picks++
	w.want.resumes++
	i := m.queue[w.picked]
	if w.picked != 0 {
		d := m.place()
		d.Next = i
		m.decided = append(m.decided, d)
	}
	m.last, m.planned = i, false
	m.threads[i].ends++
	return i, slices.Delete(slices.Clone(m.queue), w.picked, w.picked+1)
}

// place is the anchor of a decision.
func (m *model) place() Decision {
	if m.last < 0 {
		return Decision{Thread: -1}
	}
	return Decision{Thread: m.last, Event: m.threads[m.last].events, End: m.threads[m.last].ends}
}

// planEvent is what the policy makes of an event.
func (m *model) planEvent() bool {
	if m.policy == nil {
		return false
	}
	m.policy.want.events++
	t := &m.threads[m.cur]
	t.events++
	t.ends = 0
	return m.policy.plan.Switch
}

// noteYield is what a policy is told and what is recorded when a turn ends.
func (m *model) noteYield() {
	w := m.policy
	if w == nil {
		return
	}
	if m.planned || w.plan.Switch {
		d := m.place()
		p := w.plan
		d.Plan = &p
		m.decided = append(m.decided, d)
	}
	if m.planned || !w.plan.Switch && !m.timerDue() {
		w.want.yields++
	}
}

func sameDecision(a, b Decision) bool {
	same := a.Plan == nil && b.Plan == nil || a.Plan != nil && b.Plan != nil && *a.Plan == *b.Plan
	a.Plan, b.Plan = nil, nil
	return same && a == b
}

// ambush lets the plan of the running thread come true, perhaps with fewer steps.
func (d *driver) ambush() {
	short := d.rnd.Intn(2) == 0
	p := d.s.Ambush()
	if w := d.m.policy; w == nil || d.m.cur < 0 || w.plan.Switch {
		if p != (Plan{}) {
			d.tb.Fatalf("Ambush = %+v without one", p)
		}
		return
	} else if p != w.plan {
		d.tb.Fatalf("Ambush = %+v, want %+v", p, w.plan)
	}
	if p == (Plan{}) {
		return
	}
	if short && p.Steps > 1 && !d.replays {
		p.Steps--
	}
	d.m.planned, d.m.policy.plan = true, p
	d.s.Preempt(p)
	d.m.yield()
}

// budget wants Budget to be exact: so many events are without consequence, and
// one more is not. Then it makes some of them at once.
func (d *driver) budget() {
	ns, part := 1+int64(d.rnd.Intn(20)), d.rnd.Intn(60)
	if d.m.policy != nil {
		return // nothing is served within the guest then
	}
	n, m := d.s.Budget(ns), d.m
	if m.cur < 0 {
		if n != 0 {
			d.tb.Fatalf("Budget = %d without a thread", n)
		}
		return
	}
	first := m.first()
	consequence := func(i int) bool {
		return m.used+i >= m.limit() || first >= 0 && m.timers[first].when <= m.now+int64(i)*ns
	}
	for i := 1; i <= n; i++ {
		if consequence(i) {
			d.tb.Fatalf("Budget = %d, but event %d has a consequence", n, i)
		}
	}
	if !consequence(n + 1) {
		d.tb.Fatalf("Budget = %d, but one more has none", n)
	}
	part = min(part, n)
	d.s.Events(part, ns)
	m.now += int64(part) * ns
	m.used += part
}

// TestModelPolicy makes a million random steps under schedules to explore: what
// the policy is asked and told is what the model expects, its choices are legal,
// repeat with the seed, and follow again from the decisions alone.
func TestModelPolicy(t *testing.T) {
	differ := 0
	for seed := range 170 {
		run := func(p Policy, replays bool) *driver {
			d := newDriver(t, int64(seed), p)
			d.replays = replays
			d.run(2000)
			return d
		}
		first := run(NewExplorer(uint64(seed)), false)
		again := run(NewExplorer(uint64(seed)), false)
		if !slices.Equal(first.turns, again.turns) || !slices.EqualFunc(first.m.decided, again.m.decided, sameDecision) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		replayed := run(NewReplay(first.s.Decisions()), true)
		if !slices.Equal(first.turns, replayed.turns) {
			t.Fatalf("seed %d: the replay differs", seed)
		}
		if len(first.m.decided) > 0 {
			differ++
		}
	}
	if differ < 100 {
		t.Errorf("only %d of 170 schedules differ from the default", differ)
	}
}
