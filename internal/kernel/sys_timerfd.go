package kernel

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/sched"
)

// timerFD is a timerfd_create(2) descriptor on the logical clock. In the
// kernel it is an eventfd, whose reading, polling and closing are those of a
// timerfd; expirations are what we write to it.
type timerFD struct {
	fd       int // our duplicate
	clock    int
	timer    *sched.Timer
	interval int64
	id       string // eventfd-id: the kernel's, only ever compared
}

func sysTimerfdCreate(k *Kernel, t *Task) verdict {
	clock, flags := t.intArg(0), uint32(t.arg(1))
	switch clock {
	case unix.CLOCK_REALTIME, unix.CLOCK_MONOTONIC, unix.CLOCK_BOOTTIME:
	case unix.CLOCK_REALTIME_ALARM, unix.CLOCK_BOOTTIME_ALARM:
		return t.fail(unix.EPERM) // CAP_WAKE_ALARM
	default:
		return t.fail(unix.EINVAL)
	}
	if flags&^uint32(unix.TFD_CLOEXEC|unix.TFD_NONBLOCK) != 0 {
		return t.fail(unix.EINVAL)
	}
	entry := t.regs
	t.regs.Orig_rax = unix.SYS_EVENTFD2
	t.regs.Rdi, t.regs.Rsi = 0, uint64(flags) // EFD_ and TFD_ flags have the same values
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
		if r < 0 {
			return
		}
		f := k.file(t, int(r))
		if f.class == fdBad {
			return
		}
		k.dropTimerfds()
		k.timerfds = append(k.timerfds, &timerFD{fd: f.fd, clock: clock, id: eventfdID(f.fd)})
	}
	return toExit
}

// dropTimerfds forgets, now and then, the timers whose descriptors are all closed. One
// on its way through a socket has none, either: it stays if it is still to expire.
func (k *Kernel) dropTimerfds() {
	const few = 256
	if len(k.timerfds) < max(k.timerfdRoom, few) || k.cfg.Open.Threads {
		return
	}
	open := map[string]bool{}
	for _, t := range k.order {
		for _, n := range openFDs(t.tid) {
			if f := k.file(t, n); f.class != fdBad {
				if f.class == fdEvent {
					open[eventfdID(f.fd)] = true
				}
				f.close()
			}
		}
	}
	kept := k.timerfds[:0]
	for _, x := range k.timerfds {
		if open[x.id] || x.timer != nil && x.interval == 0 {
			kept = append(kept, x)
			continue
		}
		k.sched.StopTimer(x.timer)
		unix.Close(x.fd)
	}
	clear(k.timerfds[len(kept):])
	k.timerfds, k.timerfdRoom = kept, 2*len(kept)
}

// eventfdID tells eventfds apart.
func eventfdID(fd int) string {
	b, err := readProc("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	i := indexLine(b, "eventfd-id:")
	if i < 0 {
		return ""
	}
	line, _, _ := bytes.Cut(b[i:], []byte("\n"))
	return string(line)
}

// timerfd finds the timer behind guest descriptor n.
func (k *Kernel) timerfd(t *Task, n int) (*timerFD, unix.Errno) {
	f := k.file(t, n)
	defer f.close()
	if f.class == fdBad {
		return nil, unix.EBADF
	}
	if f.class == fdEvent {
		id := eventfdID(f.fd)
		for _, x := range k.timerfds {
			if id != "" && x.id == id {
				return x, 0
			}
		}
	}
	return nil, unix.EINVAL
}

func sysTimerfdSettime(k *Kernel, t *Task) verdict {
	const flags = 1 | 2 // TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
	value, interval, e := t.itimerspec(t.arg(2))
	if e == 0 && uint32(t.arg(1))&^flags != 0 {
		e = unix.EINVAL
	}
	if e != 0 {
		return t.fail(e)
	}
	x, e := k.timerfd(t, t.intArg(0))
	if e != 0 {
		return t.fail(e)
	}
	if a := t.arg(3); a != 0 && !t.putItimerspec(a, k.timerLeft(x.timer), x.interval) {
		return t.fail(unix.EFAULT)
	}
	k.sched.StopTimer(x.timer)
	x.timer, x.interval = nil, interval
	drainEventfd(x.fd)
	if value == 0 {
		return t.done(0)
	}
	when := k.deadline(t, x.clock, value, t.arg(1)&1 != 0)
	x.timer = k.sched.AddTimer(when, func() { k.fireTimerfd(x, when) })
	if when <= k.Now() {
		t.preempt = true
	}
	return t.done(0)
}

// deadline turns a timer value on a clock into a moment of the logical clock.
func (k *Kernel) deadline(t *Task, clock int, value int64, absolute bool) int64 {
	if !absolute {
		return satAdd(k.Now(), value)
	}
	now, _ := k.clock(t, clock)
	return satAdd(k.Now(), value-now)
}

func (k *Kernel) fireTimerfd(x *timerFD, when int64) {
	n := uint64(1)
	x.timer = nil
	if x.interval > 0 {
		more, next, least := expirations(when, k.Now(), x.interval)
		n += uint64(more)
		x.timer = k.sched.AddTimer(max(next, least), func() { k.fireTimerfd(x, next) })
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	setNonblock(x.fd, func() { unix.Write(x.fd, b[:]) })
}

func drainEventfd(fd int) {
	var b [8]byte
	setNonblock(fd, func() { unix.Read(fd, b[:]) })
}

// setNonblock runs f with the shared description nonblocking: nobody else runs.
func setNonblock(fd int, f func()) {
	fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return
	}
	unix.FcntlInt(uintptr(fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
	f()
	unix.FcntlInt(uintptr(fd), unix.F_SETFL, fl)
}

func sysTimerfdGettime(k *Kernel, t *Task) verdict {
	x, e := k.timerfd(t, t.intArg(0))
	if e != 0 {
		return t.fail(e)
	}
	if !t.putItimerspec(t.arg(1), k.timerLeft(x.timer), x.interval) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// timerLeft is the time to a timer's next expiration, 0 when disarmed.
func (k *Kernel) timerLeft(tm *sched.Timer) int64 {
	if tm == nil {
		return 0
	}
	return max(tm.When-k.Now(), 1)
}

// itimerspec reads a struct itimerspec: interval, then value (ns).
func (t *Task) itimerspec(addr uint64) (value, interval int64, e unix.Errno) {
	interval, ok1, r1 := t.timespec(addr)
	value, ok2, r2 := t.timespec(addr + 16)
	if !r1 || !r2 {
		return 0, 0, unix.EFAULT
	}
	if !ok1 || !ok2 {
		return 0, 0, unix.EINVAL
	}
	return value, interval, 0
}

func (t *Task) putItimerspec(addr uint64, value, interval int64) bool {
	return t.writeU64(addr, uint64(interval/1e9), uint64(interval%1e9), uint64(value/1e9), uint64(value%1e9))
}
