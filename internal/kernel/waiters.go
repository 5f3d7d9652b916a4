package kernel

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"golang.org/x/sys/unix"
)

// waitFD is one descriptor that a parked task waits for. The number is ours:
// a duplicate taken with pidfd_getfd(2), so readiness can be asked without
// running the guest. It is held as long as the call would hold it in Linux.
type waitFD struct {
	fd     int
	events uint32 // EPOLL*
	added  bool
}

// epollSet holds the descriptors of all parked tasks. One question with timeout
// 0 says which of any number of parked tasks may go on. The first few are asked
// for with poll(2): entering one into an epoll set and taking it out again costs
// more than to ask for it.
type epollSet struct {
	few    [fewFDs]fewFD
	polled []unix.PollFd // of few, and of ep

	bell   int // polled too, and nobody's; -1: none
	ep     int
	byFD   map[int]*Task // in ep
	events [64]unix.EpollEvent
}

const fewFDs = 6

// fewFD is a descriptor that is not in the epoll set; task is nil if there is none.
type fewFD struct {
	fd     int
	events uint32
	task   *Task
}

func (s *epollSet) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	s.bell = -1
	s.ep, s.byFD = fd, map[int]*Task{}
	return nil
}

func (s *epollSet) close() { unix.Close(s.ep) }

func (s *epollSet) add(t *Task, w *waitFD) error {
	w.added = true
	for i := range s.few {
		if f := &s.few[i]; f.task == nil {
			*f = fewFD{w.fd, w.events, t}
			return nil
		}
	}
	ev := unix.EpollEvent{Events: w.events, Fd: int32(w.fd)}
	if err := unix.EpollCtl(s.ep, unix.EPOLL_CTL_ADD, w.fd, &ev); err != nil {
		w.added = false
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	s.byFD[w.fd] = t
	return nil
}

// remove closes our duplicate.
func (s *epollSet) remove(w *waitFD) {
	if w.fd < 0 {
		return
	}
	if w.added && !s.removeFew(w.fd) {
		// Explicit: closing alone keeps the entry while the guest holds the file.
		unix.EpollCtl(s.ep, unix.EPOLL_CTL_DEL, w.fd, nil)
		delete(s.byFD, w.fd)
	}
	unix.Close(w.fd)
	w.fd = -1
}

func (s *epollSet) removeFew(fd int) bool {
	for i := range s.few {
		if f := &s.few[i]; f.task != nil && f.fd == fd {
			*f = fewFD{}
			return true
		}
	}
	return false
}

// ready lists the tasks with a ready descriptor, earliest parked first: the
// kernel's order depends on when its wake-ups ran, ours does not.
func (s *epollSet) ready(timeout int) []*Task {
	s.polled = s.polled[:0]
	for i := range s.few {
		if f := &s.few[i]; f.task != nil {
			// The flags of epoll(7) that poll(2) lacks are not used here.
			s.polled = append(s.polled, unix.PollFd{Fd: int32(f.fd), Events: int16(f.events)})
		}
	}
	if len(s.byFD) > 0 {
		s.polled = append(s.polled, unix.PollFd{Fd: int32(s.ep), Events: unix.POLLIN})
	}
	if s.bell >= 0 {
		s.polled = append(s.polled, unix.PollFd{Fd: int32(s.bell), Events: unix.POLLIN})
	}
	if n, e := pollAll(s.polled, timeout); n == 0 || e != 0 {
		return nil
	}
	var out []*Task
	add := func(t *Task) {
		if t != nil && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for _, p := range s.polled {
		switch {
		case p.Revents == 0:
		case int(p.Fd) == s.ep:
			for _, e := range s.readySet() {
				add(s.byFD[int(e.Fd)])
			}
		default:
			for i := range s.few {
				if f := &s.few[i]; f.task != nil && f.fd == int(p.Fd) {
					add(f.task)
				}
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].th.Seq() < out[j].th.Seq() })
	return out
}

// empty reports that nobody waits.
func (s *epollSet) empty() bool {
	return len(s.byFD) == 0 && !slices.ContainsFunc(s.few[:], func(f fewFD) bool { return f.task != nil })
}

// readySet asks the epoll set.
func (s *epollSet) readySet() []unix.EpollEvent {
	n, err := unix.EpollWait(s.ep, s.events[:], 0)
	if err != nil || n == 0 {
		return nil
	}
	evs := s.events[:n]
	if n == len(s.events) { // more than fit: ask again with room for all
		evs = make([]unix.EpollEvent, len(s.byFD))
		if n, err = unix.EpollWait(s.ep, evs, 0); err != nil {
			return nil
		}
		evs = evs[:n]
	}
	return evs
}

// wakeReady wakes the parked tasks whose descriptors became ready.
func (k *Kernel) wakeReady() {
	for _, t := range k.waiters.ready(0) {
		t.ready = k.sched.Turns() + 1
		k.sched.Wake(t.th)
	}
}

// wakeLockWaiters lets the tasks that wait for file locks try again, after
// somebody else did something: locks go away in native calls (close, exit).
func (k *Kernel) wakeLockWaiters() {
	if !k.progress {
		return
	}
	k.progress = false
	for _, t := range k.order {
		if t.wait.lock {
			k.sched.Wake(t.th)
		}
	}
}

// waitOutside blocks for real until a descriptor of the outside world is
// ready, if a task waits for one: logical time must not jump over what the
// outside may still say. A timer that is due before that gets its time for
// real, so that a peer that is silent for good ends no run.
func (k *Kernel) waitOutside() bool {
	any := false
	for _, t := range k.order {
		any = any || t.wait.outside
	}
	bell := -1
	if k.inputWanted() {
		bell = k.bell()
	}
	any = any || bell >= 0
	when, timer := k.sched.NextTimer()
	if !any && !(timer && k.cfg.Open.Time) {
		return false
	}
	left := int64(math.MaxInt64)
	if timer {
		left = max(when-k.Now(), 0)
	}
	for k.stopped.Load() == nil && !k.outside.waiting() && left > 0 {
		n := min(left, waitSlice)
		r := k.waiters.wait(n, bell)
		for _, t := range r {
			k.sched.Wake(t.th)
		}
		if len(r) > 0 || bell >= 0 && pollNow(bell, unix.POLLIN) {
			return true
		}
		left -= n
	}
	return k.stopped.Load() != nil || k.outside.waiting()
}

// waitSlice is the ns after which a wait for the outside notices that the run
// was stopped.
const waitSlice = 200e6

// wait is ready that waits for up to ns, rounded up to ms where descriptors
// are waited for, or until bell is readable (-1: there is none).
func (s *epollSet) wait(ns int64, bell int) []*Task {
	if s.empty() {
		pause(bell, ns)
		return nil
	}
	s.bell = bell
	defer func() { s.bell = -1 }()
	return s.ready(int((ns + 999_999) / 1_000_000))
}
