package kernel

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/inet"
	"dettrace/internal/ptrace"
)

// With --allow threads-native no thread has the turn: all run at once, on all
// CPUs, and the supervisor handles stops in the order in which they come. Order
// and waiting are the kernel's: a call that may block is let through and blocks
// there (concurrentHandlers). What stays is what a stop does to values: names,
// numbers, clocks and randomness of the host do not come in.
//
// Nothing may be assumed of a thread but that it stands while its own stop is
// handled, and even then SIGKILL may take it: every request on it can fail with
// ESRCH, and its death comes as another event. Nothing here waits for a certain
// thread, but for the first stop of a child at the event of its birth, which
// the kernel makes within a moment.

// runConcurrent is Run with the door threads-native.
func (k *Kernel) runConcurrent() (ptrace.Status, error) {
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
		err := k.runReady()
		if err == nil {
			err = k.arrive()
		}
		if err != nil {
			if s := k.stopErr(); s != nil {
				err = s
			}
			return ptrace.Status{}, err
		}
	}
	return *k.exit, nil
}

// runReady lets those go on that are new, or that were woken.
func (k *Kernel) runReady() error {
	for {
		th := k.sched.Next()
		if th == nil {
			return nil
		}
		k.sched.Release()
		t := th.Data.(*Task)
		if f := t.onTurn; f != nil {
			k.unpark(t)
			t.onTurn = nil
			v := f(t)
			if v == park {
				if err := k.park(t, f); err != nil {
					return err
				}
				continue
			}
			if err := k.apply(t, v); err != nil {
				return err
			}
		}
		if err := k.letGo(t); err != nil {
			return err
		}
	}
}

// letGo lets t go on from its stop, delivering a pending signal.
func (k *Kernel) letGo(t *Task) error {
	sig := t.sig
	t.sig = 0
	k.giveClock()
	if t.onExit != nil {
		return ignoreGone(ptrace.Syscall(t.tid, sig))
	}
	return ignoreGone(ptrace.Cont(t.tid, sig))
}

// arrive waits for the next stop or death of any thread and handles it.
func (k *Kernel) arrive() error {
	k.prof.leave()
	tid, err := peekAny() // without taking the status: it may be a helper's
	if err != nil || tid == 0 {
		return err
	}
	k.takeClock()
	t := k.tasks[tid]
	if t == nil && k.isHelper(tid) {
		return fmt.Errorf("wait: helper process %d ended during the run", tid)
	}
	// The stop may be gone: a thread that executes a program kills its siblings,
	// and of a first thread nothing is told then until all others are collected.
	got, st, err := ptrace.Wait(tid, unix.WNOHANG)
	if err != nil || got == 0 {
		return err
	}
	if st.Event() == unix.PTRACE_EVENT_EXEC {
		t = k.execed(tid)
	}
	switch {
	case t == nil && st.Stopped():
		return k.foundling(tid)
	case t == nil:
		return nil
	case st.Dead():
		k.prof.arrive(t, st)
		return k.deathConcurrent(t, st)
	}
	k.prof.arrive(t, st)
	t.stopped = st.GroupStop()
	if t.stopped {
		return ignoreGone(ptrace.Listen(t.tid)) // until SIGCONT makes it stop once more
	}
	parked, err := k.stop(t, st)
	if err != nil || parked {
		return err
	}
	return k.letGo(t)
}

// reapConcurrent collects all threads of a guest whose pid 1 was killed, those
// that were born meanwhile and are not known, too. pid 1 itself ends last.
func (k *Kernel) reapConcurrent() {
	for {
		tid, err := peekAny()
		if err != nil || tid != 0 && k.tasks[tid] == nil && k.isHelper(tid) {
			return
		}
		if tid != 0 {
			_, _, _ = ptrace.Wait(tid, unix.WNOHANG)
		}
	}
}

// isHelper reports a process of dettrace itself: it is no tracee.
func (k *Kernel) isHelper(tid int) bool {
	f := statusField(tid, "TracerPid:")
	return len(f) > 0 && string(f[0]) == "0"
}

