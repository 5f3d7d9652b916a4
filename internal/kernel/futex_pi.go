package kernel

import (
	"slices"

	"golang.org/x/sys/unix"
)

// The word of a lock with priority inheritance or of a robust one (linux/futex.h).
const (
	futexWaiters   = 0x80000000
	futexOwnerDied = 0x40000000
	futexTIDMask   = 0x3fffffff
)

// piState is a lock with priority inheritance that somebody waits for. All
// threads have one priority here, so what is inherited cannot be seen; who
// owns the lock, who gets it next and what the word says is the kernel's
// protocol (kernel/futex/pi.c).
type piState struct {
	owner   *Task
	waiters int // in the queue; the state is known while there are any
}

// attach checks the word of a lock that w waits for (attach_to_pi_state: a
// user that meddled with it gets EINVAL). The owner is never nil here: the
// lock of a dead one has been handed over.
func (w *futexWaiter) attach(word uint32) unix.Errno {
	if w.pi == nil {
		return unix.EINVAL
	}
	tid := word & futexTIDMask
	if tid == 0 && word&futexOwnerDied != 0 {
		return 0
	}
	if tid != uint32(w.pi.owner.vtid) {
		return unix.EINVAL
	}
	return 0
}

// piLock takes the lock at addr of c's memory for t, if it is free; else it
// marks it and returns its state to wait on (futex_lock_pi_atomic). With mark
// the lock is marked in any case: others will be made to wait for it.
func (k *Kernel) piLock(c, t *Task, addr uint64, key futexKey, mark bool) (st *piState, got bool, e unix.Errno) {
	word, ok := c.readU32(addr)
	if !ok {
		return nil, false, unix.EFAULT
	}
	tid := word & futexTIDMask
	if tid == uint32(t.vtid) {
		return nil, false, unix.EDEADLK
	}
	if top := k.futexes.top(key); top != nil {
		return top.pi, false, top.attach(word)
	}
	if tid == 0 {
		now := word&futexOwnerDied | uint32(t.vtid)
		if mark {
			now |= futexWaiters
		}
		if !c.writeU32(addr, now) {
			return nil, false, unix.EFAULT
		}
		return &piState{owner: t}, true, 0
	}
	if !c.writeU32(addr, word|futexWaiters) {
		return nil, false, unix.EFAULT
	}
	owner := k.byVTid(int(tid))
	if owner == nil || owner.leaderGone {
		return nil, false, unix.ESRCH
	}
	return &piState{owner: owner}, false, 0
}

func (k *Kernel) byVTid(vtid int) *Task {
	for _, t := range k.order {
		if t.vtid == vtid {
			return t
		}
	}
	return nil
}

// deadlocked reports that t would wait, over any number of locks, for itself.
func (st *piState) deadlocked(t *Task) bool {
	var seen []*Task
	for o := st.owner; o != nil; {
		if o == t {
			return true
		}
		w := o.wait.futex
		if w == nil || w.pi == nil || w.woken || slices.Contains(seen, o) {
			return false
		}
		seen = append(seen, o)
		o = w.pi.owner
	}
	return false
}

// piHand gives the lock to w, the first in its queue. The word stays marked
// also when nobody else waits (wake_futex_pi).
func (k *Kernel) piHand(w *futexWaiter, flags uint32) {
	w.task.writeU32(w.addr, futexWaiters|flags|uint32(w.task.vtid))
	w.pi.owner = w.task
	k.wakeWaiter(w)
}

// piOwnerDied hands over the locks of a dead thread, the youngest first
// (exit_pi_state_list).
func (k *Kernel) piOwnerDied(t *Task) {
	for _, st := range slices.Backward(slices.Clone(k.futexes.pis)) {
		if st.owner != t {
			continue
		}
		for _, o := range k.order {
			if w := o.wait.futex; w != nil && w.queued && w.pi == st {
				if top := k.futexes.top(w.key); top.pi == st {
					k.piHand(top, futexOwnerDied)
				}
				break
			}
		}
	}
}
