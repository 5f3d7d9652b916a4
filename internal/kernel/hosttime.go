package kernel

import (
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/host"
)

// With --allow time the logical clock is the host's: it is moved forward to the
// real time whenever it is looked at, no event moves it, and where all threads
// wait the supervisor sleeps instead of jumping. So timers, timeouts, file times
// and /proc follow by themselves. The clocks that the guest reads are the host's
// own (the kernel answers), and rdtsc does not trap.

// hostClock keeps the logical clock at the host's. It is CLOCK_REALTIME of the
// start of the run and goes with CLOCK_MONOTONIC, so that setting the host's
// clock moves no timer.
type hostClock struct{ offset int64 }

func newHostClock() hostClock {
	mono, _ := host.Clock(unix.CLOCK_MONOTONIC)
	return hostClock{host.Now() - mono}
}

func (c hostClock) now() int64 {
	mono, _ := host.Clock(unix.CLOCK_MONOTONIC)
	return c.offset + mono
}

// catchUp moves the clock to the host's, where that door is open.
func (k *Kernel) catchUp() {
	if k.cfg.Open.Time {
		k.sched.Advance(k.host.now())
	}
}

// hostTime reports that the kernel may answer a call with the host's time.
func (k *Kernel) hostTime() bool {
	if k.cfg.Open.Time {
		k.door(door.Time)
	}
	return k.cfg.Open.Time
}

// hostClockOf reads a clock of the guest, by its id there, in ns: what an
// absolute time is compared with. CPU times are those of the whole process, as
// Linux lets nobody else ask for a thread's.
func (k *Kernel) hostClockOf(t *Task, id int) (int64, bool) {
	p := t.proc
	switch id {
	case unix.CLOCK_REALTIME_ALARM:
		id = unix.CLOCK_REALTIME
	case unix.CLOCK_BOOTTIME_ALARM:
		id = unix.CLOCK_BOOTTIME
	case unix.CLOCK_PROCESS_CPUTIME_ID, unix.CLOCK_THREAD_CPUTIME_ID:
		return host.Clock(host.CPUClock(p.pid))
	}
	if id >= 0 {
		return host.Clock(int32(id))
	}
	if id&3 == 3 {
		return 0, false // a clock device's descriptor
	}
	if vid := ^(id >> 3); vid != 0 {
		i := slices.IndexFunc(k.order, func(o *Task) bool { return o.vtid == vid })
		if i < 0 {
			return 0, false
		}
		p = k.order[i].proc
	}
	return host.Clock(host.CPUClock(p.pid))
}

// openAtExec notes the doors through which something comes into every new
// image: its addresses, and the time stamp counter, which the dynamic linker
// reads and which nobody sees a program read.
func (k *Kernel) openAtExec() {
	if k.cfg.Open.Time {
		k.door(door.Time)
	}
	if k.cfg.Open.ASLR {
		k.door(door.ASLR)
	}
}