// waitStep waits for the next stop of a thread that was let go for a step. With
// threads-native one that is killed meanwhile may be its process's first, whose
// death is told after all others': ESRCH then.
func (k *Kernel) waitStep(tid int) (ptrace.Status, error) {
	if !k.cfg.Open.Threads {
		_, st, err := ptrace.Wait(tid, 0)
		return st, err
	}
	const looks = 64 // between two at its state
	for i := 1; ; i++ {
		got, st, err := ptrace.Wait(tid, unix.WNOHANG)
		if err != nil || got != 0 {
			return st, err
		}
		if i%looks == 0 {
			if f := statusField(tid, "State:"); len(f) > 0 && string(f[0]) == "Z" {
				return ptrace.Status{}, fmt.Errorf("wait for %d: %w", tid, unix.ESRCH)
			}
		}
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// execed finds the thread that has executed a program: it goes on under the
// number of its process's first thread, whatever its own was.
func (k *Kernel) execed(tid int) *Task {
	t := k.tasks[tid]
	msg, err := ptrace.EventMsg(tid)
	if err != nil {
		return t
	}
	former := k.tasks[int(msg)]
	if former == nil || former == t {
		return t
	}
	if t != nil {
		k.removeTask(t)
	}
	delete(k.tasks, former.tid)
	former.tid, former.vtid = tid, former.proc.vpid
	former.leaderGone = false
	k.tasks[tid] = former
	return former
}

// foundling is the first stop of a thread of which no event told yet. Nearly
// always that comes next, but not if whoever made it is killed between the two:
// so the thread is known from what /proc says of it, and the event, if it
// comes, adds what it knows.
func (k *Kernel) foundling(tid int) error {
	pid, ok1 := statusID(tid, "Tgid:")
	ppid, ok2 := statusID(tid, "PPid:")
	if !ok1 || !ok2 {
		return nil // dying: its death will come
	}
	if pid != tid {
		if p := k.procs[pid]; p != nil {
			inheritAttr(k.newTask(tid, p), p)
		}
		return nil
	}
	return k.adopt(tid, k.procs[ppid], k.procs[ppid])
}

func statusID(tid int, key string) (int, bool) {
	f := statusField(tid, key)
	if len(f) == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(string(f[0]))
	return n, err == nil
}

// adopt makes a process of tid, a copy of from.
func (k *Kernel) adopt(tid int, parent, from *Process) error {
	p, err := k.newProcess(tid, parent)
	if err != nil {
		return ignoreGone(err)
	}
	if from != nil {
		p.comm, p.groups, p.tunables, p.limits = from.comm, from.groups, from.tunables, from.limits
		p.vdsoBase, p.program, p.interprets = from.vdsoBase, from.program, from.interprets
		p.mm.fast, p.mm.barriers = from.mm.fast.fork(), from.mm.barriers
		p.bornMM = p.mm
		p.segv = from.segv.inherit(0)
		k.shmFork(from.mm, p.mm)
	}
	t := k.newTask(tid, p)
	inheritAttr(t, from)
	return k.pidWrap(t.vtid)
}

// makerLooks is how often inheritAttr looks for the maker: between the child's
// first step and the event it is on its way there, unless it was killed or has
// lost its CPU.
const makerLooks = 1000

// inheritAttr gives t, of whose birth no event told yet, the scheduler's attributes
// of the thread of p that made it: the one whose event names t. If none is
// seen to, t has those of p's first thread until the event comes.
func inheritAttr(t *Task, p *Process) {
	if p == nil || len(p.tasks) == 0 {
		return
	}
	t.attr = p.tasks[0].attr.Fork()
	for range makerLooks {
		running := false
		for _, o := range p.tasks {
			if o == t || o.leaderGone {
				continue
			}
			msg, err := ptrace.EventMsg(o.tid)
			if err == nil && int(msg) == t.tid {
				t.attr = o.attr.Fork()
				t.guessed = t.attr
				return
			}
			running = running || err != nil // who stands already did not make it
		}
		if !running {
			break
		}
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	t.guessed = t.attr
}

// birth handles the event of a child's birth. Its first stop may have come
// already, and even its death.
func (k *Kernel) birth(t *Task) (bool, error) {
	msg, err := ptrace.EventMsg(t.tid)
	if err != nil {
		return false, ignoreGone(err)
	}
	tid := int(msg)
	k.stats.Forks++
	if err := ptrace.GetRegs(t.tid, &t.regs); err != nil {
		return false, ignoreGone(err)
	}
	flags, ctid, _ := k.cloneFlags(t)
	c := k.tasks[tid]
	if c == nil {
		_, st, err := ptrace.Wait(tid, 0)
		switch {
		case errors.Is(err, unix.ECHILD), err == nil && st.Dead():
			return false, nil
		case err != nil:
			return false, err
		}
		if flags&unix.CLONE_THREAD != 0 {
			c = k.newTask(tid, t.proc)
		} else {
			parent := t.proc
			if flags&unix.CLONE_PARENT != 0 {
				parent = t.proc.parent
			}
			if err := k.adopt(tid, parent, t.proc); err != nil {
				return false, err
			}
			if c = k.tasks[tid]; c == nil {
				return false, nil
			}
		}
	}
	c.timerSlack = t.timerSlack
	if c.attr == c.guessed { // it has not set others itself
		c.attr = t.attr.Fork()
	}
	if flags&unix.CLONE_CHILD_CLEARTID != 0 {
		c.clearTID = ctid
	}
	if flags&(unix.CLONE_VM|unix.CLONE_THREAD) == unix.CLONE_VM && c.proc.mm == c.proc.bornMM {
		c.proc.mm = t.proc.mm // else it has executed something already
	}
	return false, nil
}

// deathConcurrent handles the end of a thread.
func (k *Kernel) deathConcurrent(t *Task, st ptrace.Status) error {
	p := t.proc
	if !k.bury(t) {
		return nil
	}
	p.disarm()
	for _, c := range p.children {
		c.killed = c.killed || c.deathKill
	}
	return k.processEnd(p, st)
}

// beside notes that the guest has threads that run at once.
func (k *Kernel) beside() {
	if k.cfg.Open.Threads && len(k.order) > 1 {
		k.door(door.Threads)
	}
}

// connectConcurrent lets the kernel connect, where nothing outside is meant.
func (k *Kernel) connectConcurrent(t *Task, f *file) verdict {
	if f.class != fdSocket || k.cfg.Open.Network {
		return pass
	}
	b, e := t.sockaddr(t.arg(1), t.intArg(2))
	if e != 0 || len(b) < 2 {
		return pass // the kernel finds the same fault
	}
	if fam := int(b[0]); fam != unix.AF_INET && fam != unix.AF_INET6 {
		return pass
	}
	a, e := inet.ParseSockaddr(int(b[0]), b)
	if ip := a.Addr().Unmap(); e == 0 && !ip.IsLoopback() && !ip.IsUnspecified() {
		return t.fail(k.outsideAddr(t, a, unix.ENETUNREACH))
	}
	return pass
}
