package kernel

import (
	"slices"

	"golang.org/x/sys/unix"
)

// erestartNoIntr restarts a call after any handler (linux/errno.h).
const erestartNoIntr = 513

// futexLockPI implements FUTEX_LOCK_PI, FUTEX_LOCK_PI2 and, with try,
// FUTEX_TRYLOCK_PI. The deadline is in t.restart.
func (k *Kernel) futexLockPI(t *Task, addr uint64, private, try bool) verdict {
	stop := func(e unix.Errno) verdict {
		t.restart = restart{}
		return t.fail(e)
	}
	key, e := k.futexKey(t, addr, private, true)
	if e != 0 {
		return stop(e)
	}
	st, got, e := k.piLock(t, t, addr, key, false)
	switch {
	case e != 0:
		return stop(e)
	case got:
		t.restart = restart{}
		return t.done(0)
	case try:
		return stop(unix.EAGAIN)
	case st.deadlocked(t):
		return stop(unix.EDEADLK)
	case t.restart.set && t.restart.deadline <= k.Now():
		return stop(unix.ETIMEDOUT)
	}
	w := &futexWaiter{key: key, task: t, addr: addr, bitset: ^uint32(0), pi: st}
	k.futexes.add(w)
	return k.futexPark(t, w, erestartNoIntr)
}

// futexPark parks t until w is woken; a signal ends the wait with the code intr.
func (k *Kernel) futexPark(t *Task, w *futexWaiter, intr int64) verdict {
	t.wait = waitFor{what: "futex", futex: w}
	t.onTurn = func(t *Task) verdict {
		due := t.restart.set && k.Now() >= t.restart.deadline
		t.sigWake, t.restart = false, restart{}
		switch {
		case w.woken:
			return t.done(0)
		case due:
			return t.fail(unix.ETIMEDOUT)
		case w.pi != nil && w.requeuePI != nil:
			// Moved to the lock: begun again it would find the first word
			// changed (futex_wait_requeue_pi).
			return t.fail(unix.EAGAIN)
		}
		return k.interruptedWith(t, intr)
	}
	return park
}

// futexUnlockPI implements FUTEX_UNLOCK_PI.
func (k *Kernel) futexUnlockPI(t *Task, addr uint64, private bool) verdict {
	word, ok := t.readU32(addr)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	if word&futexTIDMask != uint32(t.vtid) {
		return t.fail(unix.EPERM)
	}
	key, e := k.futexKey(t, addr, private, true)
	if e != 0 {
		return t.fail(e)
	}
	if top := k.futexes.top(key); top != nil {
		if top.pi == nil || top.pi.owner != t {
			return t.fail(unix.EINVAL)
		}
		k.piHand(top, 0)
		return t.done(0)
	}
	if !t.writeU32(addr, 0) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// futexWaitRequeuePI implements FUTEX_WAIT_REQUEUE_PI: a wait that ends with
// the lock at the second address taken.
func (k *Kernel) futexWaitRequeuePI(t *Task, addr, lock uint64, val uint32, private bool) verdict {
	stop := func(e unix.Errno) verdict {
		t.restart = restart{}
		return t.fail(e)
	}
	if addr == lock {
		return stop(unix.EINVAL)
	}
	lockKey, e := k.futexKey(t, lock, private, true)
	if e != 0 {
		return stop(e)
	}
	key, e := k.futexKey(t, addr, private, false)
	if e != 0 {
		return stop(e)
	}
	v, ok := t.readU32(addr)
	switch {
	case !ok:
		return stop(unix.EFAULT)
	case v != val:
		return stop(unix.EAGAIN)
	case key == lockKey:
		return stop(unix.EINVAL)
	case t.restart.set && t.restart.deadline <= k.Now():
		return stop(unix.ETIMEDOUT)
	}
	w := &futexWaiter{key: key, task: t, addr: addr, val: val, bitset: ^uint32(0), requeuePI: &futexPlace{lockKey, lock}}
	k.futexes.add(w)
	return k.futexPark(t, w, erestartNoIntr)
}

// futexRequeuePI implements FUTEX_CMP_REQUEUE_PI: the first waiter gets the
// lock if it is free, and the others wait for it.
func (k *Kernel) futexRequeuePI(t *Task, addr, lock uint64, wake, move int, val uint32, private bool) verdict {
	if wake < 0 || move < 0 || addr == lock || wake != 1 {
		return t.fail(unix.EINVAL)
	}
	from, e := k.futexKey(t, addr, private, false)
	if e != 0 {
		return t.fail(e)
	}
	to, e := k.futexKey(t, lock, private, true)
	if e != 0 {
		return t.fail(e)
	}
	if from == to {
		return t.fail(unix.EINVAL)
	}
	v, ok := t.readU32(addr)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	if v != val {
		return t.fail(unix.EAGAIN)
	}
	if _, ok := t.readU32(lock); !ok {
		return t.fail(unix.EFAULT)
	}
	top := k.futexes.top(from)
	if top == nil {
		return t.done(0)
	}
	if top.requeuePI == nil || top.pi != nil || top.requeuePI.key != to {
		return t.fail(unix.EINVAL)
	}
	st, got, e := k.piLock(t, top.task, lock, to, move > 0)
	if e != 0 {
		return t.fail(e)
	}
	n := 0
	if got {
		k.wakeWaiter(top)
		n++
	}
	for _, w := range slices.Clone(k.futexes.q[from]) {
		if n-wake >= move {
			break
		}
		if w.requeuePI == nil || w.requeuePI.key != to {
			return t.fail(unix.EINVAL)
		}
		if st.deadlocked(w.task) {
			return t.fail(unix.EDEADLK)
		}
		k.futexes.drop(w)
		w.key, w.addr, w.pi = to, w.requeuePI.addr, st
		k.futexes.add(w)
		n++
	}
	return t.done(int64(n))
}
