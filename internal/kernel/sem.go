package kernel

import (
	"golang.org/x/sys/unix"
)

// Limits of semaphores (linux/sem.h): the kernel's defaults.
const (
	semPerSet = 32000
	semTotal  = ipcMax * semPerSet
	semOpMax  = 500
	semValMax = 32767
	semUndo   = 0x1000 // SEM_UNDO
)

// semSet is a set of semaphores.
type semSet struct {
	ipcPerm
	sems         []semaphore
	otime, ctime int64 // s
	// Waiting operations, first come first served. Those that wait for zero
	// change nothing and are looked at first.
	zero, alter []*semWaiter
	undos       []*semAdjust
}

type semaphore struct {
	val int
	pid int // of the process that changed it last
}

// semOp is struct sembuf.
type semOp struct {
	num   int
	op    int
	flags int
}

// semWaiter is a semop(2) that cannot be done yet. Who makes it possible does
// it in the waiter's place: nobody can come in between.
type semWaiter struct {
	set      *semSet
	task     *Task
	pid      int
	ops      []semOp
	adjust   *semAdjust // for SEM_UNDO, else nil
	blocking semOp      // the first operation that cannot be done
	done     bool
	errno    unix.Errno
}

func (w *semWaiter) served() bool { return w.done }

func (w *semWaiter) leave() {
	w.set.zero, w.set.alter = without(w.set.zero, w), without(w.set.alter, w)
}

func (w *semWaiter) changes() bool {
	for _, o := range w.ops {
		if o.op != 0 {
			return true
		}
	}
	return false
}

// try does all operations of w or none (perform_atomic_semop). It reports
// whether they are decided: done, or failed for good with the error.
func (w *semWaiter) try() (decided bool, e unix.Errno) {
	n := 0
	for ; n < len(w.ops); n++ {
		o := w.ops[n]
		v := w.set.sems[o.num].val
		if o.op == 0 && v != 0 || v+o.op < 0 {
			w.blocking = o
			decided = o.flags&ipcNowait != 0
			e = unix.EAGAIN
			break
		}
		if v+o.op > semValMax {
			decided, e = true, unix.ERANGE
			break
		}
		if o.flags&semUndo != 0 {
			a := w.adjust.by[o.num] - o.op
			if a < -semValMax-1 || a > semValMax {
				decided, e = true, unix.ERANGE
				break
			}
			w.adjust.by[o.num] = a
		}
		w.set.sems[o.num].val = v + o.op
	}
	if n == len(w.ops) {
		for _, o := range w.ops {
			w.set.sems[o.num].pid = w.pid
		}
		return true, 0
	}
	for n--; n >= 0; n-- {
		o := w.ops[n]
		w.set.sems[o.num].val -= o.op
		if o.flags&semUndo != 0 {
			w.adjust.by[o.num] += o.op
		}
	}
	return decided, e
}

// semServe does what became possible, in order of arrival, and wakes those
// who waited for it; it reports whether anything was done.
func (k *Kernel) semServe(s *semSet) bool {
	any := k.semServeZero(s)
	for i := 0; i < len(s.alter); {
		w := s.alter[i]
		ok, e := w.try()
		if !ok {
			i++
			continue
		}
		k.semFinish(w, e)
		if e == 0 {
			any = true
			k.semServeZero(s)
			i = 0 // an older one may be possible now
		}
	}
	return any
}

func (k *Kernel) semServeZero(s *semSet) bool {
	any := false
	for i := 0; i < len(s.zero); {
		w := s.zero[i]
		ok, e := w.try()
		if !ok {
			i++
			continue
		}
		any = any || e == 0
		k.semFinish(w, e)
	}
	return any
}

func (k *Kernel) semFinish(w *semWaiter, e unix.Errno) {
	w.leave()
	w.done, w.errno = true, e
	k.sched.Wake(w.task.th)
}

// semChanged serves waiters after values changed by other means than semop(2).
func (k *Kernel) semChanged(s *semSet) {
	if k.semServe(s) {
		s.otime = k.seconds()
	}
}

// semRemove ends a set: everybody who waits gets EIDRM.
func (k *Kernel) semRemove(s *semSet) {
	k.sems.remove(s)
	k.semsUsed -= len(s.sems)
	for len(s.zero) > 0 {
		k.semFinish(s.zero[0], unix.EIDRM)
	}
	for len(s.alter) > 0 {
		k.semFinish(s.alter[0], unix.EIDRM)
	}
	for _, a := range s.undos {
		a.set = nil
	}
}
