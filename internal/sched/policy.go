package sched

// Policy decides what is free in scheduling. It sees only the past of the
// run, so the order stays a pure function of it. A nil Policy is the default:
// first come, first served, with turns of about the quantum.
type Policy interface {
	// Born is told of each new thread.
	Born(t *Thread)
	// Event is asked after each event of the running thread t: where does
	// its turn end?
	Event(s *Sched, t *Thread) Plan
	// Resumed is asked when t gets the turn: where does it end, if no event
	// comes before? Plan.Switch makes no sense here.
	Resumed(s *Sched, t *Thread) Plan
	// Pick chooses among the ready threads, of which there is at least one;
	// last had the turn before and may be among them, dead or nil.
	Pick(s *Sched, last *Thread, ready []*Thread) int
	// Yielded is told that t gave up its turn by itself, ran into the longest
	// turn (whoever waits in such a loop must let others go on), or was
	// interrupted in user code.
	Yielded(t *Thread)
}

// Plan says how the turn of a thread is to end before it would by itself. The
// zero Plan leaves it alone. A plan holds until the thread's next event, or to
// the end of its turn.
type Plan struct {
	Switch bool   `json:"switch,omitempty"` // at this event
	Steps  int    `json:"steps,omitempty"`  // after so many instructions
	Watch  uint64 `json:"watch,omitempty"`  // after accesses to the word at this address...
	Hits   int    `json:"hits,omitempty"`   // ...that many
}

// longTurn bounds a turn under a Policy: a thread that polls for others, and
// is never asked to stop, still lets them run.
const longTurn = 4000

// Decision is one thing that a Policy decided and the default would not have:
// a plan that came true, or another thread than the one that waited longest.
// It is anchored in the life of a thread, not in the run as a whole, so that
// it keeps its meaning when other decisions are left out.
type Decision struct {
	Thread int    `json:"thread"`         // the one that has the turn; -1 before the first
	Event  uint64 `json:"event"`          // events of that thread so far
	End    int    `json:"end,omitempty"`  // turns that began since that event
	Plan   *Plan  `json:"plan,omitempty"` // how the turn ends, or
	Next   int    `json:"next,omitempty"` // who is next
}

// SetPolicy makes p decide; record collects its decisions. Before any thread.
func (s *Sched) SetPolicy(p Policy) { s.policy = p }

// Decisions are those made so far.
func (s *Sched) Decisions() []Decision { return s.decisions }

// Ambush is the part of the running thread's plan that is not a switch at an
// event: instructions or accesses to wait for. The caller carries it out and
// calls Preempt when the moment came.
func (s *Sched) Ambush() Plan {
	if s.cur == nil || s.plan.Switch {
		return Plan{}
	}
	return s.plan
}

// Preempt ends the turn because the Ambush came true, as done says: of a plan
// of steps perhaps fewer were made.
func (s *Sched) Preempt(done Plan) {
	s.plan, s.planned = done, true
	s.Yield()
}

// pick chooses the next thread in a queue that is not empty.
func (s *Sched) pick() int {
	if s.policy == nil {
		return 0
	}
	i := s.policy.Pick(s, s.last, s.queue)
	if i != 0 {
		d := anchor(s.last)
		d.Next = s.queue[i].id
		s.decisions = append(s.decisions, d)
	}
	return i
}

// anchor is the place of a decision in the life of t.
func anchor(t *Thread) Decision {
	if t == nil {
		return Decision{Thread: -1}
	}
	return Decision{Thread: t.id, Event: t.events, End: t.ends}
}

// plans asks the policy about the event that t just made.
func (s *Sched) plans(t *Thread) {
	t.events++
	t.ends = 0
	s.plan = s.policy.Event(s, t)
}

// yielding tells the policy why the running thread goes, and notes a plan
// that came true.
func (s *Sched) yielding(t *Thread) {
	if s.policy == nil {
		return
	}
	switch {
	case s.planned || s.plan.Switch:
		d := anchor(t)
		p := s.plan
		d.Plan = &p
		s.decisions = append(s.decisions, d)
		if s.planned {
			s.policy.Yielded(t)
		}
	case !s.timerDue():
		s.policy.Yielded(t)
	}
}

func (s *Sched) timerDue() bool { return len(s.timers) > 0 && s.timers[0].When <= s.now }

// Valid reports a plan that means exactly one thing.
func (p Plan) Valid() bool {
	switch {
	case p.Switch:
		return p == Plan{Switch: true}
	case p.Steps != 0:
		return p.Steps > 0 && p == Plan{Steps: p.Steps}
	}
	return p.Watch != 0 && p.Watch%8 == 0 && p.Hits > 0
}
