package kernel

import (
	"bytes"
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
)

// A thread that waits in a loop for memory to change gives up the turn, without
// a call and without a counter of instructions. The proof: single steps lead
// back to the same registers, no instruction of the cycle can have had other
// effects than on them and on memory that can be named, and that memory is what
// it was. Then nothing but somebody else can end the loop, and how often it went
// round cannot matter. Where it is parked can: always at the same state of the
// cycle, so that the wall-clock moment at which it was noticed decides nothing.
//
// A cycle may store, if the memory is again what it was when it comes round: one
// that looks at something under a lock takes the lock and gives it back. Then others
// can go on at some of its states and not at others (spin_phase.go).
//
// Noticing is left to others (Nudge). A loop that is never proved just runs on.

// spin is a proved cycle at one state of which a task is parked.
type spin struct {
	at      uint64 // instruction
	period  int    // in instructions
	places  []place
	values  []byte // of the places, one after the other
	phases  int    // states at which it can be parked, see spin_phase.go
	phase   int    // at which it is
	moves   int    // to the next while nobody changed the memory, since
	waiters int    // this many had come to wait
	since   int    // this many had come to wait when the thread did
}

// changed reports whether the memory that the cycle looks at is another now.
func (s *spin) changed(t *Task) bool {
	v, ok := t.values(s.places)
	return !ok || !bytes.Equal(v, s.values)
}

func (t *Task) values(ps []place) ([]byte, bool) {
	n := 0
	for _, p := range ps {
		n += p.size
	}
	b := make([]byte, n)
	n = 0
	for _, p := range ps {
		if !t.read(p.addr, b[n:n+p.size]) {
			return nil, false
		}
		n += p.size
	}
	return b, true
}

// wakeSpinners lets those go on whose memory somebody changed, who waits longest first.
func (k *Kernel) wakeSpinners() {
	if k.spinners == 0 {
		return
	}
	var woken []*Task
	for _, t := range k.order {
		if s := t.wait.spin; s != nil && s.changed(t) {
			woken = append(woken, t)
		}
	}
	slices.SortStableFunc(woken, func(a, b *Task) int { return cmp.Compare(a.wait.spin.since, b.wait.spin.since) })
	for _, t := range woken {
		k.sched.Wake(t.th)
	}
}

// leaveSpin lets t, which has the turn again, look whether it still has to
// wait: it is stepped once round the cycle, which saves it from being noticed.
func (k *Kernel) leaveSpin(t *Task) (parked bool, err error) {
	s := t.wait.spin
	signal := t.sigWake
	t.sigWake = false
	move := s.phases > 1 && !s.changed(t)
	k.unpark(t)
	if signal {
		return false, nil
	}
	return k.parkSpinning(t, 2*s.period+16, s, move)
}

// spinStop parks t if at most steps instructions prove that it goes round in a
// pure cycle.
func (k *Kernel) spinStop(t *Task, steps int) (parked bool, err error) {
	return k.parkSpinning(t, steps, nil, false)
}

// parkSpinning is spinStop. If t was parked until now, last is how; move says that it
// is in the same cycle and wanted at the next phase.
func (k *Kernel) parkSpinning(t *Task, steps int, last *spin, move bool) (parked bool, err error) {
	from := (*spin)(nil)
	if move {
		from = last
	}
	s, other, err := k.findCycle(t, steps, from)
	if err != nil {
		return false, ignoreGone(err)
	}
	if other != nil {
		if other.Dead() {
			return true, k.death(t, *other)
		}
		return k.stop(t, *other)
	}
	if s == nil {
		t.looked = t.nudged
		return false, nil
	}
	k.phasing.parked(s, last, move)
	k.spinners++
	t.wait = waitFor{what: "memory to change", spin: s}
	k.sched.Park(t.th, k.phaseEnd(s))
	k.wakeIfSignalled(t)
	return true, nil
}

// findCycle steps t. It returns the cycle, at a state of which t is then where it can
// be parked, or nil, or another stop than that of a step.
func (k *Kernel) findCycle(t *Task, steps int, last *spin) (s *spin, other *ptrace.Status, err error) {
	if st, ok := t.sigState(); !ok || st.ignored&bit(unix.SIGTRAP) != 0 {
		return nil, nil, nil // the kernel would reset an ignored SIGTRAP
	}
	mask, err := ptrace.SigMask(t.tid)
	if err != nil {
		return nil, nil, err
	}
	// Asynchronous signals wait; the kernel would reset SIGTRAP if it were blocked.
	faults := bit(unix.SIGSEGV) | bit(unix.SIGBUS) | bit(unix.SIGFPE) | bit(unix.SIGILL)
	if err := ptrace.SetSigMask(t.tid, ^(bit(unix.SIGTRAP)|faults)|mask&faults); err != nil {
		return nil, nil, err
	}
	c := cycle{t: t, last: last, seen: map[state][]int{}, image: map[uint64]byte{}}
	s, err = c.find(steps)
	if c.other != nil && c.other.Dead() {
		return nil, c.other, nil
	}
	if c.at != 0 {
		k.heart.at.Store(c.at)
	}
	if e := ptrace.SetSigMask(t.tid, mask); err == nil {
		err = e
	}
	return s, c.other, err
}

