package sched

// Replay is a Policy that makes the given decisions and no others. Decisions
// whose moment never comes are without effect: any subset of a run's
// decisions is a schedule of its own.
type Replay struct {
	plans map[place]Plan
	picks map[place]int
}

type place struct {
	thread, end int
	event       uint64
}

// NewReplay replays decisions.
func NewReplay(decisions []Decision) *Replay {
	r := &Replay{plans: map[place]Plan{}, picks: map[place]int{}}
	for _, d := range decisions {
		at := place{d.Thread, d.End, d.Event}
		if d.Plan != nil {
			r.plans[at] = *d.Plan
		} else {
			r.picks[at] = d.Next
		}
	}
	return r
}

// Born implements Policy.
func (r *Replay) Born(*Thread) {}

// Yielded implements Policy.
func (r *Replay) Yielded(*Thread) {}

// Event implements Policy.
func (r *Replay) Event(_ *Sched, t *Thread) Plan {
	return r.plans[place{thread: t.id, event: t.events}]
}

// Resumed implements Policy.
func (r *Replay) Resumed(_ *Sched, t *Thread) Plan {
	return r.plans[place{t.id, t.ends, t.events}]
}

// Pick implements Policy.
func (r *Replay) Pick(_ *Sched, last *Thread, ready []*Thread) int {
	a := anchor(last)
	next, ok := r.picks[place{a.Thread, a.End, a.Event}]
	if !ok {
		return 0
	}
	for i, t := range ready {
		if t.id == next {
			return i
		}
	}
	return 0
}
