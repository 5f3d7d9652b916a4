package kernel

import (
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/sched"
)

// CPU time is logical, too: a thread has used a tick for each event that it
// made. Who waits in a pure loop while all others wait uses what the clock jumps
// over. A process has used what its threads have, the dead ones included.

// cpuClock is the CPU time of a thread or process, and what waits for it.
type cpuClock struct {
	used   int64    // ns
	alarms []*alarm // the earliest first
	firing bool     // due ones were handed to the scheduler
}

// alarm is a moment of the logical clock, or of a CPU clock. fire is called
// between turns.
type alarm struct {
	when  int64 // ns
	fire  func()
	timer *sched.Timer // of the logical clock
	clock *cpuClock    // nil: the logical one
}

func (k *Kernel) startAlarm(c *cpuClock, when int64, fire func()) *alarm {
	a := &alarm{when: when, fire: fire, clock: c}
	if c == nil {
		a.timer = k.sched.AddTimer(when, fire)
		return a
	}
	i := 0
	for i < len(c.alarms) && c.alarms[i].when <= when {
		i++
	}
	c.alarms = slices.Insert(c.alarms, i, a)
	k.checkAlarms(c)
	return a
}

// stopAlarm ends a, which may be nil or over.
func (k *Kernel) stopAlarm(a *alarm) {
	switch {
	case a == nil:
	case a.clock == nil:
		k.sched.StopTimer(a.timer)
	default:
		a.clock.alarms = slices.DeleteFunc(a.clock.alarms, func(o *alarm) bool { return o == a })
	}
}

// alarmLeft is the time to an alarm, 0 when disarmed.
func (k *Kernel) alarmLeft(a *alarm) int64 {
	if a == nil {
		return 0
	}
	return max(a.when-k.clockNow(a.clock), 1)
}

func (k *Kernel) clockNow(c *cpuClock) int64 {
	if c == nil {
		return k.Now()
	}
	return c.used
}

// checkAlarms hands alarms that are due to the scheduler: they fire when the
// turn changes, as everything that the logical clock brings.
func (k *Kernel) checkAlarms(c *cpuClock) {
	if c.firing || len(c.alarms) == 0 || c.alarms[0].when > c.used {
		return
	}
	c.firing = true
	k.sched.AddTimer(k.Now(), func() {
		c.firing = false
		for len(c.alarms) > 0 && c.alarms[0].when <= c.used {
			a := c.alarms[0]
			c.alarms = c.alarms[1:]
			a.fire()
		}
	})
}

// charge adds ns of CPU time to t.
func (k *Kernel) charge(t *Task, ns int64) {
	for _, c := range [...]*cpuClock{&t.cpu, &t.proc.cpu} {
		c.used += ns
		k.checkAlarms(c)
	}
}

// cpuBudget is how many of n events t can make before an alarm of its clocks
// is due.
func (t *Task) cpuBudget(n int, tick int64) int {
	for _, c := range [...]*cpuClock{&t.cpu, &t.proc.cpu} {
		if len(c.alarms) > 0 {
			n = min(n, int(min((c.alarms[0].when-1-c.used)/tick, int64(n))))
		}
	}
	return max(n, 0)
}

// jump moves the logical clock to where something happens, as nobody can go on.
// Threads that wait in pure loops compute until then, each with a CPU of its own.
func (k *Kernel) jump() bool {
	if k.spinners == 0 {
		return k.sched.Jump()
	}
	if k.movePhase() {
		return true
	}
	if k.onlyPhases() {
		return false
	}
	k.phasing.jumps++
	var spinning []*Task
	in := map[*Process]int64{}
	for _, t := range k.order {
		if t.wait.spin != nil {
			spinning = append(spinning, t)
			in[t.proc]++
		}
	}
	start := k.Now()
	left := int64(-1)
	for _, t := range spinning {
		for _, c := range [...]*cpuClock{&t.cpu, &t.proc.cpu} {
			if len(c.alarms) == 0 || c.firing {
				continue
			}
			n := c.alarms[0].when - c.used
			if c == &t.proc.cpu {
				n = (n + in[t.proc] - 1) / in[t.proc]
			}
			if left < 0 || n < left {
				left = n
			}
		}
	}
	if left >= 0 {
		k.sched.AddTimer(satAdd(start, left), func() {})
	}
	if !k.sched.Jump() {
		return false
	}
	for _, t := range spinning {
		k.charge(t, k.Now()-start)
	}
	return true
}

// cpuClock finds the clock that a clockid_t of CPU time means, or nil
// (pid_for_clock() in kernel/time/posix-cpu-timers.c). reading is for
// clock_gettime(2), which takes any thread's number for its process.
func (k *Kernel) cpuClock(t *Task, id int, reading bool) *cpuClock {
	switch id {
	case unix.CLOCK_PROCESS_CPUTIME_ID:
		return &t.proc.cpu
	case unix.CLOCK_THREAD_CPUTIME_ID:
		return &t.cpu
	}
	const perThread, kind = 4, 3 // 3 of kind is a clock device's descriptor
	if id >= 0 || id&kind == kind {
		return nil
	}
	pid := ^(id >> 3)
	switch {
	case pid == 0 && id&perThread != 0:
		return &t.cpu
	case pid == 0, reading && pid == t.vtid && id&perThread == 0:
		return &t.proc.cpu
	}
	for _, o := range k.order {
		switch {
		case id&perThread == 0 && o.proc.vpid == pid:
			return &o.proc.cpu
		case id&perThread != 0 && o.vtid == pid && o.proc == t.proc:
			return &o.cpu
		}
	}
	if d := k.ended[pid]; d != nil && id&perThread == 0 && unix.Kill(d.pid, 0) == nil {
		return &d.cpu
	}
	return nil
}

// timerClock is the CPU clock on which a timer or a sleep is, or nil: the
// logical clock, which is also the one for all if the host's times are let in.
func (k *Kernel) timerClock(t *Task, id int) *cpuClock {
	if k.cfg.Open.Time {
		return nil
	}
	return k.cpuClock(t, id, false)
}

// reaped gives the CPU time of t's child, of which a wait call told, to whoever
// asks for the time of children; it returns the child's for the call's rusage.
func (k *Kernel) reaped(t *Task, vpid int, keep bool) int64 {
	if p := k.byVPid(vpid); p != nil { // it has only stopped or continued
		return p.cpu.used + p.childTime()
	}
	d := k.ended[vpid]
	if d == nil {
		return 0
	}
	if !keep {
		t.proc.collected(d)
	}
	return d.cpu.used + d.childCPU
}

// collected counts the CPU time of a child that was waited for.
func (p *Process) collected(d *deadProcess) {
	if !d.counted {
		d.counted = true
		p.childCPU += d.cpu.used + d.childCPU
	}
}

// childTime is the CPU time in ns of children that p waited for, and of those
// that they waited for. Many waits end without a stop.
func (p *Process) childTime() int64 {
	p.dropCollected()
	return p.childCPU
}
