package kernel

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// pollSpec is what a poll- or select-like call waits for.
type pollSpec struct {
	fds     []pollFD
	ns      int64 // timeout; valid if timed
	timed   bool
	mask    uint64
	hasMask bool
	sets    bool // select-like
	bad     bool // a descriptor is not open: the kernel says so at once
}

type pollFD struct {
	n      int
	events int16
	at     uint64 // where the answer goes: revents, or the byte of a set
}

// sysPoll implements poll(2), ppoll(2), select(2), pselect6(2). The
// descriptors are asked from outside; the kernel does the call only when it
// cannot sleep: something is ready, or the timeout is over and set to zero.
func sysPoll(k *Kernel, t *Task) verdict {
	s, e := k.pollSpec(t)
	if e != 0 {
		return pass // the kernel finds the same fault
	}
	if s.timed && !t.restart.set {
		if s.ns == 0 {
			k.asked()
			return k.pollNow(t, &s)
		}
		t.restart = restart{nr: unix.SYS_POLL, deadline: satAdd(k.Now(), s.ns), set: true}
	}
	return k.pollWait(t, &s)
}

func (k *Kernel) pollWait(t *Task, s *pollSpec) verdict {
	if t.sigWake {
		t.sigWake = false
		return k.pollSignalled(t, s)
	}
	if t.restart.set && k.Now() >= t.restart.deadline || s.bad {
		return k.pollNow(t, s)
	}
	w := waitFor{what: "poll", mask: s.mask, hasMask: s.hasMask}
	ready := false
	for _, p := range s.fds {
		f := k.file(t, p.n)
		if f.class == fdBad {
			ready = true
			break
		}
		if mask, ok := f.signalfdMask(); ok {
			f.close()
			if p.events&unix.POLLIN != 0 {
				w.sigfd |= mask
			}
			continue
		}
		w.tty = w.tty || f.class == fdTTY
		events := p.events
		told, seems := k.pollEvents(&f, events)
		if s.sets {
			told &= events // else it has hung up, which only those who read are told
		}
		if told != 0 || f.class == fdTree {
			f.close()
			ready = true
			break
		}
		if s := k.inetOf(&f); s != nil {
			w.quiet = true
			if s.Stream() {
				events &^= pollWrBand
				if s.NoWrite { // whose hanging up is the peer's end
					events |= unix.POLLRDHUP
				}
			}
		}
		if seems { // it would be told at once, again and again
			f.close()
			w.quiet = true
			continue
		}
		w.outside = w.outside || k.isOutside(&f)
		w.fds = append(w.fds, waitFD{fd: f.fd, events: uint32(uint16(events))})
	}
	if w.sigfd != 0 && !ready {
		s, ok := t.sigState()
		ready = !ok || s.pending&w.sigfd != 0
	}
	if ready {
		for i := range w.fds {
			unix.Close(w.fds[i].fd)
		}
		return k.pollNow(t, s)
	}
	t.wait = w
	t.onTurn = func(t *Task) verdict { return k.pollWait(t, s) }
	return park
}

// pollNow lets the kernel answer with a timeout of zero.
func (k *Kernel) pollNow(t *Task, s *pollSpec) verdict {
	return k.asInet(t, s, k.pollAtOnce(t, s))
}

// pollAtOnce is pollNow for all but internet sockets. Calls that write the remaining time
// back (select(2), NOTES) get the logical one.
func (k *Kernel) pollAtOnce(t *Task, s *pollSpec) verdict {
	left := int64(0)
	if t.restart.set {
		left = max(t.restart.deadline-k.Now(), 0)
	}
	t.restart = restart{}
	nr := int(t.regs.Orig_rax)
	switch nr {
	case unix.SYS_RESTART_SYSCALL:
		t.regs.Orig_rax = unix.SYS_POLL
		t.setArg(2, 0)
		t.rewrite()
		return pass
	case unix.SYS_POLL:
		old := t.arg(2)
		if old == 0 {
			return pass
		}
		t.setArg(2, 0)
		t.rewrite()
		t.onExit = func(t *Task) {
			t.setArg(2, old)
			t.rewrite()
		}
		return toExit
	}
	i := timeoutArg(nr)
	if !s.timed {
		t.found = handler(sysPoll).again(k)
		return pass // ready, and no time to write back
	}
	addr := t.arg(i)
	unit := int64(1)
	if nr == unix.SYS_SELECT {
		unit = 1000
	}
	if !t.writeU64(addr, 0, 0) { // a constant, which is not written to afterwards, either
		entry := t.regs
		at, ok := t.lend(0, 0)
		if !ok {
			return t.fail(unix.EFAULT)
		}
		t.setArg(i, at)
		t.rewrite()
		t.onExit = func(t *Task) {
			t.regs = withResult(t.regs, &entry, t.result())
			t.rewrite()
		}
		return toExit
	}
	t.onExit = func(t *Task) {
		sec, ns := splitNS(left)
		t.writeU64(addr, uint64(sec), uint64(ns/unit))
	}
	return toExit
}

