package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

const epollEventSize = 12 // struct epoll_event, packed on x86-64

// epoll_ctl(2) refuses files that need no waiting; those of a FUSE mount can be polled.
// A TCP socket never has the event EPOLLWRBAND, for which the unix socket behind one
// would be ready.
func sysEpollCtl(k *Kernel, t *Task) verdict {
	op := t.intArg(1)
	var event [16]byte // its EFAULT comes first, and then those of the set
	if op != unix.EPOLL_CTL_ADD && (op != unix.EPOLL_CTL_MOD || k.inet.Empty()) || !t.read(t.arg(3), event[:epollEventSize]) {
		return pass
	}
	set, f := k.file(t, t.intArg(0)), k.file(t, t.intArg(2))
	defer set.close()
	defer f.close()
	if set.class == fdBad {
		return pass
	}
	if op == unix.EPOLL_CTL_ADD && f.class == fdTree && f.status()&unix.O_PATH == 0 {
		return t.fail(unix.EPERM)
	}
	le := binary.LittleEndian
	events := le.Uint32(event[:])
	if events&unix.EPOLLEXCLUSIVE != 0 {
		k.crowd.asked = true
		k.crowd.pipes = k.crowd.pipes || f.class == fdFifo
	}
	s := k.inetOf(&f)
	if s != nil {
		s.Forget(t.epollKey())
	}
	if s == nil || !s.Stream() || events&pollWrBand == 0 {
		return pass
	}
	le.PutUint32(event[:], events&^pollWrBand)
	entry := t.regs
	at, ok := t.lend(le.Uint64(event[:]), le.Uint64(event[8:]))
	if !ok {
		return pass
	}
	t.setArg(3, at)
	t.rewrite()
	t.onExit = func(t *Task) { t.endWith(entry, t.result()) }
	return toExit
}

// What epoll_wait(2) says of internet sockets where the kernel means the unix sockets
// behind them.

// inetEntry is a file in an epoll set, with what it is ready for.
type inetEntry struct {
	epollEntry
	s            *inet.Socket // nil: none
	native, told uint32       // what the kernel says, and what there is, of what was asked for
	fired        bool         // EPOLLONESHOT has disarmed it in this call
	used         bool
}

// epollInet looks at all files in the set f.
func (k *Kernel) epollInet(t *Task, f *file) []inetEntry {
	list, _ := k.epollEntries(f)
	out := make([]inetEntry, 0, len(list))
	for _, e := range list {
		g := k.entryFile(t, &e)
		if g.class == fdBad {
			continue
		}
		x := inetEntry{epollEntry: e, s: k.inetOf(&g)}
		x.look(&g, e.polled())
		g.close()
		out = append(out, x)
	}
	return out
}

// look asks for events of the file, of which g is a duplicate.
func (e *inetEntry) look(g *file, events int16) {
	got, errno := pollInet(g.fd, e.s, events)
	if errno != 0 {
		got = unix.POLLERR
	}
	told, asked := got, events|unix.POLLERR|unix.POLLHUP
	if e.s != nil {
		told = inetEvents(e.s, got)
	}
	e.native, e.told = uint32(uint16(got&asked)), uint32(uint16(told&asked))
}

// putEpoll changes what epoll_wait(2) has said of internet sockets: events of others get
// theirs, events that are the unix socket's alone go, those that only the supervisor
// knows of are added.
func (k *Kernel) putEpoll(t *Task) {
	n, room := t.result(), int64(t.intArg(2))
	before, over := t.epollInet, t.epollOver
	t.epollInet, t.epollOver = nil, false
	odd := k.inet.Odd()
	if over || n < 0 || n == 0 && !odd {
		return
	}
	events := make([]byte, n*epollEventSize)
	if n > 0 && !t.read(t.arg(1), events) {
		return
	}
	le := binary.LittleEndian
	for at := 0; at < len(events); at += epollEventSize {
		odd = odd || le.Uint32(events[at:])&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	}
	if !odd {
		return
	}
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.class != fdAnon {
		return
	}
	list := k.epollInet(t, &f)
	for i := range list {
		k.asBefore(t, &list[i], before)
	}
	told := events[:0:0]
	for ; len(events) > 0; events = events[epollEventSize:] {
		got := le.Uint32(events)
		if e := k.meant(t, list, le.Uint64(events[4:]), got); e != nil && e.s != nil {
			if e.told == 0 {
				continue
			}
			e.s.Tell(t.epollKey())
			got = e.told
		}
		told = le.AppendUint64(le.AppendUint32(told, got), le.Uint64(events[4:]))
	}
	for i := range list {
		if e := &list[i]; int64(len(told)) < room*epollEventSize && e.events&unix.EPOLLONESHOT == 0 && e.hidden(t.epollKey()) {
			e.s.Tell(t.epollKey())
			told = le.AppendUint64(le.AppendUint32(told, e.told), e.data)
		}
	}
	if len(told) > 0 {
		t.write(t.arg(1), told)
	}
	if now := int64(len(told) / epollEventSize); now != n {
		t.regs.Rax = uint64(now)
		t.rewrite()
		if now == 0 {
			k.epollGoOn(t, &f)
		}
	}
}

// asBefore gives an entry that is not armed any more the events it had before the call.
func (k *Kernel) asBefore(t *Task, e *inetEntry, before []inetEntry) {
	for _, b := range before {
		if b.n == e.n && b.ino == e.ino && b.armed() && !e.armed() {
			g := k.entryFile(t, &e.epollEntry)
			if e.fired = true; g.class != fdBad {
				e.look(&g, b.polled())
			}
			g.close()
		}
	}
}

// meant finds the entry of which the kernel tells got, of those with the same data: one
// that was disarmed by that, else one that is ready for just that, best one that has changed.
func (k *Kernel) meant(t *Task, list []inetEntry, data uint64, got uint32) *inetEntry {
	var found *inetEntry
	best := -1
	for i := range list {
		e := &list[i]
		if e.data != data || e.used {
			continue
		}
		rank := 0
		switch {
		case e.fired:
			rank = 3
		case !e.armed(): // and what was asked for is not known any more
			g := k.entryFile(t, &e.epollEntry)
			if g.class != fdBad {
				e.look(&g, int16(uint16(got)))
			}
			g.close()
		}
		if e.native == got {
			rank += 2
			if e.s != nil && e.s.Untold(t.epollKey()) {
				rank++
			}
		}
		if rank > best {
			found, best = e, rank
		}
	}
	if found != nil {
		found.used = true
	}
	return found
}

// epollGoOn lets a call wait on whose only events were none: until there are others, or
// its time is over.
func (k *Kernel) epollGoOn(t *Task, f *file) {
	left := t.epollLeft
	if left.set && k.Now() >= left.deadline {
		return
	}
	entry := t.regs
	t.restart = left
	t.wait = waitFor{what: "epoll", edges: true, quiet: true, fds: []waitFD{{fd: f.fd, events: unix.EPOLLIN}}}
	if nr := int(t.regs.Orig_rax); nr != unix.SYS_EPOLL_WAIT && t.arg(4) != 0 {
		t.wait.mask, t.wait.hasMask = t.readU64(t.arg(4))
	}
	f.fd = -1
	t.onTurn = epollAgain(entry)
}
