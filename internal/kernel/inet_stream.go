package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// Where TCP and unix stream sockets differ, this decides before the kernel
// sees the call. handled is false where they do not.

// sendStream looks at a call that sends n bytes on s. TCP learns that its peer
// is gone from the answer to what it sends, so the first data after that is
// lost without an error (tcp(7) does not say so; RFC 9293, 3.5.2).
func (k *Kernel) sendStream(t *Task, f *file, s *inet.Socket, n int, flags uint64) (v verdict, handled bool) {
	if s.Err != 0 {
		return t.fail(s.TakeErr()), true
	}
	if s.State != inet.Connected && s.State != inet.Connecting {
		return k.brokenPipe(t, flags), true
	}
	if s.NoWrite || n == 0 {
		return pass, false
	}
	p := [1]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLOUT}}
	if m, err := unix.Poll(p[:], 0); err != nil || m == 0 {
		return pass, false
	}
	switch ev := p[0].Revents; {
	case ev&unix.POLLERR != 0:
		if e := k.socketError(f, s); e != 0 {
			s.Reset = true
			return t.fail(e), true
		}
	case ev&unix.POLLHUP != 0 && !s.Reset:
		s.Reset = true
		return t.done(int64(n)), true
	}
	return pass, false
}

// brokenPipe answers EPIPE, with the signal.
func (k *Kernel) brokenPipe(t *Task, flags uint64) verdict {
	if flags&unix.MSG_NOSIGNAL == 0 {
		_ = unix.Tgkill(t.proc.pid, t.tid, unix.SIGPIPE)
	}
	return t.fail(unix.EPIPE)
}

// recvStream looks at a call that receives from s.
func (k *Kernel) recvStream(t *Task, f *file, s *inet.Socket, flags uint64) (v verdict, handled bool) {
	switch {
	case flags&unix.MSG_ERRQUEUE != 0:
		return t.fail(unix.EAGAIN), true
	case s.Err != 0:
		e := s.TakeErr()
		if s.State == inet.Refused {
			s.State = inet.Idle
		}
		return t.fail(e), true
	case s.State != inet.Connected && s.State != inet.Connecting:
		return t.fail(unix.ENOTCONN), true
	case s.NoRead && !s.NoWrite && !f.ready(unix.POLLIN):
		return t.done(0), true
	}
	return pass, false
}

// withoutName makes a receiving call on a TCP socket leave the sender's
// address empty, as TCP does.
func (k *Kernel) withoutName(t *Task, v verdict) verdict {
	switch t.callNr {
	case unix.SYS_RECVFROM:
		addr, lenp := t.arg(4), t.arg(5)
		if addr == 0 {
			return v
		}
		back := t.saveSockaddr(addr, lenp)
		return t.atEnd(v, func(t *Task) {
			if t.result() >= 0 {
				back()
				t.writeU32(lenp, 0)
			}
		})
	case unix.SYS_RECVMSG:
		hdr := t.arg(1)
		addr, ok := t.readU64(hdr)
		if !ok || addr == 0 {
			return v
		}
		back := t.saveSockaddr(addr, hdr+8)
		return t.atEnd(v, func(t *Task) {
			if t.result() >= 0 {
				back()
				t.writeU32(hdr+8, 0)
			}
		})
	}
	return v
}

// readSocket implements read(2) and readv(2) on a socket; it consumes f.
func (k *Kernel) readSocket(t *Task, f *file) verdict {
	if s := k.inetOf(f); s != nil && (t.callNr == unix.SYS_READ || t.callNr == unix.SYS_READV) {
		if !s.Stream() {
			defer f.close()
			return k.sysRecvDatagram(t, f, s, 0)
		}
		if v, ok := k.recvStream(t, f, s, 0); ok {
			f.close()
			return v
		}
	}
	return k.untilReady(t, f, unix.POLLIN, "read from a socket")
}

// writeSocket implements write(2) and writev(2) on a socket; it consumes f.
func (k *Kernel) writeSocket(t *Task, f *file) verdict {
	if s := k.inetOf(f); s != nil && (t.callNr == unix.SYS_WRITE || t.callNr == unix.SYS_WRITEV) {
		if !s.Stream() {
			defer f.close()
			return k.sysSendDatagram(t, f, s, 0)
		}
		n, _ := t.length()
		if t.partial == 0 {
			if v, ok := k.sendStream(t, f, s, n, 0); ok {
				f.close()
				return v
			}
		}
	}
	k.autobindSender(f)
	return k.writeStream(t, f)
}

// withoutDestination hides the destination that a sending call on a TCP
// socket names: TCP ignores it, unix sockets complain.
func (k *Kernel) withoutDestination(t *Task, send func() verdict) verdict {
	switch t.callNr {
	case unix.SYS_SENDTO:
		addr, n := t.arg(4), t.arg(5)
		if addr == 0 {
			break
		}
		t.setArg(4, 0)
		t.setArg(5, 0)
		t.rewrite()
		return t.atEnd(send(), func(t *Task) {
			t.setArg(4, addr)
			t.setArg(5, n)
			t.rewrite()
		})
	case unix.SYS_SENDMSG:
		at := t.arg(1) + 8 // msg_namelen
		n, ok := t.readU32(at)
		if !ok || n == 0 {
			break
		}
		t.writeU32(at, 0)
		return t.atEnd(send(), func(t *Task) { t.writeU32(at, n) })
	}
	return send()
}
