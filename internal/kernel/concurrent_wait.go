package kernel

import (
	"container/heap"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/host"
)

// With threads-native and a logical clock, waits for a limited time are the
// kernel's and take their time for real. The rule that joins the two clocks:
// when a wait of d that began at logical time t runs out, the logical clock is
// set to t+d, unless it is there already. So who slept sees that it did, the
// clock never goes back, and a guest in which no time runs out sees the same
// times however long it takes.

// due is the end of a wait or of an armed timer.
type due struct {
	real    int64 // CLOCK_MONOTONIC of the host
	logical int64
	every   int64 // ns; 0: once
	gone    bool
	timer   bool // not the wait of a thread, which stops at its end
}

// dueHeap is ordered by real time.
type dueHeap []*due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].real < h[j].real }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(*due)) }
func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}

func realNow() int64 {
	ns, _ := host.Clock(unix.CLOCK_MONOTONIC)
	return ns
}

// begin notes a wait of ns, or a timer. When it ends is the host's clock's to say.
func (k *Kernel) begin(ns, every int64) *due {
	k.door(door.Threads)
	d := &due{real: satAdd(realNow(), ns), logical: satAdd(k.Now(), ns), every: every}
	heap.Push(&k.dues, d)
	return d
}

// expire moves the logical clock over the waits that ran out.
func (k *Kernel) expire() {
	if len(k.dues) == 0 {
		return
	}
	now := realNow()
	for len(k.dues) > 0 && (k.dues[0].gone || k.dues[0].real <= now) {
		d := heap.Pop(&k.dues).(*due)
		if d.gone {
			continue
		}
		k.sched.Advance(d.logical)
		if d.every > 0 {
			n := (now-d.real)/d.every + 1
			k.sched.Advance(d.logical + (n-1)*d.every)
			d.real, d.logical = d.real+n*d.every, d.logical+n*d.every
			heap.Push(&k.dues, d)
		}
	}
}

// limited lets the kernel make a call that waits for up to ns.
func (k *Kernel) limited(t *Task, ns int64) verdict {
	d := k.begin(ns, 0)
	t.onExit = func(t *Task) { k.over(t, d) }
	return toExit
}

// over is the end of a wait. One that goes on by restart_syscall(2) is not over.
func (k *Kernel) over(t *Task, d *due) {
	r := t.result()
	if r == -erestartBlock {
		return
	}
	k.expire()
	d.gone = true
	if r == -int64(unix.EINTR) { // a part of it was slept
		k.sched.Advance(d.logical - max(d.real-realNow(), 0))
	}
	k.setNow()
}

// borrowed lets the kernel make a call with other arguments, which are the
// guest's own again at its exit.
func (t *Task) borrowed(entry func(), exit func(*Task)) verdict {
	was := t.regs
	entry()
	t.rewrite()
	t.onExit = func(t *Task) {
		t.regs = withResult(t.regs, &was, t.result())
		t.rewrite()
		exit(t)
	}
	return toExit
}

// until lets the kernel make a call whose argument arg points to an absolute
// time on a clock of the guest's: it waits as long on the host's.
func (k *Kernel) until(t *Task, arg, clock int) verdict {
	abs, valid, ok := t.timespec(t.arg(arg))
	base, known := k.clock(t, clock)
	now, has := host.Clock(int32(clock))
	if !ok || !valid || !known || !has {
		return pass // the kernel finds the same fault
	}
	left := max(abs-base, 0)
	sec, ns := splitNS(satAdd(now, left))
	addr, ok := t.lend(uint64(sec), uint64(ns))
	if !ok {
		return t.fail(unix.EFAULT)
	}
	d := k.begin(left, 0)
	return t.borrowed(func() { t.setArg(arg, addr) }, func(t *Task) { k.over(t, d) })
}

// forMillis and forTimespec are the calls whose argument says how long they wait.
func forMillis(arg int) handler {
	return func(k *Kernel, t *Task) verdict { return k.limited(t, int64(t.intArg(arg))*1e6) }
}

func forTimespec(arg int) handler {
	return func(k *Kernel, t *Task) verdict {
		ns, valid, ok := t.timespec(t.arg(arg))
		if !ok || !valid {
			return pass
		}
		return k.limited(t, ns)
	}
}

