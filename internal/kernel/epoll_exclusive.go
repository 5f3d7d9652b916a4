package kernel

import (
	"fmt"
	"os"
	"sort"

	"golang.org/x/sys/unix"

	"dettrace/internal/sched"
)

// EPOLLEXCLUSIVE: of all that wait for a file in sets of their own, an event wakes those
// without the flag and one with it (epoll_ctl(2)). To the kernel nobody waits in a set
// whose thread is parked, so it goes on to the next and makes all of them ready; who
// would have been woken is decided here. Sets with such an entry are asked for edges:
// one that was passed over stays ready, and is not to be woken before the next event.

// crowd holds the epoll sets of parked tasks that are woken by edges.
type crowd struct {
	ep     int // 0: none yet
	tasks  map[int]*Task
	asked  bool // a set may have an entry with EPOLLEXCLUSIVE
	pipes  bool // among the files may be pipes, to which the guest writes without a stop
	events [64]unix.EpollEvent
}

// add begins to watch w, a duplicate of the set for which t waits.
func (c *crowd) add(t *Task, w *waitFD) error {
	if c.ep == 0 {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return fmt.Errorf("epoll_create1: %w", err)
		}
		c.ep, c.tasks = fd, map[int]*Task{}
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(w.fd)}
	if err := unix.EpollCtl(c.ep, unix.EPOLL_CTL_ADD, w.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	c.tasks[w.fd] = t
	c.edges() // that it is ready now is no event
	return nil
}

// remove closes w if it is here.
func (c *crowd) remove(w *waitFD) bool {
	if c.tasks[w.fd] == nil {
		return false
	}
	unix.EpollCtl(c.ep, unix.EPOLL_CTL_DEL, w.fd, nil)
	delete(c.tasks, w.fd)
	unix.Close(w.fd)
	w.fd = -1
	return true
}

// edges lists the tasks whose sets had an event since this was asked last, earliest
// parked first.
func (c *crowd) edges() []*Task {
	var out []*Task
	for {
		n, err := unix.EpollWait(c.ep, c.events[:], 0)
		for _, e := range c.events[:max(n, 0)] {
			out = append(out, c.tasks[int(e.Fd)])
		}
		if err != nil || n < len(c.events) {
			break
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].th.Seq() < out[j].th.Seq() })
	return out
}

func (c *crowd) close() {
	if c.ep != 0 {
		unix.Close(c.ep)
	}
}

// wakeCrowd wakes those whom the events since the last stop would have woken. It is asked
// at every stop while somebody waits so, because each event wakes another.
func (k *Kernel) wakeCrowd() {
	if len(k.crowd.tasks) == 0 {
		return
	}
	var shared []sharedEvent
	for _, t := range k.crowd.edges() {
		if t.th.State() == sched.Parked { // else it is awake from an event before
			shared = k.crowdEvent(t, shared)
		}
	}
	for i := range shared {
		s := &shared[i]
		woken := false
		for _, t := range s.tasks {
			woken = woken || t.th.State() != sched.Parked
		}
		if !woken {
			k.sched.Wake(s.tasks[0].th)
		}
		s.f.close()
	}
}

// sharedEvent is a file with an event for which tasks wait exclusively.
type sharedEvent struct {
	f     file
	tasks []*Task
}

// crowdEvent wakes t if its set is ready by more than exclusive entries, or else adds it
// to those that wait for the files of these. What ends a file wakes all, as in Linux.
func (k *Kernel) crowdEvent(t *Task, shared []sharedEvent) []sharedEvent {
	wake := func() []sharedEvent {
		k.sched.Wake(t.th)
		return shared
	}
	if len(t.wait.fds) != 1 {
		return wake()
	}
	set := file{fd: t.wait.fds[0].fd}
	list, ok := k.epollEntries(&set)
	if !ok {
		return wake()
	}
	var mine []file
	for _, e := range list {
		if !e.armed() {
			continue
		}
		g := k.entryFile(t, &e)
		got, errno := unix.POLLERR, unix.Errno(0)
		if g.class != fdBad {
			var p int16
			p, errno = pollOne(g.fd, e.polled())
			got = int(p)
		}
		if got == 0 && errno == 0 {
			g.close()
			continue
		}
		const over = unix.POLLERR | unix.POLLHUP | unix.POLLRDHUP
		if errno != 0 || e.events&unix.EPOLLEXCLUSIVE == 0 || got&over != 0 {
			g.close()
			for i := range mine {
				mine[i].close()
			}
			return wake()
		}
		mine = append(mine, g)
	}
	if len(mine) == 0 { // in a set within the set, or gone already
		return wake()
	}
	for _, g := range mine {
		found := false
		for i := range shared {
			if s := &shared[i]; sameFile(&s.f, &g) {
				s.tasks = append(s.tasks, t)
				found = true
				break
			}
		}
		if found {
			g.close()
		} else {
			shared = append(shared, sharedEvent{g, []*Task{t}})
		}
	}
	return shared
}

// sameFile reports that two duplicates are of one pipe, socket or open file. Where that
// cannot be known they count as two, and more are woken.
func sameFile(a, b *file) bool {
	if a.class != b.class {
		return false
	}
	if a.class == fdSocket || a.class == fdFifo {
		return a.ino == b.ino
	}
	const kcmpFile = 0 // linux/kcmp.h
	pid := uintptr(os.Getpid())
	r, _, e := unix.RawSyscall6(unix.SYS_KCMP, pid, pid, kcmpFile, uintptr(a.fd), uintptr(b.fd), 0)
	return e == 0 && r == 0
}

// exclusive reports that a file in the epoll set f was added with EPOLLEXCLUSIVE.
func (k *Kernel) exclusive(f *file) bool {
	list, _ := k.epollEntries(f)
	for _, e := range list {
		if e.events&unix.EPOLLEXCLUSIVE != 0 {
			return true
		}
	}
	return false
}
