package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// waitStop waits for the next stop or death of t, which alone is running.
// In a threaded process its siblings may die at the same time (exit_group,
// exec, fatal signal), and the leader's id changes hands at exec.
func (k *Kernel) waitStop(t *Task) (ptrace.Status, error) {
	if len(t.proc.tasks) == 1 {
		for {
			tid, st, err := k.waitOnce(t.tid)
			if tid != 0 || err != nil {
				return st, err
			}
			k.nudged(t)
		}
	}
	for {
		tid, st, err := k.waitOnce(-1)
		if err != nil {
			return st, err
		}
		if tid == 0 {
			k.nudged(t)
			continue
		}
		o := k.tasks[tid]
		if o == nil {
			if st.Event() == unix.PTRACE_EVENT_EXEC && tid == t.proc.pid {
				// execve(2) in a thread whose leader was gone before.
				delete(k.tasks, t.tid)
				t.tid, t.vtid = tid, t.proc.vpid
				k.tasks[tid] = t
				return st, nil
			}
			if st.Stopped() {
				k.newborn[tid] = true // its parent's event comes next
				continue
			}
			return st, fmt.Errorf("wait: helper process %d ended during the run", tid)
		}
		if o == t {
			return st, nil
		}
		if st.Event() == unix.PTRACE_EVENT_EXEC && o.proc == t.proc {
			// execve(2) in a thread: t goes on under the leader's id.
			if err := k.takeOver(t, o); err != nil {
				return st, err
			}
			return st, nil
		}
		if st.Dead() {
			if o.proc == t.proc {
				k.bury(o) // t lives, so it was not the last
			} else if err := k.death(o, st); err != nil {
				return st, err
			}
			continue
		}
		return st, fmt.Errorf("wait: thread %d stopped (status %#x) out of turn", o.vtid, int(st.WaitStatus))
	}
}

// takeOver gives the execing thread t the identity of its dead leader.
func (k *Kernel) takeOver(t, leader *Task) error {
	k.removeTask(leader)
	k.futexExit(leader)
	delete(k.tasks, t.tid)
	t.tid, t.vtid = leader.tid, leader.vtid
	k.tasks[t.tid] = t
	return nil
}

// death handles the end of a thread, already reaped by us. The real parent
// learns of a process's end only now, which makes it a deterministic moment.
func (k *Kernel) death(t *Task, st ptrace.Status) error {
	p := t.proc
	if k.bury(t) {
		return k.processEnd(p, st)
	}
	if t.exits && st.Exited() && !p.leaderGone() {
		return nil // it went alone: a thousand siblings need not be asked
	}
	return k.reapDying(p)
}

// bury forgets a dead thread; it reports whether it was its process's last.
func (k *Kernel) bury(t *Task) bool {
	k.progress = true
	last := k.removeTask(t)
	k.futexExit(t)
	return last
}

// processEnd does what follows from the end of a process's last thread.
func (k *Kernel) processEnd(p *Process, st ptrace.Status) error {
	if st.Signaled() && st.Signal() == unix.SIGKILL && !p.killed && !k.killsGroups {
		return k.outsideKill(p)
	}
	if k.log != nil {
		k.log.exit(k, p, st)
	}
	k.traceExit(p, st)
	parent := p.parent
	var doomed []*Process
	for _, c := range p.children {
		if c.deathKill {
			doomed = append(doomed, c)
		}
	}
	k.removeProcess(p)
	k.shmExit(p.mm)
	if v := p.vforkTask; v != nil {
		p.vforkTask = nil
		v.wait = waitFor{}
		k.sched.Wake(v.th)
	}
	if p == k.root {
		k.exit = &st
		return nil
	}
	if k.cfg.Open.Threads {
		return nil // the kernel tells who waits
	}
	// Their SIGKILL was sent before p became a zombie: now they die too.
	for _, c := range doomed {
		if err := k.awaitKilled(c); err != nil {
			return err
		}
	}
	if parent != nil {
		k.childChanged(parent)
	}
	// The end of a process sends more: the parent's death signal, and that of
	// a session leader hangs up its terminal and continues stopped orphans.
	return k.recheckAll()
}