// pollSignalled lets the kernel find the pending signal; the remaining time
// that it writes is replaced by the logical one.
func (k *Kernel) pollSignalled(t *Task, s *pollSpec) verdict {
	nr := int(t.regs.Orig_rax)
	if nr == unix.SYS_POLL {
		t.restart.nr = nr // a stop and SIGCONT come back as restart_syscall(2)
	}
	if nr == unix.SYS_POLL || nr == unix.SYS_RESTART_SYSCALL || !s.timed {
		return pass
	}
	left := max(t.restart.deadline-k.Now(), 0)
	addr := t.arg(timeoutArg(nr))
	unit := int64(1)
	if nr == unix.SYS_SELECT {
		unit = 1000
	}
	t.onExit = func(t *Task) {
		sec, ns := splitNS(left)
		t.writeU64(addr, uint64(sec), uint64(ns/unit))
	}
	return toExit
}

func timeoutArg(nr int) int {
	if nr == unix.SYS_PPOLL {
		return 2
	}
	return 4 // select, pselect6
}

// pollSpec decodes the arguments.
func (k *Kernel) pollSpec(t *Task) (pollSpec, unix.Errno) {
	var s pollSpec
	nr := int(t.regs.Orig_rax)
	switch nr {
	case unix.SYS_POLL, unix.SYS_RESTART_SYSCALL, unix.SYS_PPOLL:
		n := uint32(t.arg(1)) // the kernel looks at the lower half only
		if n > 1<<20 {
			return s, unix.EINVAL
		}
		b := make([]byte, 8*n)
		if n > 0 && !t.read(t.arg(0), b) {
			return s, unix.EFAULT
		}
		for i := range int(n) {
			fd := int32(binary.LittleEndian.Uint32(b[8*i:]))
			if fd >= 0 {
				s.fds = append(s.fds, pollFD{int(fd), int16(binary.LittleEndian.Uint16(b[8*i+4:])), t.arg(0) + uint64(8*i+6)})
			}
		}
		if nr != unix.SYS_PPOLL {
			if ms := t.intArg(2); ms >= 0 {
				s.timed, s.ns = true, int64(ms)*1e6
			}
			return s, 0
		}
		return s, k.pollTimeout(t, &s, t.arg(2), t.arg(3), t.arg(4), 1)
	}
	s.sets = true
	if e := k.selectSets(t, &s); e != 0 {
		return s, e
	}
	if nr == unix.SYS_SELECT {
		return s, k.pollTimeout(t, &s, t.arg(4), 0, 0, 1000)
	}
	var set [16]byte // address and size of the mask
	if a := t.arg(5); a != 0 && !t.read(a, set[:]) {
		return s, unix.EFAULT
	}
	mask, size := binary.LittleEndian.Uint64(set[:]), binary.LittleEndian.Uint64(set[8:])
	return s, k.pollTimeout(t, &s, t.arg(4), mask, size, 1)
}

func (k *Kernel) pollTimeout(t *Task, s *pollSpec, ts, mask, size uint64, unit int64) unix.Errno {
	if mask != 0 {
		if size != sigsetSize {
			return unix.EINVAL
		}
		m, ok := t.readU64(mask)
		if !ok {
			return unix.EFAULT
		}
		s.mask, s.hasMask = m, true
	}
	if ts == 0 {
		return 0
	}
	var b [16]byte
	if !t.read(ts, b[:]) {
		return unix.EFAULT
	}
	sec, sub := int64(binary.LittleEndian.Uint64(b[:])), int64(binary.LittleEndian.Uint64(b[8:]))
	if unit > 1 { // select(2) takes any number of microseconds
		sec, sub = sec+sub/1e6, sub%1e6
	}
	if sec < 0 || sub < 0 || unit == 1 && sub >= 1e9 {
		return unix.EINVAL
	}
	s.timed = true
	s.ns = satAdd(satMul(sec, 1e9), satMul(sub, unit))
	return 0
}

// selectSets reads the three bit sets of select(2).
func (k *Kernel) selectSets(t *Task, s *pollSpec) unix.Errno {
	n := t.intArg(0)
	if n < 0 {
		return unix.EINVAL
	}
	// The kernel looks no further than the size of the descriptor table, which
	// the limit on open files bounds; a buffer may end there.
	n = min(n, 4096)
	const smallest = 64 // table
	if n > smallest {
		if f := statusField(t.tid, "FDSize:"); len(f) == 1 {
			if size, err := strconv.Atoi(string(f[0])); err == nil {
				n = min(n, size)
			}
		}
	}
	bytes := (n + 63) / 64 * 8
	events := []int16{unix.POLLIN | unix.POLLHUP | unix.POLLERR, unix.POLLOUT | unix.POLLERR, unix.POLLPRI}
	for i, ev := range events {
		addr := t.arg(1 + i)
		if addr == 0 || n == 0 {
			continue
		}
		b := make([]byte, bytes)
		got, err := ptrace.ReadMem(t.tid, addr, b)
		if err != nil || got < 8 {
			return unix.EFAULT
		}
		for fd := range min(n, 8*got) {
			if b[fd/8]&(1<<(fd%8)) != 0 {
				s.fds = append(s.fds, pollFD{fd, ev, addr + uint64(fd/8)})
			}
		}
	}
	return 0
}

