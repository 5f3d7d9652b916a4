package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// posixTimer is a timer_create(2) timer on the logical clock.
type posixTimer struct {
	id       int
	clock    int
	notify   int
	sig      unix.Signal
	value    uint64    // sigev_value
	target   *Task     // SIGEV_THREAD_ID
	cpu      *cpuClock // of a clock of CPU time
	alarm    *alarm
	interval int64
	overrun  int  // of the signal delivered last
	pending  bool // its signal is queued
	missed   int  // expirations since then
}

const (
	sigevSignal   = 0
	sigevNone     = 1
	sigevThreadID = 4
	siTimer       = -2
)

func sysTimerCreate(k *Kernel, t *Task) verdict {
	clock := t.intArg(0)
	if e := k.clockFor(t, clock, onlyReads); e != 0 {
		return t.fail(e)
	}
	p := t.proc
	x := &posixTimer{id: p.nextTimer, clock: clock, cpu: k.timerClock(t, clock), sig: unix.SIGALRM, value: uint64(p.nextTimer)}
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
	if uint64(len(p.posix)) >= ^p.limits.signals.soft {
		return t.fail(unix.EAGAIN)
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
	if a := t.arg(3); a != 0 && !t.putItimerspec(a, k.alarmLeft(x.alarm), x.interval) {
		return t.fail(unix.EFAULT)
	}
	k.stopAlarm(x.alarm)
	x.alarm, x.interval, x.overrun = nil, interval, 0
	absolute := t.intArg(1)&unix.TIMER_ABSTIME != 0
	switch {
	case value == 0:
	case x.cpu == nil:
		k.armPosix(t.proc, x, k.deadline(t, x.clock, value, absolute), 0)
	case absolute:
		k.armPosix(t.proc, x, value, 0)
	default:
		k.armPosix(t.proc, x, satAdd(x.cpu.used, value), 0)
	}
	return t.done(0)
}

// armPosix makes x expire at when, or as late as least.
func (k *Kernel) armPosix(p *Process, x *posixTimer, when, least int64) {
	x.alarm = k.startAlarm(x.cpu, max(when, least), func() {
		x.alarm = nil
		n := int64(0)
		if x.interval > 0 {
			var next, least int64
			n, next, least = expirations(when, k.clockNow(x.cpu), x.interval)
			k.armPosix(p, x, next, least)
		}
		if x.notify != sigevNone && k.procs[p.pid] == p {
			k.sendTimerSignal(p, x, int(n))
		}
	})
}

// expirations tells how many more expirations of a timer than that of when are over
// now, when the next one is, and the earliest moment to look at it: a tick from
// now, because time that goes on in steps of a ns does not get far. All in ns.
func expirations(when, now, interval int64) (more, next, least int64) {
	more = max(now-when, 0) / interval
	return more, satAdd(when+more*interval, interval), satAdd(now, tickNS)
}

// sendTimerSignal queues the signal of an expiration, or counts an overrun
// while the one before is still pending (timer_getoverrun(2)).
func (k *Kernel) sendTimerSignal(p *Process, x *posixTimer, more int) {
	who := p.pid
	if x.target != nil {
		if x.target.dead {
			return
		}
		who = x.target.tid
	}
	if x.pending {
		if s, ok := readSigState(who); ok && s.pending&bit(x.sig) != 0 {
			x.missed += more + 1
			return
		}
	}
	x.pending, x.missed = true, more
	k.sent()
	var si ptrace.SigInfo
	code := int32(siTimer)
	binary.LittleEndian.PutUint32(si[0:], uint32(x.sig))
	binary.LittleEndian.PutUint32(si[8:], uint32(code))
	binary.LittleEndian.PutUint32(si[16:], uint32(x.id))
	binary.LittleEndian.PutUint64(si[24:], x.value)
	if x.target != nil {
		queueSignal(p.pid, x.target.tid, x.sig, (*[128]byte)(&si))
		k.wakeIfSignalled(x.target)
		return
	}
	queueSignal(p.pid, 0, x.sig, (*[128]byte)(&si))
	for _, t := range p.tasks {
		k.wakeIfSignalled(t)
	}
}

// timerDelivered gives a timer's signal its overrun count.
func (p *Process) timerDelivered(si []byte) {
	x := p.posixTimer(int(int32(binary.LittleEndian.Uint32(si[16:]))))
	if x == nil {
		return
	}
	x.overrun, x.pending, x.missed = x.missed, false, 0
	binary.LittleEndian.PutUint32(si[20:], uint32(x.overrun))
}

// stopPosix ends all POSIX timers of a process: at its end and at execve(2).
func (k *Kernel) stopPosix(p *Process) {
	for _, x := range p.posix {
		k.stopAlarm(x.alarm)
	}
	p.posix = nil
}

func sysTimerGettime(k *Kernel, t *Task) verdict {
	x := t.proc.posixTimer(t.intArg(0))
	if x == nil {
		return t.fail(unix.EINVAL)
	}
	if !t.putItimerspec(t.arg(1), k.alarmLeft(x.alarm), x.interval) {
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
	k.stopAlarm(x.alarm)
	t.proc.posix = without(t.proc.posix, x)
	return t.done(0)
}