func selectConcurrent(k *Kernel, t *Task) verdict {
	var b [16]byte
	if !t.read(t.arg(4), b[:]) {
		return pass
	}
	sec, us := int64(getU64(b[:])), int64(getU64(b[8:]))
	if sec < 0 || us < 0 {
		return pass
	}
	return k.limited(t, satAdd(satMul(sec, 1e9), satMul(us, 1000)))
}

func futexConcurrent(k *Kernel, t *Task) verdict {
	op := t.intArg(1)
	switch cmd := op &^ (futexPrivate | futexClockRealtime); {
	case cmd == futexWait:
		return forTimespec(3)(k, t)
	case cmd == futexLockPI, op&futexClockRealtime != 0:
		return k.until(t, 3, unix.CLOCK_REALTIME)
	}
	return k.until(t, 3, unix.CLOCK_MONOTONIC)
}

// untilOn is a call with an absolute time and, in argument clock, its clock.
func untilOn(arg, clock int) handler {
	return func(k *Kernel, t *Task) verdict {
		if c := t.intArg(clock); c == unix.CLOCK_REALTIME || c == unix.CLOCK_MONOTONIC {
			return k.until(t, arg, c)
		}
		return pass // EINVAL
	}
}

// sleepConcurrent makes an absolute sleep a relative one.
func sleepConcurrent(k *Kernel, t *Task) verdict {
	if t.callNr == unix.SYS_NANOSLEEP {
		return forTimespec(0)(k, t)
	}
	if t.intArg(1)&unix.TIMER_ABSTIME == 0 {
		return forTimespec(2)(k, t)
	}
	abs, valid, ok := t.timespec(t.arg(2))
	base, known := k.clock(t, t.intArg(0))
	if !ok || !valid || !known || t.intArg(0) == unix.CLOCK_THREAD_CPUTIME_ID {
		return pass
	}
	left := max(abs-base, 0)
	sec, ns := splitNS(left)
	addr, ok := t.lend(uint64(sec), uint64(ns))
	if !ok {
		return t.fail(unix.EFAULT)
	}
	d := k.begin(left, 0)
	return t.borrowed(func() {
		t.setArg(1, t.arg(1)&^uint64(unix.TIMER_ABSTIME))
		t.setArg(2, addr)
		t.setArg(3, 0)
	}, func(t *Task) { k.over(t, d) })
}

// arm notes a timer of a process, in the place of what key stood for.
func (k *Kernel) arm(p *Process, key timerKey, ns, every int64) {
	p.armed = slices.DeleteFunc(p.armed, func(a armedTimer) bool {
		a.due.gone = a.due.gone || a.key == key
		return a.due.gone
	})
	if ns > 0 {
		d := k.begin(ns, every)
		d.timer = true
		p.armed = append(p.armed, armedTimer{key, d})
	}
}

// disarm forgets the timers of a process that ended, or executed a program.
func (p *Process) disarm() {
	for _, a := range p.armed {
		a.due.gone = true
	}
	p.armed = nil
}

type armedTimer struct {
	key timerKey
	due *due
}

// timerKey names a timer of a process: the call that sets it and its number.
type timerKey struct{ call, n int }

func alarmConcurrent(k *Kernel, t *Task) verdict {
	k.arm(t.proc, timerKey{unix.SYS_SETITIMER, 0}, int64(uint32(t.arg(0)))*1e9, 0)
	return pass
}

// itimerval and itimerspec are an interval and a value, of seconds and parts.
func (t *Task) intervalAndValue(addr uint64, unit int64) (every, value int64, ok bool) {
	var b [32]byte
	if addr == 0 || !t.read(addr, b[:]) {
		return 0, 0, false
	}
	v := [4]int64{}
	for i := range v {
		if v[i] = int64(binary.LittleEndian.Uint64(b[8*i:])); v[i] < 0 {
			return 0, 0, false
		}
	}
	return satAdd(satMul(v[0], 1e9), satMul(v[1], unit)), satAdd(satMul(v[2], 1e9), satMul(v[3], unit)), true
}

func setitimerConcurrent(k *Kernel, t *Task) verdict {
	if t.intArg(0) == 0 { // ITIMER_REAL; the others count CPU time
		if every, value, ok := t.intervalAndValue(t.arg(1), 1000); ok {
			k.arm(t.proc, timerKey{unix.SYS_SETITIMER, 0}, value, every)
		}
	}
	return pass
}

