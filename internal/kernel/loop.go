package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/tsc"
)

// verdict is what a handler decides at the entry of a call.
type verdict uint8

const (
	pass   verdict = iota // the kernel does the call, no further stop
	toExit                // the kernel does the call; Task.onExit sees the result
	answer                // the call is skipped; the result is in the registers
	park                  // not now: Task.wait says why, Task.onTurn asks again
	ended                 // the task stands at the call's exit, its result is in the registers
)

// Run lets the guest run until its root process ends. It returns that
// process's wait status, or the error that ended the run.
func (k *Kernel) Run() (ptrace.Status, error) {
	defer ptrace.Quiet()()
	if !k.cfg.Open.Time { // the guest has none
		defer tsc.Off()()
	}
	k.heart.tracer.Store(int64(unix.Gettid()))
	defer k.heart.tracer.Store(0)
	if k.cfg.Open.Threads {
		return k.runConcurrent()
	}
	if k.cfg.FIFOs != nil {
		k.cfg.FIFOs.TellFifo(unix.Gettid())
		defer k.cfg.FIFOs.TellFifo(0)
	}
	for k.exit == nil {
		k.garbage.Tick()
		if err := k.stopErr(); err != nil {
			return ptrace.Status{}, err
		}
		if err := k.cfg.FSErr(); err != nil {
			return ptrace.Status{}, err
		}
		k.catchUp()
		k.forwardSignals()
		k.fireTimers() // first: a timerfd's expiration makes a descriptor ready
		k.wakeTTY()    // before the others: a work queue decides whether these are among them
		k.wakeReady()
		k.wakeCrowd()
		k.wakeLockWaiters()
		k.wakeSpinners()
		if k.async {
			k.wakeAllSignalled()
		}
		th := k.sched.Next()
		if th == nil {
			if typed, err := k.typeIdle(false); typed || err != nil {
				if err != nil {
					return ptrace.Status{}, err
				}
				continue
			}
			if k.waitOutside() {
				continue
			}
			if !k.jump() {
				if typed, err := k.typeIdle(true); err != nil {
					return ptrace.Status{}, err
				} else if typed || k.awaitTyping() || k.awaitSignal() {
					continue
				}
				return ptrace.Status{}, k.deadlock()
			}
			k.setNow()
			continue
		}
		k.beginTurn(th.Data.(*Task))
		if err := k.step(th.Data.(*Task)); err != nil {
			if s := k.stopErr(); s != nil {
				return ptrace.Status{}, s
			}
			return ptrace.Status{}, err
		}
	}
	return *k.exit, nil
}

// step runs t until it parks, dies, stops or yields.
func (k *Kernel) step(t *Task) error {
	t.preempt, t.sends = false, 0
	if t.wait.spin != nil {
		if parked, err := k.leaveSpin(t); parked || err != nil {
			return err
		}
	}
	if f := t.onTurn; f != nil {
		if k.staleWake(t) {
			return nil
		}
		v := pass
		if k.mayGoOn(t) {
			k.unpark(t)
			t.onTurn = nil
		} else {
			k.unpark(t)
			t.onTurn = nil
			v = f(t)
		}
		if v == park {
			return k.park(t, f)
		}
		if err := k.apply(t, v); err != nil {
			return err
		}
	}
	for {
		st, sprung, err := k.run(t)
		if err != nil {
			return err
		}
		k.prof.arrive(t, st)
		k.countServed(t)
		if k.stopped.Load() != nil {
			return k.stopErr()
		}
		if st.Dead() {
			return k.death(t, st)
		}
		if sprung {
			return nil
		}
		parked, err := k.stop(t, st)
		if err != nil || parked {
			k.endTurn(t, false)
			return err
		}
		if t.preempt {
			if t.entering { // others may take what there is before the kernel makes the call
				t.onTurn = t.found
			}
			k.endTurn(t, false)
			k.sched.Yield()
			return nil
		}
	}
}

// resume lets t go on from its stop, delivering a pending signal.
func (k *Kernel) resume(t *Task) error {
	k.beat(t)
	if !t.unasked {
		k.typeRunning(t, false)
	}
	t.unasked = false
	k.armFast(t)
	k.prof.leave()
	sig := t.sig
	t.sig, t.sends = 0, k.sends
	var err error
	if t.onExit != nil {
		err = ptrace.Syscall(t.tid, sig)
	} else {
		err = ptrace.Cont(t.tid, sig)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil // killed meanwhile: the wait reports its death
	}
	return err
}

