package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/host"
)

// clock is the value in ns that clock_gettime(2) gives for id. All clocks
// derive from the one logical clock: boot was 100 s before the epoch, and CPU
// clocks count the time since the process or thread began.
func (k *Kernel) clock(t *Task, id int) (int64, bool) {
	if k.cfg.Open.Time {
		return k.hostClockOf(t, id)
	}
	now := k.Now()
	switch id {
	case unix.CLOCK_REALTIME, unix.CLOCK_REALTIME_COARSE, unix.CLOCK_REALTIME_ALARM:
		return now, true
	case unix.CLOCK_TAI:
		return now, true // Linux starts with an offset of 0
	case unix.CLOCK_MONOTONIC, unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_MONOTONIC_COARSE, unix.CLOCK_BOOTTIME, unix.CLOCK_BOOTTIME_ALARM:
		return now - k.cfg.Machine.BootTime, true
	}
	if c := k.cpuClock(t, id, true); c != nil {
		return c.used, true
	}
	return 0, false
}

// cpuTime is the CPU time of a process in ns: logical (see cpuClock), or the
// host's where that door is open.
func (k *Kernel) cpuTime(p *Process) int64 {
	if k.cfg.Open.Time {
		v, _ := host.Clock(host.CPUClock(p.pid))
		return v
	}
	return p.cpu.used
}

// onlyReads are the clocks on which no timer and no sleep can be.
const onlyReads = 1<<unix.CLOCK_MONOTONIC_RAW | 1<<unix.CLOCK_REALTIME_COARSE | 1<<unix.CLOCK_MONOTONIC_COARSE

// clockFor checks the clock of a timer or a sleep; not has those that can
// have none.
func (k *Kernel) clockFor(t *Task, id, not int) unix.Errno {
	_, known := k.clock(t, id)
	switch {
	case id < 0 && id&7 == 3: // of a device, whether or not it is one
		return unix.EOPNOTSUPP
	case !known, id < 0 && k.cpuClock(t, id, false) == nil:
		return unix.EINVAL
	case id >= 0 && not>>id&1 != 0:
		return unix.EOPNOTSUPP
	}
	return 0
}

func sysClockGettime(k *Kernel, t *Task) verdict {
	if k.hostTime() {
		return pass
	}
	v, ok := k.clock(t, t.intArg(0))
	if !ok {
		return t.fail(unix.EINVAL)
	}
	return t.putTimespec(t.arg(1), k.seen(t, v, realClock(t.intArg(0)), "clock_gettime"))
}

// realClock reports the clocks that count from 1970.
func realClock(id int) bool {
	switch id {
	case unix.CLOCK_REALTIME, unix.CLOCK_REALTIME_COARSE, unix.CLOCK_REALTIME_ALARM, unix.CLOCK_TAI:
		return true
	}
	return false
}

