package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/sched"
)

// posixTimer is a timer_create(2) timer on the logical clock.
type posixTimer struct {
	id       int
	clock    int
	notify   int
	sig      unix.Signal
	value    uint64 // sigev_value
	target   *Task  // SIGEV_THREAD_ID
	timer    *sched.Timer
	interval int64
	overrun  int
}

const (
	sigevSignal   = 0
	sigevNone     = 1
	sigevThreadID = 4
	siTimer       = -2
)

func sysTimerCreate(k *Kernel, t *Task) verdict {
	clock := t.intArg(0)
	if _, ok := k.clock(t, clock); !ok {
		return t.fail(unix.EINVAL)
	}
	p := t.proc
	x := &posixTimer{id: p.nextTimer, clock: clock, sig: unix.SIGALRM, value: uint64(p.nextTimer)}
	if a := t.arg(1); a != 0 {
		var b [64]byte // struct sigevent
		if !t.read(a, b[:]) {
			return t.fail(unix.EFAULT)
		}
		x.value = getU64(b[:])
		x.sig = unix.Signal(getU32(b[8:]))
		x.notify = int(getU32(b[12:]))
		if x.notify != sigevNone && (x.sig < 1 || x.sig > 64) {
			return t.fail(unix.EINVAL)
		}
		switch x.notify {
		case sigevSignal, sigevNone:
		case sigevThreadID:
			for _, o := range p.tasks {
				if o.vtid == int(getU32(b[16:])) {
					x.target = o
				}
			}
			if x.target == nil {
				return t.fail(unix.EINVAL)
			}
		default:
			return t.fail(unix.EINVAL)
		}
	}
	if !t.writeU32(t.arg(2), uint32(x.id)) {
		return t.fail(unix.EFAULT)
	}
	p.nextTimer++
	p.posix = append(p.posix, x)
	return t.done(0)
}

func (p *Process) posixTimer(id int) *posixTimer {
	for _, x := range p.posix {
		if x.id == id {
			return x
		}
	}
	return nil
}

func sysTimerSettime(k *Kernel, t *Task) verdict {
	x := t.proc.posixTimer(t.intArg(0))
	if x == nil {
		return t.fail(unix.EINVAL)
	}
	value, interval, e := t.itimerspec(t.arg(2))
	if e != 0 {
		return t.fail(e)
	}
	if a := t.arg(3); a != 0 && !t.putItimerspec(a, k.timerLeft(x.timer), x.interval) {
		return t.fail(unix.EFAULT)
	}
	k.sched.StopTimer(x.timer)
	x.timer, x.interval, x.overrun = nil, interval, 0
	if value > 0 {
		k.armPosix(t.proc, x, k.deadline(t, x.clock, value, t.intArg(1)&unix.TIMER_ABSTIME != 0))
	}
	return t.done(0)
}

func (k *Kernel) armPosix(p *Process, x *posixTimer, when int64) {
	x.timer = k.sched.AddTimer(when, func() {
		x.timer = nil
		n := int64(0)
		if x.interval > 0 {
			n = (k.Now() - when) / x.interval
			k.armPosix(p, x, when+(n+1)*x.interval)
		}
		x.overrun = int(n)
		if x.notify != sigevNone && k.procs[p.pid] == p {
			k.sendTimerSignal(p, x)
		}
	})
}

// sendTimerSignal queues a signal that looks as one of a timer: sent with our
// mark in the value, mended to SI_TIMER when it is delivered (see fixSigInfo).
func (k *Kernel) sendTimerSignal(p *Process, x *posixTimer) {
	p.timers.fired |= bit(x.sig)
	if x.target != nil && !x.target.dead {
		_ = unix.Tgkill(p.pid, x.target.tid, x.sig)
		k.wakeIfSignalled(x.target)
		return
	}
	k.sendSignal(p, x.sig)
}

// timerInfo fills the siginfo of a POSIX timer's signal (sigaction(2)).
func timerInfo(p *Process, sig unix.Signal, si *ptrace.SigInfo) bool {
	for _, x := range p.posix {
		if x.sig != sig || x.notify == sigevNone {
			continue
		}
		code := int32(siTimer)
		binary.LittleEndian.PutUint32(si[8:], uint32(code))
		binary.LittleEndian.PutUint32(si[16:], uint32(x.id))
		binary.LittleEndian.PutUint32(si[20:], uint32(x.overrun))
		binary.LittleEndian.PutUint64(si[24:], x.value)
		return true
	}
	return false
}

// stopPosix ends all POSIX timers of a process: at its end and at execve(2).
func (k *Kernel) stopPosix(p *Process) {
	for _, x := range p.posix {
		k.sched.StopTimer(x.timer)
	}
	p.posix = nil
}

func sysTimerGettime(k *Kernel, t *Task) verdict {
	x := t.proc.posixTimer(t.intArg(0))
	if x == nil {
		return t.fail(unix.EINVAL)
	}
	if !t.putItimerspec(t.arg(1), k.timerLeft(x.timer), x.interval) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func sysTimerGetoverrun(k *Kernel, t *Task) verdict {
	x := t.proc.posixTimer(t.intArg(0))
	if x == nil {
		return t.fail(unix.EINVAL)
	}
	return t.done(int64(x.overrun))
}

func sysTimerDelete(k *Kernel, t *Task) verdict {
	x := t.proc.posixTimer(t.intArg(0))
	if x == nil {
		return t.fail(unix.EINVAL)
	}
	k.sched.StopTimer(x.timer)
	t.proc.posix = without(t.proc.posix, x)
	return t.done(0)
}