// cycle is the search for one.
type cycle struct {
	t      *Task
	last   *spin // in which t was parked, or nil
	at     uint64
	states []state
	floats []ptrace.FPRegs // those of SSE beside states; nil before an instruction used any
	seen   map[state][]int // steps at which the state was this one
	marks  []mark
	image  map[uint64]byte // what lies where instructions looked or stored
	sum    uint64          // of what has changed there since the first step
	other  *ptrace.Status  // a stop that is not that of a step
}

// state is where a thread is in a cycle. Of the memory it has a sum, which tells
// states apart that have the same registers: a loop that counts in memory has many.
type state struct {
	ptrace.Regs
	sum uint64
}

// mark is what lay at a place before a step.
type mark struct {
	step int
	place
	value []byte
}

func (c *cycle) find(steps int) (*spin, error) {
	for i := range steps {
		r, err := c.regs()
		if err != nil {
			return nil, err
		}
		c.at = r.Rip
		var f ptrace.FPRegs
		if c.floats != nil {
			if err := ptrace.GetFPRegs(c.t.tid, &f); err != nil {
				return nil, err
			}
		}
		at := state{r, c.sum}
		for _, j := range c.seen[at] {
			if c.floats != nil && c.floats[j] != f {
				continue
			}
			if ps, ok := c.unchanged(j); ok {
				return c.settle(j, ps)
			}
		}
		if fastpath.InCode(r.Rip) || fastpath.InStub(r.Rip) {
			return nil, nil // it makes calls
		}
		c.seen[at] = append(c.seen[at], i)
		c.states = append(c.states, at)
		if c.floats != nil {
			c.floats = append(c.floats, f)
		}
		if !c.note(i, &r) {
			return nil, nil
		}
		if ok, err := c.step(); !ok {
			return nil, err
		}
		if !c.renew(i) {
			return nil, nil
		}
	}
	return nil, nil
}

// regs are the registers as far as they are the program's: the call number is
// that of the last stop, the resume and trap flags are the stepper's.
func (c *cycle) regs() (r ptrace.Regs, err error) {
	const resumeFlag = 0x10000
	err = ptrace.GetRegs(c.t.tid, &r)
	r.Orig_rax = 0
	r.Eflags &^= resumeFlag | trapFlag
	return r, err
}

// note keeps what lies where the next instruction may look or store.
func (c *cycle) note(i int, r *ptrace.Regs) bool {
	var code [15]byte
	n, _ := ptrace.ReadMem(c.t.tid, r.Rip, code[:])
	ps, ok := touches(code[:n], r)
	if !ok {
		return false
	}
	if c.floats == nil && usesVector(code[:n]) {
		var f ptrace.FPRegs // as they have been since the first state
		if ptrace.GetFPRegs(c.t.tid, &f) != nil {
			return false
		}
		c.floats = slices.Repeat([]ptrace.FPRegs{f}, len(c.states))
	}
	for _, p := range ps {
		b := make([]byte, p.size)
		if !c.t.read(p.addr, b) {
			return false
		}
		c.marks = append(c.marks, mark{i, p, b})
		c.keep(p, b)
	}
	return true
}

func (c *cycle) step() (bool, error) {
	if err := ptrace.Step(c.t.tid, 0); err != nil {
		return false, err
	}
	_, st, err := ptrace.Wait(c.t.tid, 0)
	if err != nil {
		return false, err
	}
	if !st.Stopped() || st.Event() != 0 || st.StopSignal() != unix.SIGTRAP {
		c.other = &st
		return false, nil
	}
	return true, nil
}

// unchanged compares the memory of the cycle from state j on, where t is again.
func (c *cycle) unchanged(j int) (ps []place, ok bool) {
	for _, m := range c.marks {
		if m.step < j || slices.Contains(ps, m.place) {
			continue
		}
		b := make([]byte, m.size)
		if !c.t.read(m.addr, b) || !bytes.Equal(b, m.value) {
			return nil, false
		}
		ps = append(ps, m.place)
	}
	return ps, true
}

// settle brings t to a state of the proved cycle from state j on where it can be
// parked.
func (c *cycle) settle(j int, ps []place) (*spin, error) {
	s := &spin{period: len(c.states) - j, places: ps}
	to := c.choose(j, s)
	for range to - j {
		if ok, err := c.step(); !ok {
			return nil, err
		}
	}
	if r, err := c.regs(); err != nil || r != c.states[to].Regs {
		return nil, err
	}
	if c.floats != nil {
		var f ptrace.FPRegs
		if err := ptrace.GetFPRegs(c.t.tid, &f); err != nil || f != c.floats[to] {
			return nil, err
		}
	}
	s.at = c.states[to].Rip
	var ok bool
	if s.values, ok = c.t.values(s.places); !ok {
		return nil, nil
	}
	return s, nil
}
