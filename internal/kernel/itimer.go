package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// itimers are the interval timers of a process (setitimer(2), alarm(2)), on
// the logical clock or, as ITIMER_VIRTUAL and ITIMER_PROF, on the process's CPU clock.
type itimers struct {
	t [3]itimer
}

type itimer struct {
	alarm    *alarm
	interval int64 // ns
}

var itimerSignal = [3]unix.Signal{unix.SIGALRM, unix.SIGVTALRM, unix.SIGPROF}

// fireTimers runs the timers that are due.
func (k *Kernel) fireTimers() {
	for _, tm := range k.sched.Due() {
		if fire, ok := tm.Data.(func()); ok {
			fire()
		}
	}
}

func (k *Kernel) stopTimers(p *Process) {
	for i := range p.timers.t {
		k.stopAlarm(p.timers.t[i].alarm)
	}
	k.stopPosix(p)
}

// setITimer arms a timer (ns from now; 0 disarms) and returns the old state.
func (k *Kernel) setITimer(p *Process, which int, value, interval int64) (oldValue, oldInterval int64) {
	it := &p.timers.t[which]
	oldValue, oldInterval = k.getITimer(p, which)
	k.stopAlarm(it.alarm)
	it.alarm, it.interval = nil, interval
	if value > 0 {
		k.armITimer(p, which, satAdd(k.clockNow(k.itimerClock(p, which)), value))
	}
	return oldValue, oldInterval
}

func (k *Kernel) itimerClock(p *Process, which int) *cpuClock {
	if which == unix.ITIMER_REAL || k.cfg.Open.Time {
		return nil
	}
	return &p.cpu
}

func (k *Kernel) armITimer(p *Process, which int, when int64) {
	it := &p.timers.t[which]
	it.alarm = k.startAlarm(k.itimerClock(p, which), when, func() {
		it.alarm = nil
		if k.procs[p.pid] != p {
			return
		}
		if it.interval > 0 {
			k.armITimer(p, which, satAdd(when, it.interval))
		}
		k.sendSignal(p, itimerSignal[which])
	})
}

func (k *Kernel) getITimer(p *Process, which int) (value, interval int64) {
	it := &p.timers.t[which]
	if it.alarm == nil {
		return 0, it.interval
	}
	return max(k.alarmLeft(it.alarm), 1000), it.interval
}

func sysAlarm(k *Kernel, t *Task) verdict {
	old, _ := k.setITimer(t.proc, 0, int64(uint32(t.arg(0)))*1e9, 0)
	return t.done((old + 999999999) / 1e9)
}

func sysSetitimer(k *Kernel, t *Task) verdict {
	which := t.intArg(0)
	if which < 0 || which > 2 {
		return t.fail(unix.EINVAL)
	}
	var value, interval int64
	if a := t.arg(1); a != 0 {
		var b [32]byte
		if !t.read(a, b[:]) {
			return t.fail(unix.EFAULT)
		}
		var v [4]int64
		for i := range v {
			v[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
		if v[0] < 0 || v[2] < 0 || v[1] < 0 || v[1] >= 1e6 || v[3] < 0 || v[3] >= 1e6 {
			return t.fail(unix.EINVAL)
		}
		interval = satAdd(satMul(v[0], 1e9), v[1]*1000)
		value = satAdd(satMul(v[2], 1e9), v[3]*1000)
	}
	ov, oi := k.setITimer(t.proc, which, value, interval)
	if a := t.arg(2); a != 0 && !t.putITimer(a, ov, oi) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func sysGetitimer(k *Kernel, t *Task) verdict {
	which := t.intArg(0)
	if which < 0 || which > 2 {
		return t.fail(unix.EINVAL)
	}
	v, i := k.getITimer(t.proc, which)
	if !t.putITimer(t.arg(1), v, i) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func (t *Task) putITimer(addr uint64, value, interval int64) bool {
	return t.writeU64(addr, uint64(interval/1e9), uint64(interval%1e9/1000), uint64(value/1e9), uint64(value%1e9/1000))
}
