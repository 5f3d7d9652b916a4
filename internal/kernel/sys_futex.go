package kernel

import (
	"golang.org/x/sys/unix"
)

// Futex operations (linux/futex.h).
const (
	futexWait          = 0
	futexWake          = 1
	futexRequeue       = 3
	futexCmpRequeue    = 4
	futexWakeOp        = 5
	futexLockPI        = 6
	futexUnlockPI      = 7
	futexTrylockPI     = 8
	futexWaitBitset    = 9
	futexWakeBitset    = 10
	futexWaitRequeuePI = 11
	futexCmpRequeuePI  = 12
	futexLockPI2       = 13
	futexPrivate       = 128
	futexClockRealtime = 256
)

// futex(2) is answered completely here: the kernel's queues would put a
// thread to sleep while it holds the turn.
func sysFutex(k *Kernel, t *Task) verdict {
	addr, op, val := t.arg(0), t.intArg(1), uint32(t.arg(2))
	private := op&futexPrivate != 0
	cmd := op &^ (futexPrivate | futexClockRealtime)
	if e := k.futexTimeout(t, cmd, op); e != 0 {
		return t.fail(e)
	}
	v := k.futexCall(t, addr, cmd, op, val, private)
	if v != park {
		t.restart = restart{}
	}
	return v
}

// futexTimeout sets the deadline of the operations that have one. It is
// absolute but for FUTEX_WAIT, on the clock that the operation says: that of
// FUTEX_LOCK_PI is always CLOCK_REALTIME.
func (k *Kernel) futexTimeout(t *Task, cmd, op int) unix.Errno {
	switch cmd {
	case futexWait, futexWaitBitset, futexLockPI, futexLockPI2, futexWaitRequeuePI:
	default:
		return 0
	}
	ts := t.arg(3)
	if ts == 0 || t.restart.set {
		return 0
	}
	ns, valid, ok := t.timespec(ts)
	switch {
	case !ok:
		return unix.EFAULT
	case !valid:
		return unix.EINVAL
	case cmd == futexWait:
		ns = satAdd(k.Now(), ns)
	case cmd != futexLockPI && op&futexClockRealtime == 0:
		ns = satAdd(ns, k.cfg.Machine.BootTime)
	}
	t.restart = restart{nr: unix.SYS_FUTEX, deadline: ns, set: true}
	return 0
}

func (k *Kernel) futexCall(t *Task, addr uint64, cmd, op int, val uint32, private bool) verdict {
	if op&futexClockRealtime != 0 && cmd != futexWaitBitset && cmd != futexWaitRequeuePI && cmd != futexLockPI2 {
		return t.fail(unix.ENOSYS)
	}
	switch cmd {
	case futexWait:
		return k.futexWaitCall(t, addr, val, ^uint32(0), private)
	case futexWaitBitset:
		return k.futexWaitCall(t, addr, val, uint32(t.arg(5)), private)
	case futexWake:
		return k.futexWakeCall(t, addr, val, ^uint32(0), private)
	case futexWakeBitset:
		return k.futexWakeCall(t, addr, val, uint32(t.arg(5)), private)
	case futexRequeue, futexCmpRequeue:
		return k.futexRequeueCall(t, addr, cmd, private)
	case futexWakeOp:
		return k.futexWakeOpCall(t, addr, val, private)
	case futexLockPI, futexLockPI2:
		return k.futexLockPI(t, addr, private, false)
	case futexTrylockPI:
		return k.futexLockPI(t, addr, private, true)
	case futexUnlockPI:
		return k.futexUnlockPI(t, addr, private)
	case futexWaitRequeuePI:
		return k.futexWaitRequeuePI(t, addr, t.arg(4), val, private)
	case futexCmpRequeuePI:
		return k.futexRequeuePI(t, addr, t.arg(4), int(int32(val)), t.intArg(3), uint32(t.arg(5)), private)
	}
	return t.fail(unix.ENOSYS) // as the kernel says of FUTEX_FD and of numbers that mean nothing
}

func (k *Kernel) futexWakeCall(t *Task, addr uint64, val, bits uint32, private bool) verdict {
	if bits == 0 {
		return t.fail(unix.EINVAL)
	}
	key, e := k.futexKey(t, addr, private, false)
	if e != 0 {
		return t.fail(e)
	}
	return t.count(k.futexWake(key, wakeCount(val), bits))
}

// count answers a call with how many it found, or with an error.
func (t *Task) count(n int, e unix.Errno) verdict {
	if e != 0 {
		return t.fail(e)
	}
	return t.done(int64(n))
}

// futexRequeueCall implements FUTEX_REQUEUE and FUTEX_CMP_REQUEUE.
func (k *Kernel) futexRequeueCall(t *Task, addr uint64, cmd int, private bool) verdict {
	wake, move := t.intArg(2), t.intArg(3)
	if wake < 0 || move < 0 {
		return t.fail(unix.EINVAL)
	}
	from, e := k.futexKey(t, addr, private, false)
	if e != 0 {
		return t.fail(e)
	}
	to, e := k.futexKey(t, t.arg(4), private, false)
	if e != 0 {
		return t.fail(e)
	}
	if cmd == futexCmpRequeue {
		v, ok := t.readU32(addr)
		if !ok {
			return t.fail(unix.EFAULT)
		}
		if v != uint32(t.arg(5)) {
			return t.fail(unix.EAGAIN)
		}
	}
	return t.count(k.futexRequeue(from, to, wake, move))
}