// stop handles one stop of t; parked means that t gave up the turn.
func (k *Kernel) stop(t *Task, st ptrace.Status) (parked bool, err error) {
	switch ev := st.Event(); ev {
	case unix.PTRACE_EVENT_SECCOMP:
		return k.seccompStop(t)
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		return k.forkStop(t, ev)
	case unix.PTRACE_EVENT_EXEC:
		return false, k.execStop(t)
	case unix.PTRACE_EVENT_STOP:
		if st.GroupStop() {
			return true, k.groupStop(t, st.StopSignal())
		}
		if t.fifoMet {
			return false, k.fifoStop(t)
		}
		if t.nudged && k.cfg.Open.Time {
			t.preempt = true // timers and others have had to wait long enough
			return false, nil
		}
		if t.nudged {
			t.entering = false
			k.typeRunning(t, true)
			return k.spinStop(t, int(k.heart.steps.Load()))
		}
		return false, nil
	}
	if st.SyscallStop() {
		return k.exitStop(t)
	}
	return k.signalStop(t, st.StopSignal())
}

// seccompStop is the entry of a call that the filter hands to us.
func (k *Kernel) seccompStop(t *Task) (bool, error) {
	t.inCall = true
	if err := t.loadCall(); err != nil {
		return false, ignoreGone(err)
	}
	if k.frees(t) || k.watch(t) {
		return false, nil
	}
	k.wakeCrowd()
	k.speedUp(t)
	v := k.enter(t)
	if v == park && k.cfg.Open.Threads {
		k.unpark(t) // it may block in the kernel
		t.onTurn, t.restart = nil, restart{}
		v = pass
	}
	if v == park {
		return true, k.park(t, t.onTurn)
	}
	if err := k.apply(t, v); err != nil || !t.leaderGone || k.cfg.Open.Threads {
		return false, err
	}
	if err := k.resume(t); err != nil {
		return false, err
	}
	k.sched.Park(t.th, -1) // until the last sibling is gone
	return true, nil
}

// apply carries out a handler's verdict on a task stopped at a call's entry.
func (k *Kernel) apply(t *Task, v verdict) error {
	t.entering = v == pass || v == toExit
	if v == answer || v == ended {
		// The call is over. One that ended for another reason in the same turn
		// (a sleep whose time was over) must not leave the wake-up to the next.
		t.sigWake = false
	}
	if v == ended {
		k.logExit(t, int64(t.regs.Rax))
		t.onExit = nil
		return nil
	}
	if v == answer {
		k.logExit(t, int64(t.regs.Rax))
		t.onExit = nil
		return ignoreGone(t.skip())
	}
	if v == pass {
		if t.retrying { // about to enter the call again: its seccomp stop comes next
			t.onExit = nil
			return nil
		}
		if k.logging() && t.logged {
			t.onExit = func(t *Task) {} // the log wants the result
		} else {
			t.onExit = nil
		}
	}
	return nil
}

// exitStop is the end of a call for which a handler asked.
func (k *Kernel) exitStop(t *Task) (bool, error) {
	t.inCall, t.entering, t.sends = false, false, 0
	f := t.onExit
	if err := t.loadResult(); err != nil {
		if errors.Is(err, errAtEntry) {
			return false, nil
		}
		t.onExit = nil
		return false, ignoreGone(err)
	}
	t.onExit = nil
	if t.fifoMet {
		t.fifoMet = false
		if opensFifo(int64(t.callNr), t.result()) {
			t.retrying = true // by the kernel
			return false, nil
		}
	}
	if f != nil {
		f(t)
	}
	if !t.retrying {
		k.giveBack(t)
	}
	if t.onTurn != nil { // the handler wants to try again later
		return true, k.park(t, t.onTurn)
	}
	if !t.retrying {
		k.logExit(t, int64(t.regs.Rax))
	}
	return false, nil
}

// park takes the turn from t until its wait is over; again re-examines then.
func (k *Kernel) park(t *Task, again func(*Task) verdict) error {
	t.onTurn = again
	k.sched.Park(t.th, t.restart.parkUntil())
	for i := range t.wait.fds {
		add := k.waiters.add
		if t.wait.edges {
			k.wakeCrowd()
			add = k.crowd.add
		}
		if err := add(t, &t.wait.fds[i]); err != nil {
			return fmt.Errorf("wait for %s: %w", t.wait.what, err)
		}
	}
	// A signal that is already pending ends the wait at once.
	if !k.calm(t) {
		k.wakeIfSignalled(t)
	}
	return nil
}

// unpark releases what a parked task held in the supervisor.
func (k *Kernel) unpark(t *Task) {
	for i := range t.wait.fds {
		if !t.wait.edges || !k.crowd.remove(&t.wait.fds[i]) {
			k.waiters.remove(&t.wait.fds[i])
		}
	}
	k.stopAlarm(t.wait.alarm)
	if t.wait.futex != nil {
		k.futexes.drop(t.wait.futex)
	}
	if t.wait.queue != nil {
		t.wait.queue.leave()
	}
	if t.wait.spin != nil {
		k.spinners--
	}
	t.wait = waitFor{}
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}
