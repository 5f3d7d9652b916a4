package kernel

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// forkStop handles the birth of a process or thread. The child's first stop
// and the parent's event come in any order; waiting for the child by name
// here makes one order of it. The parent keeps the turn.
func (k *Kernel) forkStop(t *Task, ev int) (bool, error) {
	t.inCall, t.asks = true, 0
	t.hasBorn(k)
	if k.cfg.Open.Threads {
		return k.birth(t)
	}
	msg, err := ptrace.EventMsg(t.tid)
	if err != nil {
		return false, ignoreGone(err)
	}
	tid := int(msg)
	if k.newborn[tid] {
		delete(k.newborn, tid)
	} else if _, st, err := ptrace.Wait(tid, 0); err != nil {
		return false, err
	} else if st.Dead() {
		return false, nil // the namespace is being killed
	}
	k.stats.Forks++
	if err := ptrace.GetRegs(t.tid, &t.regs); err != nil {
		return false, ignoreGone(err)
	}
	t.callNr, t.called = int(t.regs.Orig_rax), true
	flags, ctid, ends := k.cloneFlags(t)
	if flags&unix.CLONE_THREAD != 0 {
		c := k.newTask(tid, t.proc)
		k.logBirth(t, c)
		if err := k.born(c); err != nil {
			return false, err
		}
		c.timerSlack, c.attr, c.watched = t.timerSlack, t.attr.Fork(), t.watched
		if flags&unix.CLONE_CHILD_CLEARTID != 0 {
			c.clearTID = ctid
		}
		if flags&unix.CLONE_SYSVSEM != 0 {
			t.shareUndo(c)
		}
		k.traceBirth(c, t.proc)
		return false, nil
	}
	k.sharedFiles = k.sharedFiles || flags&unix.CLONE_FILES != 0
	parent := t.proc
	if flags&unix.CLONE_PARENT != 0 {
		parent = t.proc.parent
	}
	p, err := k.newProcess(tid, parent)
	if err != nil {
		return false, err
	}
	if parent != nil && ends != uint64(unix.SIGCHLD) {
		parent.oddChildren = true
	}
	p.comm, p.groups, p.tunables, p.limits = t.proc.comm, t.proc.groups, t.proc.tunables, t.proc.limits
	if flags&unix.CLONE_VM != 0 {
		p.mm = t.proc.mm
	} else {
		p.mm.fast, p.mm.barriers = t.proc.mm.fast.fork(), t.proc.mm.barriers
	}
	k.shmFork(t.proc.mm, p.mm)
	p.vdsoBase, p.over, p.interprets = t.proc.vdsoBase, t.proc.over, t.proc.interprets
	p.segv = t.proc.segv.inherit(flags)
	p.kin = t.proc.kin.child()
	c := k.newTask(tid, p)
	k.logBirth(t, c)
	if err := k.born(c); err != nil {
		return false, err
	}
	c.timerSlack, c.attr, c.watched = t.timerSlack, t.attr.Fork(), t.watched
	if flags&unix.CLONE_SYSVSEM != 0 {
		t.shareUndo(c)
	}
	if flags&unix.CLONE_CHILD_CLEARTID != 0 {
		c.clearTID = ctid
	}
	k.traceBirth(c, t.proc)
	if err := k.pidWrap(c.vtid); err != nil {
		return false, err
	}
	if ev == unix.PTRACE_EVENT_VFORK {
		// The parent sleeps in the kernel until the child execs or dies:
		// leave it at its event till then.
		p.vforkTask = t
		t.wait = waitFor{what: "vfork child " + strconv.Itoa(p.vpid), vfork: p}
		k.sched.Park(t.th, -1)
		return true, nil
	}
	return false, nil
}

// cloneFlags are the flags of the call at whose event of a birth t stands, 0 for
// fork, the address that CLONE_CHILD_CLEARTID is about, and the signal at the
// child's end.
func (k *Kernel) cloneFlags(t *Task) (flags, ctid, ends uint64) {
	switch int(t.regs.Orig_rax) {
	case unix.SYS_CLONE:
		return t.arg(0), t.arg(3), t.arg(0) & 0xff // CSIGNAL
	case unix.SYS_CLONE3:
		return k.clone3Flags(t)
	case unix.SYS_VFORK:
		return unix.CLONE_VFORK | unix.CLONE_VM, 0, uint64(unix.SIGCHLD)
	}
	return 0, 0, uint64(unix.SIGCHLD)
}

