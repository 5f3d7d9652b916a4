package kernel

import (
	"fmt"
	"math"
	"sort"

	"golang.org/x/sys/unix"

	"dettrace/internal/host"
)

// waitFD is one descriptor that a parked task waits for. The number is ours:
// a duplicate taken with pidfd_getfd(2), so readiness can be asked without
// running the guest. It is held as long as the call would hold it in Linux.
type waitFD struct {
	fd     int
	events uint32 // EPOLL*
	added  bool
}

// epollSet holds the descriptors of all parked tasks. One epoll_wait(2) with
// timeout 0 says which of any number of parked tasks may go on.
type epollSet struct {
	ep     int
	byFD   map[int]*Task
	events [64]unix.EpollEvent
	n      int
}

func (s *epollSet) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	s.ep, s.byFD = fd, map[int]*Task{}
	return nil
}

func (s *epollSet) close() { unix.Close(s.ep) }

func (s *epollSet) add(t *Task, w *waitFD) error {
	ev := unix.EpollEvent{Events: w.events, Fd: int32(w.fd)}
	if err := unix.EpollCtl(s.ep, unix.EPOLL_CTL_ADD, w.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	w.added = true
	s.byFD[w.fd] = t
	s.n++
	return nil
}

// remove closes our duplicate.
func (s *epollSet) remove(w *waitFD) {
	if w.fd < 0 {
		return
	}
	if w.added {
		// Explicit: closing alone keeps the entry while the guest holds the file.
		unix.EpollCtl(s.ep, unix.EPOLL_CTL_DEL, w.fd, nil)
		delete(s.byFD, w.fd)
		s.n--
	}
	unix.Close(w.fd)
	w.fd = -1
}

// ready lists the tasks with a ready descriptor, earliest parked first: the
// kernel's order depends on when its wake-ups ran, ours does not.
func (s *epollSet) ready(timeout int) []*Task {
	if s.n == 0 {
		return nil
	}
	n, err := unix.EpollWait(s.ep, s.events[:], timeout)
	if err != nil || n == 0 {
		return nil
	}
	evs := s.events[:n]
	if n == len(s.events) { // more than fit: ask again with room for all
		evs = make([]unix.EpollEvent, s.n)
		if n, err = unix.EpollWait(s.ep, evs, 0); err != nil {
			return nil
		}
		evs = evs[:n]
	}
	var out []*Task
	for _, e := range evs {
		t := s.byFD[int(e.Fd)]
		if t == nil {
			continue
		}
		dup := false
		for _, o := range out {
			dup = dup || o == t
		}
		if !dup {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].th.Seq() < out[j].th.Seq() })
	return out
}

// wakeReady wakes the parked tasks whose descriptors became ready.
func (k *Kernel) wakeReady() {
	for _, t := range k.waiters.ready(0) {
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
		if r := k.waiters.wait(n); len(r) > 0 {
			for _, t := range r {
				k.sched.Wake(t.th)
			}
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
// are waited for.
func (s *epollSet) wait(ns int64) []*Task {
	if s.n == 0 {
		host.Sleep(ns)
		return nil
	}
	return s.ready(int((ns + 999_999) / 1_000_000))
}
