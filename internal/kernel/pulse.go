package kernel

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

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
	now     atomic.Int64 // logical, ns since 1970
	procs   atomic.Int64
}

func (h *heartbeat) beat(tid int) {
	h.tid.Store(int64(tid))
	h.at.Store(0)
	h.resumes.Add(1)
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
// Safe for any goroutine.
func (k *Kernel) Nudge(resumes uint64, steps int) {
	h := &k.heart
	if tid := h.tracer.Load(); tid != 0 && h.resumes.Load() == resumes {
		h.steps.Store(int64(steps))
		h.nudge.Store(resumes)
		ptrace.Nudge(int(tid))
	}
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
	if h.nudge.Swap(0) != h.resumes.Load() {
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
