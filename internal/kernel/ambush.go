package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/sched"
)

// SharedMemory implements sched.Shared: the other threads of a process can
// change its memory.
func (t *Task) SharedMemory() any {
	if len(t.proc.tasks) < 2 {
		return nil
	}
	return t.proc.mm
}

// run lets t go on to its next stop. With a plan for this stretch, sprung says
// that it came true: t gave up the turn in user code, at no stop that means
// anything.
func (k *Kernel) run(t *Task) (st ptrace.Status, sprung bool, err error) {
	plan := k.sched.Ambush()
	if plan != (sched.Plan{}) && t.onExit == nil && t.sig == 0 && !t.retrying {
		a := ambush{k: k, t: t}
		t.sends = 0
		return a.run(plan)
	}
	if err := k.resume(t); err != nil {
		return st, false, err
	}
	st, err = k.waitStop(t)
	return st, false, err
}

// ambush ends a thread's turn in the middle of user code, at a moment that is
// exact without a hardware counter: after a number of single steps, or at an
// access to a word that a debug register watches. Only a Policy asks for them
// (package sched). What the guest computes until then is what it computes
// anyway; nothing but the order of threads changes.
type ambush struct {
	k      *Kernel
	t      *Task
	mask   uint64 // the thread's own signal mask, while hidden
	hidden bool
	done   sched.Plan // what came true
}

// run carries out the plan; the status is that of the stop that came instead.
func (a *ambush) run(plan sched.Plan) (st ptrace.Status, sprung bool, err error) {
	live, quiet := true, false
	if a.t.inCall {
		st, live, err = a.finishCall()
	}
	if live && err == nil {
		quiet, err = a.canTrap(plan.Watch != 0)
	}
	switch {
	case !live || err != nil:
	case !quiet:
		st, err = a.resume(ptrace.Cont)
	case plan.Watch != 0:
		a.done = plan
		st, sprung, err = a.watch(plan.Watch, plan.Hits)
	default:
		st, sprung, err = a.steps(plan.Steps)
	}
	if e := a.showMask(); err == nil {
		err = e
	}
	if sprung && err == nil {
		a.k.endTurn(a.t, true)
		a.k.sched.Preempt(a.done)
	}
	return st, sprung, err
}

// resume makes t go on and waits for what comes of it. A request that fails
// because t was killed is no error: the wait reports its death.
func (a *ambush) resume(how func(int, unix.Signal) error) (ptrace.Status, error) {
	a.k.beat(a.t)
	if err := ignoreGone(how(a.t.tid, 0)); err != nil {
		return ptrace.Status{}, err
	}
	return a.k.waitStop(a.t)
}

// finishCall lets the call in which t stands, or at whose instruction, come to
// its exit; live is false when something else came first.
func (a *ambush) finishCall() (st ptrace.Status, live bool, err error) {
	for {
		st, err = a.resume(ptrace.Syscall)
		if err != nil || !st.SyscallStop() {
			return st, false, err
		}
		var c ptrace.CallInfo
		if err := ptrace.GetCallInfo(a.t.tid, &c); err != nil {
			return st, false, ignoreGone(err)
		}
		if c.Op == ptrace.InfoExit {
			a.t.inCall = false
			return st, true, nil
		}
		a.t.inCall = true
	}
}

// canTrap sees to it that t can take a SIGTRAP unnoticed: where that signal is
// blocked or ignored, the kernel would unblock it and reset its action
// (force_sig_info_to_task, kernel/signal.c).
func (a *ambush) canTrap(freely bool) (bool, error) {
	s, ok := a.t.sigState()
	trap := bit(unix.SIGTRAP)
	if !ok || s.ignored&trap != 0 || freely && s.caught&trap != 0 {
		return false, nil
	}
	if freely {
		return true, nil // steps of its own may change the mask: see unblocked
	}
	return true, a.hideMask()
}