// sysEpollWait implements epoll_wait(2), epoll_pwait(2), epoll_pwait2(2). An
// epoll descriptor is itself pollable, which is all we need to know.
func sysEpollWait(k *Kernel, t *Task) verdict {
	v := k.epollCall(t)
	if k.inet.Empty() {
		return v
	}
	return t.atEnd(v, k.putEpoll)
}

// epollCall is sysEpollWait for all but internet sockets.
func (k *Kernel) epollCall(t *Task) verdict {
	nr := int(t.regs.Orig_rax)
	timed, ns := false, int64(0)
	if t.intArg(2) <= 0 {
		return pass // EINVAL
	}
	if nr == unix.SYS_EPOLL_PWAIT2 {
		if a := t.arg(3); a != 0 {
			v, valid, ok := t.timespec(a)
			if !ok || !valid {
				return pass
			}
			timed, ns = true, v
		}
	} else if ms := t.intArg(3); ms >= 0 {
		timed, ns = true, int64(ms)*1e6
	}
	w := waitFor{what: "epoll"}
	if nr != unix.SYS_EPOLL_WAIT && t.arg(4) != 0 {
		m, ok := t.readU64(t.arg(4))
		if !ok || t.arg(5) != sigsetSize {
			return pass // EFAULT, EINVAL
		}
		w.mask, w.hasMask = m, true
	}
	if timed && !t.restart.set {
		if ns == 0 && k.epollTerminal(t) {
			k.asked()
		}
		t.restart = restart{nr: nr, deadline: satAdd(k.Now(), ns), set: true}
	}
	return k.epollWait(t, w, timed)
}

// epollTerminal reports whether t, in a run with a terminal, looks for input of one
// in an epoll set.
func (k *Kernel) epollTerminal(t *Task) bool {
	if k.term == nil {
		return false
	}
	f := k.file(t, t.intArg(0))
	defer f.close()
	return f.class == fdAnon && k.epollHas(t, &f, isTTY)
}

func isTTY(f *file) bool { return f.class == fdTTY }

func (k *Kernel) epollWait(t *Task, w waitFor, timed bool) verdict {
	f := k.file(t, t.intArg(0))
	if f.class != fdAnon {
		f.close()
		return pass // EBADF, EINVAL
	}
	if k.signalfds && !t.sigWake && !(timed && k.late(t)) {
		if fds, mask := k.epollSignals(t, &f); mask != 0 {
			f.close()
			w.fds, w.sigfd = fds, mask
			return k.epollTry(t, w)
		}
	}
	if k.inet.Odd() && !t.sigWake {
		if v, ok := k.epollHidden(t, &f); ok {
			f.close()
			return v
		}
	}
	if t.sigWake || f.ready(unix.POLLIN) || timed && k.Now() >= t.restart.deadline {
		f.close()
		due := timed && k.Now() >= t.restart.deadline && !t.sigWake
		t.sigWake = false
		was := t.restart
		t.epollLeft, t.restart = was, restart{}
		if !due {
			t.found = func(t *Task) verdict {
				t.restart = was
				return sysEpollWait(k, t)
			}
			return pass
		}
		return k.epollNow(t)
	}
	w.fds = []waitFD{{fd: f.fd, events: unix.EPOLLIN}}
	w.outside = k.cfg.Open.Network && k.epollOutside(t, &f)
	w.tty = k.term != nil && k.epollHas(t, &f, isTTY)
	w.quiet = !k.inet.Empty()
	w.edges = k.crowd.asked && !w.outside && !w.tty && k.exclusive(&f)
	t.wait = w
	t.onTurn = func(t *Task) verdict {
		w.fds = nil
		return k.epollWait(t, w, timed)
	}
	return park
}

// epollAtOnce lets the kernel make the call with a timeout of zero.
func (t *Task) epollAtOnce() {
	if int(t.regs.Orig_rax) == unix.SYS_EPOLL_PWAIT2 {
		t.regs.Orig_rax = unix.SYS_EPOLL_PWAIT // its timeout is a number
	}
	t.setArg(3, 0)
	t.rewrite()
}

// epollAgain is the turn of one whose call found nothing, and stands at its exit: it is
// made again as it was at entry, or ends for a signal.
func epollAgain(entry ptrace.Regs) func(*Task) verdict {
	return func(t *Task) verdict {
		if t.sigWake {
			t.sigWake = false
			t.endWith(entry, -int64(unix.EINTR))
			return ended
		}
		t.repeat(entry)
		return pass
	}
}

// epollNow makes the call with a timeout of zero.
func (k *Kernel) epollNow(t *Task) verdict {
	if int(t.regs.Orig_rax) == unix.SYS_EPOLL_PWAIT2 {
		return t.done(0)
	}
	old := t.arg(3)
	t.setArg(3, 0)
	t.rewrite()
	t.onExit = func(t *Task) {
		t.setArg(3, old)
		t.rewrite()
	}
	return toExit
}