func (t *Task) putTimespec(addr uint64, ns int64) verdict {
	sec, rest := splitNS(ns)
	if !t.writeU64(addr, uint64(sec), uint64(rest)) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func sysClockGetres(k *Kernel, t *Task) verdict {
	id := t.intArg(0)
	if _, ok := k.clock(t, id); !ok {
		return t.fail(unix.EINVAL)
	}
	if t.arg(1) == 0 {
		return t.done(0)
	}
	res := int64(1)
	const scheduler = 2 // of the kinds of CPU clocks the one that is not counted in ticks
	if id == unix.CLOCK_REALTIME_COARSE || id == unix.CLOCK_MONOTONIC_COARSE || id < 0 && id&3 != scheduler {
		res = 4000000 // HZ=250
	}
	return t.putTimespec(t.arg(1), res)
}

func sysGettimeofday(k *Kernel, t *Task) verdict {
	if k.hostTime() {
		return pass
	}
	sec, ns := splitNS(k.seen(t, k.Now(), true, "gettimeofday"))
	if a := t.arg(0); a != 0 && !t.writeU64(a, uint64(sec), uint64(ns/1000)) {
		return t.fail(unix.EFAULT)
	}
	if a := t.arg(1); a != 0 && !t.writeU32(a, 0, 0) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func sysTime(k *Kernel, t *Task) verdict {
	if k.hostTime() {
		return pass
	}
	sec, _ := splitNS(k.seen(t, k.Now(), true, "time"))
	if a := t.arg(0); a != 0 && !t.writeU64(a, uint64(sec)) {
		return t.fail(unix.EFAULT)
	}
	return t.done(sec)
}

// times(2) counts in units of 10 ms.
func sysTimes(k *Kernel, t *Task) verdict {
	if k.hostTime() {
		return pass
	}
	cpu, children := uint64(k.seen(t, k.cpuTime(t.proc), false, "times")/1e7), uint64(t.proc.childTime()/1e7)
	if a := t.arg(0); a != 0 && !t.writeU64(a, cpu, 0, children, 0) {
		return t.fail(unix.EFAULT)
	}
	return t.done((k.Now() - k.cfg.Machine.BootTime) / 1e7)
}

// getrusage(2): user time is logical, everything else is zero.
func sysGetrusage(k *Kernel, t *Task) verdict {
	if k.hostTime() {
		return pass
	}
	who := t.intArg(0)
	if who != unix.RUSAGE_SELF && who != unix.RUSAGE_THREAD && who != unix.RUSAGE_CHILDREN {
		return t.fail(unix.EINVAL)
	}
	cpu := t.proc.cpu.used
	switch who {
	case unix.RUSAGE_THREAD:
		cpu = t.cpu.used
	case unix.RUSAGE_CHILDREN:
		cpu = t.proc.childTime()
	}
	if !t.putRusage(t.arg(1), k.seen(t, cpu, false, "getrusage")) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// putRusage writes a struct rusage (getrusage(2), 144 bytes).
func (t *Task) putRusage(addr uint64, cpu int64) bool {
	v := make([]uint64, 18)
	v[0], v[1] = uint64(cpu/1e9), uint64(cpu%1e9/1000)
	return t.writeU64(addr, v...)
}

// adjtimex(2), clock_adjtime(2): a synchronised clock that nobody steers.
func sysAdjtimex(k *Kernel, t *Task) verdict {
	addr := t.arg(0)
	if t.callNr == unix.SYS_CLOCK_ADJTIME {
		addr = t.arg(1)
	}
	modes, ok := t.readU32(addr)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	if modes != 0 && modes != 0xa001 {
		k.refuse(t, "adjtimex", unix.EPERM)
		return t.fail(unix.EPERM)
	}
	v := make([]uint64, 26)
	sec, ns := splitNS(k.Now())
	v[3], v[4] = 0, 0 // maxerror, esterror
	v[6], v[7] = 2, 1 // constant, precision
	v[8] = 32768000   // tolerance
	v[9], v[10] = uint64(sec), uint64(ns/1000)
	v[11] = 10000 // tick
	if !t.writeU64(addr, v...) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// nanosleep(2) and clock_nanosleep(2) park until the logical clock is there.
func sysNanosleep(k *Kernel, t *Task) verdict {
	id, flags, req := unix.CLOCK_MONOTONIC, 0, t.arg(0)
	if t.callNr == unix.SYS_CLOCK_NANOSLEEP {
		id, flags, req = t.intArg(0), t.intArg(1), t.arg(2)
	}
	e := k.clockFor(t, id, onlyReads|1<<unix.CLOCK_THREAD_CPUTIME_ID)
	if e != 0 && !(id < 0 && e == unix.EINVAL) { // numbers of processes are looked up last
		return t.fail(e)
	}
	ns, valid, ok := t.timespec(req)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	c := k.cpuClock(t, id, false)
	if e != 0 || !valid || c == &t.cpu { // it would never end
		return t.fail(unix.EINVAL)
	}
	if k.cfg.Open.Time {
		c = nil
	}
	base, _ := k.clock(t, id)
	if flags&unix.TIMER_ABSTIME != 0 {
		ns = max(ns-base, 0)
	}
	if c != nil && !t.restart.set {
		t.restart = restart{nr: t.callNr, deadline: satAdd(base, ns), set: true, cpu: c}
	}
	if !t.restart.set {
		t.restart = restart{nr: t.callNr, deadline: satAdd(k.Now(), ns), set: true}
	}
	return k.sleep(t)
}

// sleep parks until t.restart.deadline.
func (k *Kernel) sleep(t *Task) verdict {
	if k.late(t) {
		t.restart = restart{}
		return t.done(0)
	}
	if t.sigWake {
		// The kernel's own sleep would look at the host's clock: even with a
		// signal pending it may find its time over. hrtimer_nanosleep() writes
		// the remaining time in any case.
		t.sigWake = false
		code := int64(erestartBlock)
		if t.callNr == unix.SYS_CLOCK_NANOSLEEP && t.intArg(1)&unix.TIMER_ABSTIME != 0 {
			code = erestartNoHand
			t.restart = restart{}
		} else if rem := t.remAddr(); rem != 0 {
			sec, ns := splitNS(t.restart.deadline - k.clockNow(t.restart.cpu))
			t.writeU64(rem, uint64(sec), uint64(ns))
		}
		return k.interruptedWith(t, code)
	}
	t.wait = waitFor{what: "sleep"}
	if t.restart.cpu != nil {
		t.wait = waitFor{what: "CPU time", alarm: k.startAlarm(t.restart.cpu, t.restart.deadline, func() { k.sched.Wake(t.th) })}
	}
	t.onTurn = k.sleep
	return park
}

// remAddr is where an interrupted relative sleep leaves the remaining time.
func (t *Task) remAddr() uint64 {
	nr := t.callNr
	if nr == unix.SYS_RESTART_SYSCALL {
		nr = t.restart.nr
	}
	switch nr {
	case unix.SYS_NANOSLEEP:
		return t.arg(1)
	case unix.SYS_CLOCK_NANOSLEEP:
		if t.intArg(1)&unix.TIMER_ABSTIME == 0 {
			return t.arg(3)
		}
	}
	return 0
}

// restart_syscall(2) goes on with a sleep that a stop signal interrupted.
func sysRestart(k *Kernel, t *Task) verdict {
	if t.restart.nr == unix.SYS_POLL { // poll(2) may have no deadline
		return sysPoll(k, t)
	}
	if !t.restart.set {
		return t.fail(unix.EINTR)
	}
	switch t.restart.nr {
	case unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP:
		return k.sleep(t)
	case unix.SYS_FUTEX:
		return sysFutex(k, t)
	}
	t.restart = restart{}
	return t.fail(unix.EINTR)
}

// pause(2), rt_sigsuspend(2) wait for a signal.
func sysSigsuspend(k *Kernel, t *Task) verdict {
	w := waitFor{what: "a signal"}
	if t.callNr == unix.SYS_RT_SIGSUSPEND {
		m, ok := t.readU64(t.arg(0))
		if !ok || t.arg(1) != 8 {
			return pass // EFAULT, EINVAL
		}
		w.mask, w.hasMask = m, true
	}
	if t.sigWake {
		t.sigWake = false
		return pass
	}
	t.wait = w
	t.onTurn = func(t *Task) verdict { return sysSigsuspend(k, t) }
	return park
}

// rt_sigtimedwait(2) waits for one of a set of pending signals.
func sysSigtimedwait(k *Kernel, t *Task) verdict {
	set, ok := t.readU64(t.arg(0))
	if !ok || t.arg(3) != 8 {
		return pass
	}
	if ts := t.arg(2); ts != 0 && !t.restart.set {
		ns, valid, ok := t.timespec(ts)
		if !ok || !valid {
			return pass
		}
		t.restart = restart{nr: t.callNr, deadline: satAdd(k.Now(), ns), set: true}
	}
	s, _ := t.sigState()
	due := t.restart.set && k.Now() >= t.restart.deadline
	if s.pending&set != 0 || t.sigWake || due {
		t.sigWake = false
		t.restart = restart{}
		if s.pending&set == 0 && due {
			return t.fail(unix.EAGAIN)
		}
		info := t.arg(1)
		t.onExit = func(t *Task) {
			var si [128]byte
			if sig := t.result(); sig > 0 && info != 0 && t.read(info, si[:]) && k.ownSigInfo(t, unix.Signal(sig), si[:]) {
				t.write(info, si[:])
			}
		}
		return toExit
	}
	// Signals of the set are blocked and end the wait, also those that are
	// ignored by default; so does any other that is not blocked.
	t.wait = waitFor{what: "a signal", mask: s.blocked &^ set, hasMask: true, sigfd: set}
	t.onTurn = func(t *Task) verdict { return sysSigtimedwait(k, t) }
	return park
}
