package run

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"dettrace/internal/hint"
)

// ErrSpin ends a run with a thread that made no system call for Spec.SpinLimit.
var ErrSpin = errors.New("a thread makes no system calls")

// A thread that has used CPU time without a stop is looked at by the virtual
// kernel, whether it waits in a loop: after spinFirst, then whenever the time
// has doubled. Single steps may cost a hundredth of that time or so. If nobody
// else waits for the turn, there is no hurry: a loop that waits is a deadlock then.
const (
	spinTick    = 5 * time.Millisecond
	userTick    = 10 * time.Millisecond // 1/USER_HZ, the unit of proc(5)
	spinFirst   = 1                     // in userTick
	spinAlone   = 50                    // spinFirst, alone
	spinDoze    = 40                    // ticks left out at most
	spinLeast   = 12                    // steps of a look
	spinSteps   = 3                     // steps per userTick, alone 1
	spinPerLook = 1 << 14               // most steps of a look
)

// spinWatch decides when to look, by the CPU time of the running thread. What
// a look finds does not depend on when it comes.
type spinWatch struct {
	pulse   pulse
	cpu     func(tid int) (user, system int64, ok bool) // in userTick
	nudge   func(resumes uint64, steps int, anyway bool)
	alone   func(resumes uint64) bool // a nudge led to no look
	limit   time.Duration             // 0: none
	often   bool                      // nudge at every userTick
	urgent  func() bool               // nudge now; nil: never
	resumes uint64
	started bool
	user    int64 // at the first tick since the last resume
	system  int64 // at the last tick
	next    int64
	skip    int           // ticks in which the CPU time cannot reach next
	ran     time.Duration // CPU time since the last resume, as far as it was looked at
	calls   bool          // there were stops since the tick before
}

// tick looks once, ticks after the last time; an error says that the limit is over.
func (w *spinWatch) tick(ticks int) error {
	tid, n := w.pulse()
	if n != w.resumes || tid == 0 {
		w.resumes, w.started, w.skip, w.calls, w.ran = n, false, 0, true, 0
		return nil
	}
	w.calls = false
	urgent := w.urgent != nil && w.urgent()
	if w.skip -= ticks; w.skip >= 0 && !urgent {
		return nil
	}
	w.skip = 0
	user, system, ok := w.cpu(tid)
	if !ok {
		return nil
	}
	if !w.started {
		w.started, w.user, w.system, w.next = true, user, system, spinFirst
		return nil
	}
	ran := user - w.user
	w.ran = time.Duration(ran) * userTick
	if w.limit > 0 && time.Duration(ran)*userTick >= w.limit {
		return fmt.Errorf("%w for %v of CPU time", ErrSpin, w.limit)
	}
	// Inside the kernel it must not be interrupted: it could show.
	inKernel := system != w.system
	w.system = system
	steps := int64(spinSteps)
	if w.limit == 0 && w.alone(n) {
		steps = 1
		w.next = max(w.next, spinAlone)
	}
	if ran < w.next {
		// Then it needs two samples, to know of the kernel.
		w.skip = int(min(max((w.next-ran)*int64(userTick/spinTick)-3, 0), spinDoze))
	}
	if urgent && ran > 0 {
		w.next = min(w.next, ran)
	}
	if ran >= w.next && !inKernel {
		w.next = 2 * ran
		if w.often {
			w.next = ran + 1
		}
		w.nudge(n, int(min(max(ran*steps, spinLeast), spinPerLook)), urgent || w.limit > 0 || ran >= spinAlone)
	}
	return nil
}

// pause is how many ticks from now tick has something to do. doze says that it has
// before that only if the thread is resumed: then whoever sleeps is to be woken.
func (w *spinWatch) pause() (ticks int, doze bool) {
	switch {
	case w.skip >= spinDoze/16:
		return w.skip + 1, true
	case w.calls:
		return 2, false // rarely does one that makes calls begin to wait now
	}
	return 1, false
}

// cpuTicks are the CPU times of a thread (proc(5), stat: fields 14 and 15).
func cpuTicks(tid int) (user, system int64, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 13 {
		return 0, 0, false
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return user, system, err1 == nil && err2 == nil
}

// spinError adds to the limit's error who spins, where, and what to do.
func (c *container) spinError(err error) error {
	tid, _ := c.kern.Pulse()
	return hint.With(fmt.Errorf("%w: %s at %s", err, lookAt(tid).who, c.place(tid, c.kern.Where())), spinHint)
}

const spinHint = "it computes, or waits for another thread in a loop that also counts: a loop that only looks is recognised, and one that calls sched_yield(2) lets others run; " +
	"gdb -batch -ex 'info line *(FUNCTION+0xN)' FILE shows the line, with what stands in brackets"

// timeoutError tells of a thread that has run for long when the time is over.
func (c *container) timeoutError() error {
	ran := c.ran.Load()
	tid, n := c.kern.Pulse()
	if ran == nil || n != ran.resumes || ran.time < long {
		return ErrTimeout
	}
	return hint.With(fmt.Errorf("%w: %s has made no system call for %v of CPU time, at %s",
		ErrTimeout, lookAt(tid).who, ran.time, c.place(tid, c.kern.Where())), spinHint)
}

// longRun is the CPU time of a thread since it was resumed, which made this number
// of resumes.
type longRun struct {
	resumes uint64
	time    time.Duration
}

// long is the CPU time without a call of which a timeout tells.
const long = time.Second