// hideMask unblocks SIGTRAP until showMask.
func (a *ambush) hideMask() error {
	m, err := ptrace.SigMask(a.t.tid)
	if err != nil || m&bit(unix.SIGTRAP) == 0 {
		return ignoreGone(err)
	}
	a.mask, a.hidden = m, true
	return ignoreGone(ptrace.SetSigMask(a.t.tid, m&^bit(unix.SIGTRAP)))
}

func (a *ambush) showMask() error {
	if !a.hidden {
		return nil
	}
	a.hidden = false
	return ignoreGone(ptrace.SetSigMask(a.t.tid, a.mask))
}

// steps executes n instructions. Calls on the way are made without the trap
// flag, which they would save in r11; a call that stops ends the ambush.
func (a *ambush) steps(n int) (st ptrace.Status, sprung bool, err error) {
	t := a.t
	x, _ := a.k.cfg.Policy.(*sched.Explorer)
	last := false
	for i := 0; i < n && !last; i++ {
		a.done.Steps = i + 1
		var r ptrace.Regs
		if err := ptrace.GetRegs(t.tid, &r); err != nil {
			return st, false, ignoreGone(err)
		}
		var code [15]byte
		have, _ := ptrace.ReadMem(t.tid, r.Rip, code[:])
		if isCall(code) {
			var live bool
			if st, live, err = a.overCall(); err != nil || !live {
				return st, false, err
			}
			continue
		}
		if x != nil {
			addr, store, ok := accessed(code[:have], &r)
			last = ok && x.Access(t.th, t.proc.mm, addr, store)
		}
		if st, err = a.resume(ptrace.Step); err != nil {
			return st, false, err
		}
		if code, err := trapCode(t, st); err != nil || code != ptrace.TrapTrace {
			return st, false, err
		}
		if savesFlags(code) {
			hideTrapFlag(t)
		}
		if restoresFlags(code) {
			if err := dropTrapFlag(t); err != nil {
				return st, false, ignoreGone(err)
			}
		}
	}
	return st, true, nil
}

// overCall makes the call at whose instruction t stands.
func (a *ambush) overCall() (st ptrace.Status, live bool, err error) {
	if err := a.showMask(); err != nil {
		return st, false, err
	}
	if st, live, err = a.finishCall(); err != nil || !live {
		return st, false, err
	}
	return st, true, a.hideMask()
}

// watch lets t run until it has accessed the word at addr that many times.
func (a *ambush) watch(addr uint64, hits int) (st ptrace.Status, sprung bool, err error) {
	t := a.t
	if err := ptrace.Watch(t.tid, addr); err != nil {
		return st, false, err
	}
	for range hits {
		if st, err = a.resume(ptrace.Cont); err != nil {
			return st, false, err
		}
		code, err := trapCode(t, st)
		if err != nil || code != ptrace.TrapHwBkpt {
			return st, false, firstErr(err, ignoreGone(ptrace.Watch(t.tid, 0)))
		}
		if err := a.unblocked(); err != nil {
			return st, false, err
		}
	}
	return st, true, ignoreGone(ptrace.Watch(t.tid, 0))
}

// unblocked mends the signal mask after a trap in a stretch in which t may
// have blocked SIGTRAP: the kernel has unblocked it then. Whoever blocks all
// other signals of faults means this one too.
func (a *ambush) unblocked() error {
	m, err := ptrace.SigMask(a.t.tid)
	if err != nil {
		return ignoreGone(err)
	}
	others := bit(unix.SIGBUS) | bit(unix.SIGFPE) | bit(unix.SIGILL) | bit(unix.SIGSEGV)
	if m&others != others {
		return nil
	}
	return ignoreGone(ptrace.SetSigMask(a.t.tid, m|bit(unix.SIGTRAP)))
}

// trapCode is the code of the SIGTRAP stop st, 0 for every other stop.
func trapCode(t *Task, st ptrace.Status) (int32, error) {
	if !st.Stopped() || st.Event() != 0 || st.StopSignal() != unix.SIGTRAP {
		return 0, nil
	}
	c, err := ptrace.TrapCode(t.tid)
	return c, ignoreGone(err)
}

func firstErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
