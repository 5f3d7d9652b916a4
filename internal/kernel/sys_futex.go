package kernel

import (
	"golang.org/x/sys/unix"
)

// Futex operations (linux/futex.h).
const (
	futexWait         = 0
	futexWake         = 1
	futexRequeue      = 3
	futexCmpRequeue   = 4
	futexWakeOp       = 5
	futexLockPI       = 6
	futexUnlockPI     = 7
	futexTrylockPI    = 8
	futexWaitBitset   = 9
	futexWakeBitset   = 10
	futexPrivate      = 128
	futexClockRealtme = 256
)

// futex(2) is answered completely here: the kernel's queues would put a
// thread to sleep while it holds the turn.
func sysFutex(k *Kernel, t *Task) verdict {
	addr, op, val := t.arg(0), t.intArg(1), uint32(t.arg(2))
	private := op&futexPrivate != 0
	cmd := op &^ (futexPrivate | futexClockRealtme)
	if addr&3 != 0 {
		return t.fail(unix.EINVAL)
	}
	key := func(a uint64) futexKey { return k.futexKey(t, a, private) }
	switch cmd {
	case futexWait, futexWaitBitset:
		bits := ^uint32(0)
		if cmd == futexWaitBitset {
			if bits = uint32(t.arg(5)); bits == 0 {
				return t.fail(unix.EINVAL)
			}
		}
		return k.futexWaitCall(t, key(addr), addr, val, bits, cmd, op)
	case futexWake:
		return t.done(int64(k.futexWake(key(addr), wakeCount(val), ^uint32(0))))
	case futexWakeBitset:
		if uint32(t.arg(5)) == 0 {
			return t.fail(unix.EINVAL)
		}
		return t.done(int64(k.futexWake(key(addr), wakeCount(val), uint32(t.arg(5)))))
	case futexRequeue, futexCmpRequeue:
		if cmd == futexCmpRequeue {
			v, ok := t.readU32(addr)
			if !ok {
				return t.fail(unix.EFAULT)
			}
			if v != uint32(t.arg(5)) {
				return t.fail(unix.EAGAIN)
			}
		}
		from := key(addr)
		n := k.futexWake(from, int(int32(val)), ^uint32(0))
		m := k.futexRequeue(from, key(t.arg(4)), int(int32(t.arg(3))))
		if cmd == futexCmpRequeue {
			n += m
		}
		return t.done(int64(n))
	case futexWakeOp:
		return k.futexWakeOpCall(t, key(addr), key(t.arg(4)), val)
	}
	k.refuse(t, "futex operation "+itoa(cmd), unix.ENOSYS)
	return t.fail(unix.ENOSYS)
}

// wakeCount: the kernel wakes at least one.
func wakeCount(v uint32) int { return max(int(int32(v)), 1) }

func (k *Kernel) futexWaitCall(t *Task, key futexKey, addr uint64, val, bits uint32, cmd, op int) verdict {
	v, ok := t.readU32(addr)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	if v != val {
		return t.fail(unix.EAGAIN)
	}
	if ts := t.arg(3); ts != 0 && !t.restart.set {
		ns, valid, ok := t.timespec(ts)
		if !ok {
			return t.fail(unix.EFAULT)
		}
		if !valid {
			return t.fail(unix.EINVAL)
		}
		switch {
		case cmd == futexWait: // relative
			ns = satAdd(k.Now(), ns)
		case op&futexClockRealtme == 0: // absolute, CLOCK_MONOTONIC
			ns = satAdd(ns, k.cfg.Machine.BootTime)
		}
		t.restart = restart{nr: unix.SYS_FUTEX, deadline: ns, set: true}
		if ns <= k.Now() {
			t.restart = restart{}
			return t.fail(unix.ETIMEDOUT)
		}
	}
	w := &futexWaiter{key: key, task: t, bitset: bits}
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
func (k *Kernel) futexWakeOpCall(t *Task, k1, k2 futexKey, n1 uint32) verdict {
	code := uint32(t.arg(5))
	op, cmp := code>>28&15, code>>24&15
	oparg, cmparg := int32(code<<8)>>20, int32(code<<20)>>20
	if op&8 != 0 {
		if oparg < 0 || oparg > 31 {
			oparg &= 31
		}
		oparg = 1 << uint(oparg)
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
	default:
		return t.fail(unix.ENOSYS)
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
	n := k.futexWake(k1, wakeCount(n1), ^uint32(0))
	if hit {
		n += k.futexWake(k2, wakeCount(uint32(t.arg(3))), ^uint32(0))
	}
	return t.done(int64(n))
}