// pidWrap rewinds the namespace's pid counter before it reaches the host's
// pid_max, so that numbers wrap at ours. 300 is the kernel's RESERVED_PIDS.
func (k *Kernel) pidWrap(last int) error {
	if last < k.cfg.Machine.PidMax-1 || k.cfg.LastPid == nil {
		return nil
	}
	return k.cfg.LastPid(299)
}

// groupStop parks a thread that job control stopped. PTRACE_LISTEN keeps it
// stopped and lets SIGCONT through. Its siblings join at their next turn,
// which comes now: the kernel interrupts their calls as for a signal.
func (k *Kernel) groupStop(t *Task, sig unix.Signal) error {
	if err := ptrace.Listen(t.tid); err != nil {
		return ignoreGone(err)
	}
	k.sent()
	t.stopped, t.stopping = true, false
	t.wait = waitFor{what: "SIGCONT after " + unix.SignalName(sig)}
	k.sched.Park(t.th, -1)
	for _, o := range t.proc.tasks {
		if o.stopped || o.leaderGone || o.wait.vfork != nil {
			continue
		}
		o.stopping = true
		k.wakeIfSignalled(o)
	}
	if p := t.proc.parent; p != nil {
		p.oddChildren = true
		if k.allStopped(t.proc) {
			k.childChanged(p)
		}
	}
	return nil
}

func (k *Kernel) allStopped(p *Process) bool {
	for _, t := range p.tasks {
		if !t.stopped && !t.leaderGone {
			return false
		}
	}
	return true
}

// relook finds out what became of a listening thread after a signal that may
// have ended its group stop. PTRACE_INTERRUPT makes it trap again in any case,
// so this wait is always short; the stop says whether it is stopped still.
func (k *Kernel) relook(t *Task) (ptrace.Status, error) {
	if err := ptrace.Interrupt(t.tid); err != nil && !errors.Is(err, unix.ESRCH) {
		return ptrace.Status{}, err
	}
	_, st, err := ptrace.Wait(t.tid, 0)
	if err != nil || st.Dead() {
		return st, err
	}
	if st.GroupStop() {
		return st, ignoreGone(ptrace.Listen(t.tid))
	}
	k.sent()
	t.stopped = false
	t.wait = waitFor{}
	k.sched.Wake(t.th)
	return st, nil
}

// continueProcess lets a process go on after SIGCONT, and tells its parent.
func (k *Kernel) continueProcess(p *Process) error {
	was := false
	for _, t := range append([]*Task(nil), p.tasks...) {
		t.stopping = false
		if !t.stopped {
			continue
		}
		st, err := k.relook(t)
		if err != nil {
			return err
		}
		if st.Dead() {
			return k.death(t, st)
		}
		was = was || !t.stopped
	}
	if was && p.parent != nil {
		k.childChanged(p.parent)
	}
	return nil
}

// execStop handles a finished execve: a new image with the host's auxiliary
// vector, vDSO and randomness still in it.
func (k *Kernel) execStop(t *Task) error {
	p := t.proc
	t.inCall, t.asks = true, 0
	k.stats.Execs++
	k.openAtExec()
	for _, o := range append([]*Task(nil), p.tasks...) {
		if o != t {
			k.removeTask(o)
			k.futexExit(o)
		}
	}
	k.futexExit(t)
	if p.mem != nil {
		p.mem.Close()
		p.mem = nil
	}
	old := p.mm
	p.mm = &mmID{}
	k.shmExit(old)
	p.segv = p.segv.afterExec()
	t.clearTID, t.codeCall = 0, nil // the kernel drops its breakpoint
	k.stopPosix(p)
	if v := p.vforkTask; v != nil {
		p.vforkTask = nil
		v.wait = waitFor{}
		k.sched.Wake(v.th)
	}
	if err := k.fixImage(t); err != nil && !gone(t.tid) {
		return fmt.Errorf("exec of %s: %w", p.describe(), err)
	}
	k.traceExec(t)
	return nil
}

// gone reports whether a thread that was stopped has been killed since, which
// makes accesses to its memory fail in several ways.
func gone(tid int) bool {
	var r ptrace.Regs
	return errors.Is(ptrace.GetRegs(tid, &r), unix.ESRCH)
}
