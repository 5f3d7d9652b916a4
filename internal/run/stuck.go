package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"dettrace/internal/syscalls"
)

// ErrStuck ends a run whose running thread sleeps in a kernel call that the
// policy table let through: a row is missing or wrong.
var ErrStuck = errors.New("a thread sleeps in a call that was expected not to block")

// A thread without a stop is looked at after stuckTicks ticks, and must look
// the same on as many more.
const (
	stuckTick  = time.Second
	stuckTicks = 5
)

// pulse is what the virtual kernel publishes of the thread that has the turn.
type pulse func() (tid int, resumes uint64)

// guard is the wall-clock safety net: it only reads /proc and ends the run
// with an error; it never lets it go on with a decision taken at a wall time.
type guard struct {
	pulse   pulse
	look    func(tid int) sight
	note    func(string) // about a thread that runs long without a stop
	resumes uint64
	quiet   int // ticks since the last resume
	asleep  int // ticks with the same sleep
	last    sight
	noted   bool
}

// tick looks once; an error means that the run cannot go on.
func (g *guard) tick() error {
	tid, n := g.pulse()
	if n != g.resumes || tid == 0 {
		g.resumes, g.quiet, g.asleep, g.noted = n, 0, 0, false
		return nil
	}
	if g.quiet++; g.quiet < stuckTicks {
		return nil
	}
	s := g.look(tid)
	switch {
	case s.state == 'R' && !g.noted:
		g.noted = true
		g.note(fmt.Sprintf("%s has run for %v without a system call", s.who, time.Duration(g.quiet)*stuckTick))
	case s.stuck():
		if s == g.last {
			g.asleep++
		}
		g.last = s
		if g.asleep >= stuckTicks {
			return fmt.Errorf("%w: %s in %s (%s)", ErrStuck, s.who, s.call, s.wchan)
		}
		return nil
	}
	g.asleep = 0
	return nil
}

// sight is what /proc says of a thread.
type sight struct {
	who   string // "make (thread 7)"
	state byte   // proc(5), stat: R, S, D, t, Z; 0: gone
	nr    int    // system call, -1: none (a page fault)
	call  string
	wchan string
}

// stuck reports a sleep for something that only another guest thread could
// bring about. Uninterruptible sleep is input or output of the host; page
// faults and waits for the file system server end by themselves.
func (s sight) stuck() bool {
	if s.state != 'S' || s.nr < 0 || s.wchan == "" || s.wchan == "0" {
		return false
	}
	return !strings.HasPrefix(s.wchan, "request_wait_answer") && !strings.HasPrefix(s.wchan, "fuse")
}

// lookAt reads the /proc files of a thread. What cannot be read stays empty,
// which is never an error.
func lookAt(tid int) sight {
	dir := "/proc/" + strconv.Itoa(tid) + "/"
	read := func(name string) string {
		b, err := os.ReadFile(dir + name)
		if err != nil {
			return ""
		}
		return string(bytes.TrimSpace(b))
	}
	s := sight{nr: -1, wchan: read("wchan")}
	s.who = read("comm") + " (thread " + guestID(read("status")) + ")"
	s.state = statState(read("stat"))
	if f := strings.Fields(read("syscall")); len(f) > 0 {
		if n, err := strconv.Atoi(f[0]); err == nil {
			s.nr = n
			s.call = callName(n)
		}
	}
	return s
}

// statState is the third field of /proc/PID/stat; the second may hold
// anything, also spaces and parentheses.
func statState(stat string) byte {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 || i+2 >= len(stat) {
		return 0
	}
	return stat[i+2]
}

// guestID is the innermost number of the NSpid line.
func guestID(status string) string {
	for _, l := range strings.Split(status, "\n") {
		if rest, ok := strings.CutPrefix(l, "NSpid:"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				return f[len(f)-1]
			}
		}
	}
	return "?"
}

func callName(nr int) string {
	for _, r := range syscalls.Table() {
		if r.Nr == nr {
			return r.Name
		}
	}
	return "system call " + strconv.Itoa(nr)
}

// guardRun looks at the run every few milliseconds until done, and ends it when
// something is wrong or its time is over.
//
// It reads a timerfd and has no ticker: Go's timers belong to a P, and the tracing
// thread keeps one without ever looking at its timers while the guest computes. A
// timer that lies there, or that nobody polls for, never fires; but descriptors the
// runtime's monitor polls itself, every 10 ms. (A sleep in a system call would keep
// that monitor awake, which a CPU that is shared with others does not bear.)
func (c *container) guardRun(ctx context.Context, done <-chan struct{}) {
	clock, err := newTicker(spinTick)
	if err != nil {
		c.kern.Stop(err)
		c.box.Kill()
		return
	}
	defer clock.Close() // only read: nothing can be lost
	var expired [8]byte
	g := &guard{pulse: c.kern.Pulse, look: lookAt, note: func(s string) {
		if c.spec.Verbose {
			tid, _ := c.kern.Pulse()
			c.say("note: %s, at %s; if it waits there for another thread, --spin-limit ends the run", s, c.place(tid, c.kern.Where()))
		}
	}}
	w := &spinWatch{pulse: c.kern.Pulse, cpu: cpuTicks, nudge: c.kern.Nudge, alone: c.kern.Alone, limit: c.spec.SpinLimit, often: c.open.Time, urgent: c.kern.Urgent}
	// While the thread computes that has the turn there may be nothing to do for
	// longer. Whoever types or sends a signal is served at once.
	dozes := c.spec.Terminal == nil && !c.open.Signals && !c.open.Threads
	wake := func() { _ = clock.set(spinTick) }
	deadline, timed := ctx.Deadline()
	const perMemory, perStuck = int(memoryTick / spinTick), int(stuckTick / spinTick)
	memory, stuck := 0, 0 // ticks since then
	for ticks := 1; ; {
		_, err := clock.Read(expired[:])
		select {
		case <-done:
			return
		default:
		}
		c.kern.Remind()
		if err == nil {
			if err = w.tick(ticks); err != nil {
				err = c.spinError(err)
			}
			if w.ran >= long {
				c.ran.Store(&longRun{w.resumes, w.ran})
			}
		}
		if memory += ticks; err == nil && c.spec.Memory > 0 && memory >= perMemory {
			memory = 0
			err = c.memoryErr()
		}
		if stuck += ticks; err == nil && stuck >= perStuck {
			stuck = 0
			err = g.tick()
		}
		if err == nil && timed && time.Until(deadline) <= 0 {
			err = c.timeoutError()
		}
		if err != nil {
			c.kern.Stop(err)
			c.box.Kill()
			return
		}
		next, doze := 1, false
		if dozes {
			next, doze = w.pause()
		}
		if c.spec.Memory > 0 {
			next = min(next, perMemory)
		}
		if timed {
			next = max(min(next, int(time.Until(deadline)/spinTick)), 1)
		}
		if next != ticks {
			_ = clock.set(time.Duration(next) * spinTick)
		}
		if ticks = next; doze {
			c.kern.Doze(w.resumes, &wake)
		}
	}
}