// wakeCount: the kernel wakes at least one.
func wakeCount(v uint32) int { return max(int(int32(v)), 1) }

func (k *Kernel) futexWaitCall(t *Task, addr uint64, val, bits uint32, private bool) verdict {
	if bits == 0 {
		return t.fail(unix.EINVAL)
	}
	key, e := k.futexKey(t, addr, private, false)
	if e != 0 {
		return t.fail(e)
	}
	v, ok := t.readU32(addr)
	switch {
	case !ok:
		return t.fail(unix.EFAULT)
	case v != val:
		return t.fail(unix.EAGAIN)
	case t.restart.set && t.restart.deadline <= k.Now():
		return t.fail(unix.ETIMEDOUT)
	}
	w := &futexWaiter{key: key, task: t, addr: addr, val: val, bitset: bits}
	k.futexes.add(w)
	t.wait = waitFor{what: "futex", futex: w}
	t.onTurn = func(t *Task) verdict {
		due := t.restart.set && k.Now() >= t.restart.deadline
		timed := t.restart.set
		sig := t.sigWake
		saved := t.restart
		t.sigWake, t.restart = false, restart{}
		switch {
		case w.woken:
			return t.done(0)
		case due:
			return t.fail(unix.ETIMEDOUT)
		case sig:
			if timed { // goes on with the same deadline (restart_syscall(2))
				t.restart = saved
				return k.interruptedWith(t, erestartBlock)
			}
			return k.interrupted(t, true)
		}
		return t.done(0) // a spurious wake-up is allowed (futex(2))
	}
	return park
}

// interrupted ends an emulated call that a signal interrupts: it restarts
// after the handler if that has SA_RESTART, or not. An impossible value to
// wait for would be wrong, so the call becomes one that finds the signal:
// a rt_sigsuspend-like sleep is replaced by pause(2) with EINTR, and
// restartable calls are repeated when no handler runs.
func (k *Kernel) interrupted(t *Task, restartable bool) verdict {
	if restartable {
		return k.interruptedWith(t, erestartsys)
	}
	return k.interruptedWith(t, erestartNoHand)
}

// Results of a call that a signal interrupted (linux/errno.h): what becomes of
// it depends on whether a handler runs, and on its SA_RESTART.
const (
	erestartsys    = 512
	erestartNoHand = 514
	erestartBlock  = 516 // restart_syscall(2) continues the call
)

func (k *Kernel) interruptedWith(t *Task, code int64) verdict {
	entry := t.regs
	// ppoll(NULL, 0, NULL, NULL) sleeps for ever and so finds the signal at once.
	t.regs.Orig_rax = unix.SYS_PPOLL
	t.regs.Rdi, t.regs.Rsi, t.regs.Rdx, t.regs.R10 = 0, 0, 0, 0
	t.rewrite()
	t.onExit = func(t *Task) {
		t.regs = withResult(t.regs, &entry, -code)
		t.regs.Orig_rax = entry.Orig_rax
		t.rewrite()
	}
	return toExit
}

// futexWakeOpCall implements FUTEX_WAKE_OP: a read-modify-write on the second
// word decides whether its waiters are woken too.
func (k *Kernel) futexWakeOpCall(t *Task, addr uint64, n1 uint32, private bool) verdict {
	k1, e := k.futexKey(t, addr, private, false)
	if e != 0 {
		return t.fail(e)
	}
	k2, e := k.futexKey(t, t.arg(4), private, true)
	if e != 0 {
		return t.fail(e)
	}
	code := uint32(t.arg(5))
	op, cmp := code>>28&15, code>>24&15
	oparg, cmparg := int32(code<<8)>>20, int32(code<<20)>>20
	if op&8 != 0 {
		if oparg < 0 || oparg > 31 {
			oparg &= 31
		}
		oparg = 1 << uint(oparg)
	}
	if op&7 > 4 {
		return t.fail(unix.ENOSYS) // before the word is looked at
	}
	old, ok := t.readU32(t.arg(4))
	if !ok {
		return t.fail(unix.EFAULT)
	}
	v := old
	switch op & 7 {
	case 0:
		v = uint32(oparg)
	case 1:
		v = old + uint32(oparg)
	case 2:
		v = old | uint32(oparg)
	case 3:
		v = old &^ uint32(oparg)
	case 4:
		v = old ^ uint32(oparg)
	}
	if !t.writeU32(t.arg(4), v) {
		return t.fail(unix.EFAULT)
	}
	a, b := int32(old), cmparg
	var hit bool
	switch cmp {
	case 0:
		hit = a == b
	case 1:
		hit = a != b
	case 2:
		hit = a < b
	case 3:
		hit = a <= b
	case 4:
		hit = a > b
	case 5:
		hit = a >= b
	default:
		return t.fail(unix.ENOSYS)
	}
	n, e := k.futexWake(k1, wakeCount(n1), ^uint32(0))
	if hit && e == 0 {
		var m int
		m, e = k.futexWake(k2, wakeCount(uint32(t.arg(3))), ^uint32(0))
		n += m
	}
	return t.count(n, e)
}
