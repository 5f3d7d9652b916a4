package kernel

import (
	"bytes"
	"slices"

	"dettrace/internal/ptrace"
)

// A cycle in which memory changes, and changes back, is one for others, too: parked
// where it holds a lock, a thread would keep it for ever from those who try to take it
// without a call. So such a thread goes on from one of the states behind a change (a
// phase) to the next as long as nobody changes what it looks at: when all threads wait,
// before the clock jumps, until it has been at all of them since somebody began to wait
// so; and at moments that grow rarer, for those who try again between sleeps.

// phaseTime is how long a thread stays at a phase, in ns, and twice that after each
// jump of the clock.
const phaseTime = 100_000

// phaseMoves are the most moves, for each thread that waits in a cycle, before a jump of
// the clock and without an event between: each may disturb the others for ever.
const phaseMoves = 16

// phasesMost are the phases of a cycle that are told apart.
const phasesMost = 8

// phasing is what the kernel knows of the threads that go from phase to phase.
type phasing struct {
	waiters int    // times that a thread came to wait in a cycle
	events  uint64 // that had been made when these two were zero:
	moves   int    // to the next phase
	jumps   int    // of the clock
}

// parked notes that a thread is parked as s, after last or nil; move says that it is in
// the same cycle and went on to the next phase.
func (p *phasing) parked(s, last *spin, move bool) {
	if !move {
		p.waiters++
	}
	s.since, s.waiters = p.waiters, p.waiters
	if last == nil {
		return
	}
	if s.at == last.at && slices.Equal(s.places, last.places) { // it has not got what it waits for
		s.since = last.since
	}
	if move {
		s.moves = 1
		if last.waiters == p.waiters {
			s.moves += last.moves
		}
	}
}

// now begins to count anew after an event.
func (p *phasing) now(events uint64) *phasing {
	if p.events != events {
		p.events, p.moves, p.jumps = events, 0, 0
	}
	return p
}

// phaseEnd is the moment at which a thread parked so goes to the next phase, in ns since
// 1970; -1: it stays.
func (k *Kernel) phaseEnd(s *spin) int64 {
	if s.phases < 2 {
		return -1
	}
	return satAdd(k.Now(), phaseTime<<min(k.phasing.now(k.stats.Events).jumps, 40))
}

// shown reports that the thread stopped at all phases since the last one came to wait,
// and nobody could do anything.
func (s *spin) shown(p *phasing) bool { return s.waiters == p.waiters && s.moves > s.phases }

// movePhase lets a thread go to its next phase, as nobody can go on; false: none has
// one that it has not shown.
func (k *Kernel) movePhase() bool {
	p := k.phasing.now(k.stats.Events)
	if p.moves >= phaseMoves*k.spinners {
		return false
	}
	for _, t := range k.order {
		if s := t.wait.spin; s != nil && s.phases > 1 && !s.shown(p) {
			p.moves++
			k.sched.Wake(t.th)
			return true
		}
	}
	return false
}

// onlyPhases reports that nothing is to come but moves from phase to phase.
func (k *Kernel) onlyPhases() bool {
	n := 0
	for _, t := range k.order {
		if s := t.wait.spin; s != nil && s.phases > 1 {
			n++
		}
	}
	return n > 0 && k.sched.Timers() == n
}

// keep notes what lies at p.
func (c *cycle) keep(p place, b []byte) {
	for i, x := range b {
		a := p.addr + uint64(i)
		old, known := c.image[a]
		if known && old != x {
			c.sum ^= mix(a, uint64(old)) ^ mix(a, uint64(x))
		}
		c.image[a] = x
	}
}

// renew looks again where the instruction of step i stored.
func (c *cycle) renew(i int) bool {
	for j := len(c.marks) - 1; j >= 0 && c.marks[j].step == i; j-- {
		p := c.marks[j].place
		b := make([]byte, p.size)
		if !c.t.read(p.addr, b) {
			return false
		}
		c.keep(p, b)
	}
	return true
}

