package kernel

import (
	"bytes"
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
// Noticing is left to others (Nudge). A loop that is never proved just runs on.

// spin is a proved cycle at whose canonical state a task is parked.
type spin struct {
	at     uint64 // instruction
	period int    // in instructions
	places []place
	values []byte // of the places, one after the other
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

// wakeSpinners lets those go on whose memory somebody changed.
func (k *Kernel) wakeSpinners() {
	if k.spinners == 0 {
		return
	}
	for _, t := range k.order {
		if s := t.wait.spin; s != nil && s.changed(t) {
			k.sched.Wake(t.th)
		}
	}
}

// leaveSpin lets t, which has the turn again, look whether it still has to
// wait: it is stepped once round the cycle, which saves it from being noticed.
func (k *Kernel) leaveSpin(t *Task) (parked bool, err error) {
	s := t.wait.spin
	signal := t.sigWake
	t.sigWake = false
	k.unpark(t)
	if signal {
		return false, nil
	}
	return k.spinStop(t, 2*s.period+16)
}

// spinStop parks t if at most steps instructions prove that it goes round in a
// pure cycle.
func (k *Kernel) spinStop(t *Task, steps int) (parked bool, err error) {
	s, other, err := k.findCycle(t, steps)
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
	k.spinners++
	t.wait = waitFor{what: "memory to change", spin: s}
	k.sched.Park(t.th, -1)
	k.wakeIfSignalled(t)
	return true, nil
}

// findCycle steps t. It returns the cycle, at whose canonical state t is then,
// or nil, or another stop than that of a step.
func (k *Kernel) findCycle(t *Task, steps int) (s *spin, other *ptrace.Status, err error) {
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
	c := cycle{t: t, seen: map[ptrace.Regs][]int{}}
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
	at     uint64
	states []ptrace.Regs
	floats []ptrace.FPRegs       // those of SSE beside states; nil before an instruction used any
	seen   map[ptrace.Regs][]int // steps at which the registers were these
	marks  []mark
	other  *ptrace.Status // a stop that is not that of a step
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
		// One round may pass the same registers more than once, called from
		// different places: then the stack is another.
		for _, j := range c.seen[r] {
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
		c.seen[r] = append(c.seen[r], i)
		c.states = append(c.states, r)
		if c.floats != nil {
			c.floats = append(c.floats, f)
		}
		if !c.note(i, &r) {
			return nil, nil
		}
		if ok, err := c.step(); !ok {
			return nil, err
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

// settle brings t to the canonical state of the proved cycle from state j on:
// the lowest instruction, then registers.
func (c *cycle) settle(j int, ps []place) (*spin, error) {
	s := &spin{period: len(c.states) - j, places: ps}
	first := j
	for i := j + 1; i < len(c.states); i++ {
		if c.states[i] == c.states[first] && c.floats != nil && bytes.Compare(c.floats[i][:], c.floats[first][:]) < 0 || before(&c.states[i], &c.states[first]) {
			first = i
		}
	}
	for range first - j {
		if ok, err := c.step(); !ok {
			return nil, err
		}
	}
	if r, err := c.regs(); err != nil || r != c.states[first] {
		return nil, err
	}
	if c.floats != nil {
		var f ptrace.FPRegs
		if err := ptrace.GetFPRegs(c.t.tid, &f); err != nil || f != c.floats[first] {
			return nil, err
		}
	}
	s.at = c.states[first].Rip
	var ok bool
	if s.values, ok = c.t.values(s.places); !ok {
		return nil, nil
	}
	return s, nil
}

func before(a, b *ptrace.Regs) bool {
	x := [...]uint64{a.Rip, a.Rsp, a.Rax, a.Rbx, a.Rcx, a.Rdx, a.Rsi, a.Rdi, a.Rbp, a.R8, a.R9, a.R10, a.R11, a.R12, a.R13, a.R14, a.R15, a.Eflags}
	y := [...]uint64{b.Rip, b.Rsp, b.Rax, b.Rbx, b.Rcx, b.Rdx, b.Rsi, b.Rdi, b.Rbp, b.R8, b.R9, b.R10, b.R11, b.R12, b.R13, b.R14, b.R15, b.Eflags}
	return slices.Compare(x[:], y[:]) < 0
}
