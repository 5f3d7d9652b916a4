package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// sysRecvDatagram implements every call that receives from s, with flags.
func (k *Kernel) sysRecvDatagram(t *Task, f *file, s *inet.Socket, flags uint64) verdict {
	if flags&unix.MSG_ERRQUEUE != 0 { // IP_RECVERR: the queue is always empty
		return t.fail(unix.EAGAIN)
	}
	block := flags&unix.MSG_DONTWAIT == 0 && !f.nonblock()
	var m sockMsg
	wrong := unix.Errno(0)
	if t.callNr != unix.SYS_RECVMMSG {
		m, wrong = t.message(t.arg(1))
		if wrong != 0 && t.callNr != unix.SYS_RECVFROM { // which looks at its arguments afterwards
			return t.fail(wrong)
		}
	}
	if t.partial == 0 {
		if e := s.TakeErr(); e != 0 {
			k.settle(f, s)
			return t.fail(e)
		}
	}
	if t.callNr == unix.SYS_RECVMMSG {
		return k.recvMany(t, f, s, flags, block)
	}
	if _, ok := s.Peek(); !ok {
		if s.NoRead && block {
			return t.done(0)
		}
		return k.awaitDatagram(t, f, s, block)
	}
	if wrong != 0 { // where the name goes, after the datagram was taken
		m.name = 0
	}
	n, e := k.recvOne(t, f, s, &m, flags)
	if e == 0 {
		e = wrong
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.done(int64(n))
}

// awaitDatagram parks the task until something comes; the call then begins
// anew.
func (k *Kernel) awaitDatagram(t *Task, f *file, s *inet.Socket, block bool) verdict {
	k.settle(f, s)
	if !block || k.late(t) {
		return t.fail(unix.EAGAIN)
	}
	if t.sigWake {
		t.sigWake = false
		if t.restart.set { // a limited wait is not started anew (sock_intr_errno)
			return k.interruptedWith(t, int64(unix.EINTR))
		}
		return k.interrupted(t, true)
	}
	k.limitWait(t, f, unix.SO_RCVTIMEO)
	t.wait = waitFor{what: "a datagram", fds: []waitFD{{fd: f.fd, events: unix.EPOLLIN}}}
	f.fd = -1
	h := k.calls[t.callNr].h
	t.onTurn = func(t *Task) verdict { return h(k, t) }
	return park
}

// recvMany implements recvmmsg(2).
func (k *Kernel) recvMany(t *Task, f *file, s *inet.Socket, flags uint64, block bool) verdict {
	until := int64(-1) // the timeout, looked at after each message
	if a := t.arg(4); a != 0 {
		ns, valid, ok := t.timespec(a)
		switch {
		case !ok:
			return t.fail(unix.EFAULT)
		case !valid:
			return t.fail(unix.EINVAL)
		}
		until = satAdd(t.callStart, ns)
	}
	total := int64(min(t.arg(2)&0xffffffff, 1024))
	for t.partial < total {
		if _, ok := s.Peek(); !ok {
			break
		}
		at := t.arg(1) + 64*uint64(t.partial)
		m, e := t.msghdr(at)
		n := 0
		if e == 0 {
			n, e = k.recvOne(t, f, s, &m, flags)
		}
		if e == 0 && !t.writeU32(at+56, uint32(n)) {
			e = unix.EFAULT
		}
		if e != 0 {
			if t.partial > 0 { // the next call learns of it
				s.Err = e
				k.inet.Change(s)
				k.settle(f, s)
				return t.done(t.partial)
			}
			return t.fail(e)
		}
		t.partial++
		if until >= 0 && k.Now() >= until {
			return t.done(t.partial)
		}
	}
	switch {
	case t.partial > 0 && (t.partial == total || !block || flags&unix.MSG_WAITFORONE != 0 || k.late(t) || t.sigWake || s.NoRead || s.Err != 0):
		t.sigWake = false
		return t.done(t.partial)
	case total == 0 || s.NoRead:
		return t.done(0)
	}
	return k.awaitDatagram(t, f, s, block)
}

// recvOne gives the next datagram to m and returns the length for the caller. One that
// cannot be written there is lost (udp_recvmsg).
func (k *Kernel) recvOne(t *Task, f *file, s *inet.Socket, m *sockMsg, flags uint64) (int, unix.Errno) {
	d, _ := s.Peek()
	if flags&unix.MSG_PEEK == 0 {
		s.Pop()
		k.settle(f, s)
	}
	var out uint32
	n, ok := t.scatter(m.v, d.Data)
	if !ok && len(d.Data) > 0 {
		return 0, unix.EFAULT
	}
	if n < len(d.Data) {
		out |= unix.MSG_TRUNC
		if flags&unix.MSG_TRUNC != 0 {
			n = len(d.Data)
		}
	}
	from := netlinkAddr(0)
	var control []byte
	if s.Family != unix.AF_NETLINK {
		from = shown(s, d.Src)
		control = s.Control(d)
	}
	if !t.putName(m, from) || !t.putControl(m, control, out) {
		return 0, unix.EFAULT
	}
	return n, 0
}
