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
		_, st, err := ptrace.Wait(t.tid, 0)
		return st, err
	}
	for {
		tid, err := peekAny()
		if err != nil {
			return ptrace.Status{}, err
		}
		o := k.tasks[tid]
		_, st, err := ptrace.Wait(tid, 0)
		if err != nil {
			return st, err
		}
		if o == nil {
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
			if err := k.death(o, st); err != nil {
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
	delete(k.tasks, t.tid)
	t.tid, t.vtid = leader.tid, leader.vtid
	k.tasks[t.tid] = t
	return nil
}

// death handles the end of a thread, already reaped by us. The real parent
// learns of a process's end only now, which makes it a deterministic moment.
func (k *Kernel) death(t *Task, st ptrace.Status) error {
	p := t.proc
	k.progress = true
	k.clearChildTID(t)
	last := k.removeTask(t)
	if !last {
		return k.reapDying(p)
	}
	if k.log != nil {
		k.log.exit(k, p, st)
	}
	parent := p.parent
	leader := p.pid
	k.removeProcess(p)
	if v := p.vforkTask; v != nil {
		p.vforkTask = nil
		k.sched.Wake(v.th)
	}
	if p == k.root {
		k.exit = &st
		return nil
	}
	if parent != nil {
		k.childChanged(parent)
	}
	_ = leader
	// The end of a session leader hangs up its terminal's foreground group.
	k.wakeAllSignalled()
	return nil
}

// reapDying collects siblings that die with a thread: after exit_group(2) or
// a fatal signal, requests on them fail although they were stopped.
func (k *Kernel) reapDying(p *Process) error {
	for _, o := range append([]*Task(nil), p.tasks...) {
		if o.dead || o == k.leaderWaiting(p) {
			continue
		}
		if _, err := ptrace.EventMsg(o.tid); !errors.Is(err, unix.ESRCH) {
			continue
		}
		if o.tid == p.pid && len(p.tasks) > 1 {
			continue // the leader is reported last
		}
		_, st, err := ptrace.Wait(o.tid, 0)
		if err != nil {
			return err
		}
		if st.Dead() {
			return k.death(o, st)
		}
	}
	if l := k.leaderWaiting(p); l != nil && len(p.tasks) == 1 {
		_, st, err := ptrace.Wait(l.tid, 0)
		if err != nil {
			return err
		}
		return k.death(l, st)
	}
	return nil
}

// leaderWaiting is the leader that has called exit(2) before its siblings.
func (k *Kernel) leaderWaiting(p *Process) *Task {
	for _, t := range p.tasks {
		if t.tid == p.pid && t.leaderGone {
			return t
		}
	}
	return nil
}

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

// peekAny finds a child or tracee with news, without consuming it.
func peekAny() (int, error) {
	var si unix.Siginfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, &si, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("waitid: %w", err)
		}
		return siginfoPid(&si), nil
	}
}

// awaitKilled waits for the death of every thread of p, which was sent
// SIGKILL: it ends them even where they are stopped, at its own time.
func (k *Kernel) awaitKilled(p *Process) error {
	for len(p.tasks) > 0 && k.procs[p.pid] == p {
		var pick *Task
		for _, t := range p.tasks {
			if pick == nil || pick.tid == p.pid {
				pick = t
			}
		}
		_, st, err := ptrace.Wait(pick.tid, 0)
		if err != nil {
			return err
		}
		if !st.Dead() {
			continue
		}
		if err := k.death(pick, st); err != nil {
			return err
		}
	}
	return nil
}

// Reap collects all guest threads after pid 1 was killed: a namespace cannot
// end while its tracer has zombies to collect.
func (k *Kernel) Reap() {
	for len(k.order) > 0 {
		t := k.order[len(k.order)-1] // leaders after their siblings
		_, st, err := ptrace.Wait(t.tid, 0)
		if err == nil && !st.Dead() {
			continue
		}
		k.unpark(t)
		if k.removeTask(t) {
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
}