// settimeConcurrent is timer_settime(2) and timerfd_settime(2). Which clock a
// timer has is not known here: an absolute time that lies before the epoch is
// one of a clock that counts from the boot.
func settimeConcurrent(k *Kernel, t *Task) verdict {
	every, value, ok := t.intervalAndValue(t.arg(2), 1)
	if !ok {
		return pass
	}
	key := timerKey{t.callNr, t.intArg(0)}
	if t.intArg(1)&unix.TIMER_ABSTIME == 0 || value == 0 {
		k.arm(t.proc, key, value, every)
		return pass
	}
	base := k.Now()
	if value < k.cfg.Epoch/2 {
		base -= k.cfg.Machine.BootTime
	}
	left := max(value-base, 1)
	es, en := splitNS(every)
	vs, vn := splitNS(left)
	addr, ok := t.lend(uint64(es), uint64(en), uint64(vs), uint64(vn))
	if !ok {
		return t.fail(unix.EFAULT)
	}
	k.arm(t.proc, key, left, every)
	return t.borrowed(func() {
		t.setArg(1, t.arg(1)&^uint64(unix.TIMER_ABSTIME))
		t.setArg(2, addr)
	}, func(*Task) {})
}

// waitConcurrent is wait4(2) and waitid(2): no real CPU times come out.
func waitConcurrent(k *Kernel, t *Task) verdict {
	info, options, ru := t.arg(2), t.arg(2), t.arg(3)
	if t.callNr == unix.SYS_WAITID {
		options, ru = t.arg(3), t.arg(4)
	}
	if ru == 0 {
		return pass
	}
	t.onExit = func(t *Task) {
		if t.result() > 0 || t.callNr == unix.SYS_WAITID && (info == 0 || !t.waitidEmpty(info)) {
			k.waited(t, info, ru, options)
		}
	}
	return toExit
}

// ipcTimes gives the handler of semctl(2) or msgctl(2), which are the kernel's:
// times of the object are logical.
func ipcTimes(cmd, buf int, fields ...uint64) handler {
	return func(k *Kernel, t *Task) verdict {
		const ipcStat, semStat, msgStat, semStatAny, msgStatAny = 2, 18, 11, 20, 13
		switch t.intArg(cmd) &^ 0x100 { // IPC_64
		case ipcStat, semStat, msgStat, semStatAny, msgStatAny:
		default:
			return pass
		}
		addr := t.arg(buf)
		t.onExit = func(t *Task) {
			if t.result() < 0 {
				return
			}
			sec, _ := splitNS(k.Now())
			for _, f := range fields {
				if v, ok := t.readU64(addr + f); ok && v != 0 {
					t.writeU64(addr+f, uint64(sec))
				}
			}
		}
		return toExit
	}
}

// concurrentHandlers take the place of others with the door threads-native.
func concurrentHandlers() map[string]handler {
	return map[string]handler{
		"poll": forMillis(2), "epoll_wait": forMillis(3), "epoll_pwait": forMillis(3),
		"ppoll": forTimespec(2), "pselect6": forTimespec(4), "epoll_pwait2": forTimespec(3), "select": selectConcurrent,
		"rt_sigtimedwait": forTimespec(2), "semtimedop": forTimespec(3),
		"futex": futexConcurrent, "futex_waitv": untilOn(3, 4), "futex_wait": untilOn(4, 5),
		"mq_timedsend":    func(k *Kernel, t *Task) verdict { return k.until(t, 4, unix.CLOCK_REALTIME) },
		"mq_timedreceive": func(k *Kernel, t *Task) verdict { return k.until(t, 4, unix.CLOCK_REALTIME) },
		"nanosleep":       sleepConcurrent, "clock_nanosleep": sleepConcurrent,
		"alarm": alarmConcurrent, "setitimer": setitimerConcurrent,
		"timer_settime": settimeConcurrent, "timerfd_settime": settimeConcurrent,
		"wait4": waitConcurrent, "waitid": waitConcurrent,
		// linux/sem.h, linux/msg.h: the times follow 48 bytes of struct ipc64_perm.
		"semctl": ipcTimes(2, 3, 48, 64), "msgctl": ipcTimes(1, 2, 48, 56, 64),
	}
}
