package kernel

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/ptrace"
)

// heartbeat is what another goroutine may know of the running thread, and how
// it asks for a look at it. It decides no result: whether a thread is looked at,
// and when, changes nothing that the guest can see.
type heartbeat struct {
	tid     atomic.Int64 // host tid
	resumes atomic.Uint64
	at      atomic.Uint64 // instruction of the last look
	tracer  atomic.Int64  // the thread that runs the guest
	nudge   atomic.Uint64 // a look is wanted if this is still the number of resumes
	steps   atomic.Int64
	anyway  atomic.Bool   // also if nobody else would have the turn
	alone   atomic.Uint64 // a look was not made, as nobody would; the number of resumes
	long    atomic.Uint64 // the wait after so many resumes lasts
	dozer   atomic.Pointer[func()]
	now     atomic.Int64 // logical, ns since 1970
	procs   atomic.Int64
}

func (h *heartbeat) beat(tid int) {
	h.tid.Store(int64(tid))
	h.at.Store(0)
	h.resumes.Add(1)
	if h.dozer.Load() != nil {
		if f := h.dozer.Swap(nil); f != nil {
			(*f)()
		}
	}
}

// beat notes that t is resumed. After a look that found nothing it goes on
// where it was, so that the next look comes later and is longer.
func (k *Kernel) beat(t *Task) {
	if !t.looked {
		k.heart.beat(t.tid)
	}
	k.heart.now.Store(k.sched.Now())
	t.looked, t.nudged = false, false
}

// Pulse is the host id of the thread that was resumed last and how many times
// any was. Safe for any goroutine.
func (k *Kernel) Pulse() (tid int, resumes uint64) {
	return int(k.heart.tid.Load()), k.heart.resumes.Load()
}

// Progress is the logical time in ns since 1970, how many processes there are and
// how many times any thread was resumed. Safe for any goroutine.
func (k *Kernel) Progress() (now int64, processes int, resumes uint64) {
	return k.heart.now.Load(), int(k.heart.procs.Load()), k.heart.resumes.Load()
}

// Where is the instruction at which the running thread was seen by the last
// look since it was resumed, or 0. Safe for any goroutine.
func (k *Kernel) Where() uint64 { return k.heart.at.Load() }

// Nudge asks for a look whether the running thread waits in a loop, of at most
// steps instructions, unless it was resumed again since Pulse said resumes. The
// thread must be outside the kernel: some calls could show the interruption.
// Unless anyway is set, none is made if nobody would have the turn instead; Alone
// says so then. Safe for any goroutine.
func (k *Kernel) Nudge(resumes uint64, steps int, anyway bool) {
	h := &k.heart
	if tid := h.tracer.Load(); tid != 0 && h.resumes.Load() == resumes {
		h.steps.Store(int64(steps))
		h.anyway.Store(anyway)
		h.nudge.Store(resumes)
		ptrace.Nudge(int(tid))
	}
}

// Alone reports that a nudge after so many resumes led to no look, as everybody
// else waits for the running thread. Safe for any goroutine.
func (k *Kernel) Alone(resumes uint64) bool { return k.heart.alone.Load() == resumes }

// Doze says that the caller looks no more for a while, as long as the thread that
// was resumed last goes on. When one is resumed again wake is called, once, on the
// thread that runs the guest: it must not wait. The wait for the thread's next stop is
// a long one, which the Go runtime is told of: until then its monitor need not look
// after us. Safe for any goroutine, of which only one may.
func (k *Kernel) Doze(resumes uint64, wake *func()) {
	h := &k.heart
	h.dozer.Store(wake)
	if h.resumes.Load() != resumes {
		if h.dozer.Swap(nil) != nil {
			(*wake)()
		}
		return
	}
	if h.long.Swap(resumes) != resumes {
		if tid := h.tracer.Load(); tid != 0 {
			ptrace.Nudge(int(tid))
		}
	}
}

// waitOnce waits for a stop of tid (see ptrace.WaitOnce) for as long as it lasts.
func (k *Kernel) waitOnce(tid int) (int, ptrace.Status, error) {
	if h := &k.heart; h.long.Load() == h.resumes.Load() {
		return ptrace.WaitLong(tid)
	}
	return ptrace.WaitOnce(tid, 0)
}

// alone reports that nobody could have the turn instead of t, whatever it does
// without a stop: all others wait for children to end, or for what only a call of t
// that stops can bring, such as a signal.
func (k *Kernel) alone(t *Task) bool {
	if _, timer := k.sched.NextTimer(); timer || k.sched.Ready() > 0 || k.cfg.Open != (door.Set{}) {
		return false
	}
	for _, o := range k.order {
		w := &o.wait
		if o != t && (len(w.fds) > 0 || w.spin != nil || w.lock || w.tty || w.outside || w.fifo != (streamID{})) {
			return false
		}
	}
	return true
}

// nudged interrupts t, the running thread, after a wait for it was ended by a
// nudge.
func (k *Kernel) nudged(t *Task) {
	k.forwardSignals() // t stops for those that are its own
	if k.cfg.FIFOs != nil && k.cfg.FIFOs.FifoMet() {
		k.meetFifo(t)
		return
	}
	h := &k.heart
	n := h.resumes.Load()
	if h.nudge.Swap(0) != n {
		return
	}
	if !h.anyway.Load() && k.alone(t) {
		h.alone.Store(n)
		return
	}
	var si unix.Siginfo
	err := unix.Waitid(unix.P_PID, t.tid, &si, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL|unix.WNOHANG, nil)
	if err != nil || siginfoPid(&si) != 0 { // a stop of its own has come
		return
	}
	if ptrace.Interrupt(t.tid) == nil {
		t.nudged = true
	}
}