// recheckAll follows up signals that the kernel sent by itself: stopped
// processes may go on or die, parked calls may end.
func (k *Kernel) recheckAll() error {
	for _, t := range append([]*Task(nil), k.order...) {
		if t.dead || !t.stopped {
			continue
		}
		s, ok := t.sigState()
		if ok && s.pending&(bit(unix.SIGCONT)|bit(unix.SIGKILL)) == 0 {
			continue
		}
		if err := k.continueProcess(t.proc); err != nil {
			return err
		}
	}
	k.wakeAllSignalled()
	return nil
}

// reapDying collects the siblings that die with a thread after exit_group(2)
// or a fatal signal. The leader is reported only after all others.
func (k *Kernel) reapDying(p *Process) error {
	for again := true; again; {
		again = false
		for _, o := range append([]*Task(nil), p.tasks...) {
			last := len(p.tasks) == 1
			if o.dead || o.tid == p.pid && !last {
				continue
			}
			st, err := k.dying(o)
			if err != nil {
				return err
			}
			if !st.Dead() {
				continue
			}
			if k.bury(o) {
				return k.processEnd(p, st)
			}
			again = true
		}
	}
	return nil
}

// dying collects o's death if it is dying; alive is the status if it is not.
// Requests on a thread that SIGKILL or exit_group(2) reached fail at once,
// although it was stopped (ptrace_check_attach).
func (k *Kernel) dying(o *Task) (ptrace.Status, error) {
	if o.stopped {
		return k.relook(o)
	}
	if !o.leaderGone {
		if _, err := ptrace.EventMsg(o.tid); !errors.Is(err, unix.ESRCH) {
			return alive(), err
		}
	}
	_, st, err := ptrace.Wait(o.tid, 0)
	return st, err
}

// alive is a status that is no death; the zero status means exit with 0.
func alive() ptrace.Status { return ptrace.Status{WaitStatus: 0x7f} }

// childChanged tells a process that one of its children ended or stopped.
func (k *Kernel) childChanged(p *Process) {
	for _, t := range p.tasks {
		if t.wait.children {
			k.sched.Wake(t.th)
		} else {
			k.wakeIfSignalled(t)
		}
	}
}

// peekAny finds a child or tracee with news, without consuming it; 0 if a nudge
// came first.
func peekAny() (int, error) {
	var si unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &si, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL, nil)
	if err == unix.EINTR {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("waitid: %w", err)
	}
	return siginfoPid(&si), nil
}

// awaitKilled waits for the death of every thread of p, which was sent
// SIGKILL: it ends them even where they are stopped, at its own time. A process
// that the sender may not signal just lives on.
func (k *Kernel) awaitKilled(p *Process) error {
	if k.procs[p.pid] != p {
		return nil
	}
	return k.reapDying(p)
}

// Reap collects all guest threads after pid 1 was killed: a namespace cannot
// end while its tracer has zombies to collect.
func (k *Kernel) Reap() {
	if k.cfg.Open.Threads {
		k.reapConcurrent()
	}
	for len(k.order) > 0 {
		t := k.order[len(k.order)-1]        // leaders after their siblings
		_, st, err := ptrace.Wait(t.tid, 0) // fails for what is collected
		if err == nil && !st.Dead() {
			continue
		}
		k.unpark(t)
		if k.removeTask(t) {
			t.proc.forgetZombies()
			unix.Close(t.proc.pidfd)
		}
	}
	if k.nsfd >= 0 {
		unix.Close(k.nsfd)
	}
	for _, x := range k.timerfds {
		unix.Close(x.fd)
	}
	k.waiters.close()
	k.crowd.close()
}
