package sched

import (
	"math/bits"
	"slices"
	"testing"
)

// Signals as package kernel hands them to the scheduler: every parked thread of the
// process that does not block one is woken for it. Who gets the turn first takes it; the
// others park again until their old deadline.

const (
	processes = 4 // thread i is one of process i%processes
	signals   = 6
)

// modelSignals is what a simple kernel knows of signals: sets of them.
type modelSignals struct {
	pending [processes]uint
	sent    [processes]uint
	taken   [processes]uint
	blocked []uint // by thread
	woken   []bool // by thread: for a signal, not yet looked at
	until   []int64
}

// grow makes room for threads born since.
func (g *modelSignals) grow(n int, blocked func() uint) {
	for len(g.blocked) < n {
		g.blocked = append(g.blocked, blocked())
		g.woken = append(g.woken, false)
		g.until = append(g.until, -1)
	}
}

func (g *modelSignals) deliverable(i int) uint { return g.pending[i%processes] &^ g.blocked[i] }

// someSignals is a random set, often none.
func (d *driver) someSignals() uint { return uint(d.rnd.Intn(1<<signals) & d.rnd.Intn(1<<signals)) }

// signal sends one to a process.
func (d *driver) signal() {
	p, sig := d.rnd.Intn(processes), uint(1)<<d.rnd.Intn(signals)
	if d.signals.pending[p]&sig != 0 {
		return // it is pending already, once
	}
	d.signals.pending[p] |= sig
	d.signals.sent[p]++
	d.wakeSignalled()
}

// wakeSignalled wakes the parked threads that have one to take, in order of birth.
func (d *driver) wakeSignalled() {
	for i := range d.threads {
		if d.m.threads[i].state == Parked && d.signals.deliverable(i) != 0 {
			d.signals.woken[i] = true
			d.s.Wake(d.threads[i])
			d.m.wake(i)
		}
	}
}

// mask changes what a thread blocks that has the turn.
func (d *driver) mask() {
	if i := d.m.cur; i >= 0 {
		d.signals.blocked[i] = d.someSignals()
		d.take(i)
	}
}

// take is what thread i does first in its turn: it takes the lowest signal, or parks
// again when another has taken that for which it was woken.
func (d *driver) take(i int) {
	g := &d.signals
	woken := g.woken[i]
	g.woken[i] = false
	if set := g.deliverable(i); set != 0 {
		g.pending[i%processes] &^= 1 << bits.TrailingZeros(set)
		g.taken[i%processes]++
		return
	}
	if woken && (g.until[i] < 0 || g.until[i] > d.m.now) {
		d.parkUntil(i, g.until[i])
	}
}

// checkSignals: none is lost, and none comes to a thread that blocks it.
func (d *driver) checkSignals() {
	g := &d.signals
	for p := range processes {
		if n := uint(bits.OnesCount(g.pending[p])); g.sent[p] != g.taken[p]+n {
			d.tb.Fatalf("process %d: %d signals sent, %d taken, %d pending", p, g.sent[p], g.taken[p], n)
		}
	}
	for i, t := range d.threads {
		if t.State() == Parked && g.deliverable(i) != 0 {
			d.tb.Fatalf("thread %d is parked, signals %b wait for it", i, g.deliverable(i))
		}
	}
}

// TestModelSignals: at the end of a random program every signal that some thread does
// not block is taken by one, once the threads have had their turns.
func TestModelSignals(t *testing.T) {
	taken := uint(0)
	for seed := range 100 {
		d := newDriver(t, int64(seed), nil)
		d.run(2000)
		for range 4 * len(d.threads) {
			th := d.s.Next()
			if i := d.m.next(); i < 0 {
				break
			} else if th.Data != any(testData(i)) {
				t.Fatalf("seed %d: %v has the turn, want %d", seed, th.Data, i)
			} else if d.take(i); d.m.cur == i {
				d.parkUntil(i, -1)
				d.wakeSignalled()
			}
			d.check()
		}
		for i := range d.threads {
			if d.m.threads[i].state != Dead && d.signals.deliverable(i) != 0 {
				t.Errorf("seed %d: signals %b for thread %d, whose state is %d", seed, d.signals.deliverable(i), i, d.m.threads[i].state)
			}
		}
		taken += slices.Max(d.signals.taken[:])
	}
	if taken < 1000 {
		t.Errorf("%d signals taken: the programs do not try them", taken)
	}
}