// choose gives the state of the cycle from state j on at which the thread is parked,
// and notes its phases in s. The first phase is the canonical state: the lowest
// instruction, then registers, then memory. The others are the states behind a change of
// memory, in order, but for the frames of what the cycle calls.
func (c *cycle) choose(j int, s *spin) int {
	changes, common := c.changes(j)
	first := j
	for i := j + 1; i < len(c.states); i++ {
		if c.less(i, first, common) {
			first = i
		}
	}
	s.phases = 1
	if len(changes) == 0 {
		return first
	}
	for i := range changes {
		changes[i] = (changes[i] - first + s.period) % s.period // steps behind the first
	}
	slices.Sort(changes)
	changes = slices.Compact(changes)
	if changes[0] == 0 {
		changes = changes[1:]
	}
	changes = changes[:min(len(changes), phasesMost-1)]
	s.phases += len(changes)
	if l := c.last; l != nil {
		s.phase = (l.phase + 1) % s.phases
	} else {
		// Not always the same: of two such threads each may wait for the other's.
		c.t.phased++
		s.phase = (c.t.phased - 1) % s.phases
	}
	if s.phase == 0 {
		return first
	}
	return j + (first-j+changes[s.phase-1])%s.period
}

// less compares states of one cycle; common is what the sums of all have besides the
// memory of the cycle.
func (c *cycle) less(a, b int, common uint64) bool {
	x, y := &c.states[a], &c.states[b]
	switch {
	case before(&x.Regs, &y.Regs):
		return true
	case x.Regs != y.Regs:
		return false
	}
	if c.floats != nil {
		if n := bytes.Compare(c.floats[a][:], c.floats[b][:]); n != 0 {
			return n < 0
		}
	}
	return x.sum^common < y.sum^common
}

// changes lists the states of the cycle from state j on behind an instruction that
// changed memory outside of the frames that the cycle makes and leaves. common makes of
// a state's sum one of the memory that changes, whatever was before.
func (c *cycle) changes(j int) (list []int, common uint64) {
	type seen struct {
		step        int
		first, last byte
		varies      bool
	}
	low, high := ^uint64(0), uint64(0)
	for i := j; i < len(c.states); i++ {
		low, high = min(low, c.states[i].Rsp), max(high, c.states[i].Rsp)
	}
	const redZone = 128 // below the stack pointer (System V ABI, 3.2.2)
	low -= redZone
	frame := func(a uint64) bool { return a >= low && a < high }
	behind := func(step int) int { return j + (step+1-j)%(len(c.states)-j) }
	at := map[uint64]*seen{}
	var order []uint64
	for _, m := range c.marks {
		if m.step < j {
			continue
		}
		for i, x := range m.value {
			a := m.addr + uint64(i)
			v := at[a]
			if v == nil {
				at[a] = &seen{m.step, x, x, false}
				order = append(order, a)
				continue
			}
			if v.last != x {
				v.varies = true
				if !frame(a) {
					list = append(list, behind(v.step))
				}
			}
			v.step, v.last = m.step, x
		}
	}
	common = c.states[j].sum
	for _, a := range order {
		v := at[a]
		if v.last != v.first && !frame(a) {
			list = append(list, behind(v.step))
		}
		if v.varies {
			common ^= mix(a, uint64(v.first))
		}
	}
	return list, common
}

// before compares registers.
func before(a, b *ptrace.Regs) bool {
	x := [...]uint64{a.Rip, a.Rsp, a.Rax, a.Rbx, a.Rcx, a.Rdx, a.Rsi, a.Rdi, a.Rbp, a.R8, a.R9, a.R10, a.R11, a.R12, a.R13, a.R14, a.R15, a.Eflags}
	y := [...]uint64{b.Rip, b.Rsp, b.Rax, b.Rbx, b.Rcx, b.Rdx, b.Rsi, b.Rdi, b.Rbp, b.R8, b.R9, b.R10, b.R11, b.R12, b.R13, b.R14, b.R15, b.Eflags}
	return slices.Compare(x[:], y[:]) < 0
}
