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
	noteReset(f, s)
	if e := s.TakeErr(); e == unix.EPIPE {
		return k.brokenPipe(t, flags), true
	} else if e != 0 {
		return t.fail(e), true
	}
	if s.State != inet.Connected && s.State != inet.Connecting {
		return k.brokenPipe(t, flags), true
	}
	if s.NoWrite { // the kernel does not know of a shutdown(2) before connect(2), as the peer does not
		return k.brokenPipe(t, flags), true
	}
	if n == 0 {
		return pass, false
	}
	p := [1]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLOUT}}
	if m, err := unix.Poll(p[:], 0); err != nil || m == 0 {
		return pass, false
	}
	if p[0].Revents&unix.POLLHUP != 0 {
		s.State, s.Err = inet.Broken, unix.EPIPE // the answer to it (tcp_reset)
		return t.done(int64(n)), true
	}
	return pass, false
}

// noteReset looks whether the peer has reset the connection, which makes TCP
// forget it at once and not only when somebody asks for the error.
func noteReset(f *file, s *inet.Socket) {
	if !s.Stream() || s.State != inet.Connected && s.State != inet.Connecting {
		return
	}
	p := [1]unix.PollFd{{Fd: int32(f.fd)}}
	if _, err := unix.Poll(p[:], 0); err != nil {
		return
	}
	if p[0].Revents&unix.POLLERR == 0 {
		switch {
		case p[0].Revents&unix.POLLHUP == 0:
		case s.Peer != nil && s.Peer.Abortive && !s.Peer.Shut():
			s.Break()
		case s.Fin && !s.Deaf: // else the unix socket has hung up by itself
			s.State = inet.Broken // both have ended it
		}
		return
	}
	if e, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && e != 0 {
		s.Break()
	}
}

// unread reports that there is something to receive.
func unread(f *file) bool {
	n, err := unix.IoctlGetInt(f.fd, unix.TIOCINQ)
	return err == nil && n > 0
}

// brokenPipe answers EPIPE, with the signal.
func (k *Kernel) brokenPipe(t *Task, flags uint64) verdict {
	if flags&unix.MSG_NOSIGNAL == 0 {
		k.sent()
		_ = unix.Tgkill(t.proc.pid, t.tid, unix.SIGPIPE)
	}
	return t.fail(unix.EPIPE)
}

// recvStream looks at a call that receives from s.
func (k *Kernel) recvStream(t *Task, f *file, s *inet.Socket, flags uint64) (v verdict, handled bool) {
	noteReset(f, s)
	switch {
	case flags&unix.MSG_ERRQUEUE != 0:
		return t.fail(unix.EAGAIN), true
	case s.State == inet.Broken && unread(f):
		return pass, false
	case s.State == inet.Broken && s.Err == unix.EPIPE: // a regular end came before (SOCK_DONE)
		return t.done(0), true
	case s.Err != 0:
		return t.fail(s.TakeErr()), true
	case s.State == inet.Refused || s.State == inet.Broken: // its end has come, as far as TCP knows (tcp_done)
		return t.done(0), true
	case s.State != inet.Connected && s.State != inet.Connecting:
		if s.NoRead && s.State == inet.Idle {
			return t.done(0), true
		}
		return t.fail(unix.ENOTCONN), true
	case s.NoRead && !f.ready(unix.POLLIN):
		return t.done(0), true
	}
	return pass, false
}

// withoutName makes recv, a receiving call on a TCP socket, leave the sender's address
// empty, as TCP does.
func (k *Kernel) withoutName(t *Task, recv func() verdict) verdict {
	switch t.callNr {
	case unix.SYS_RECVFROM:
		addr, lenp := t.arg(4), t.arg(5)
		if addr == 0 {
			break
		}
		t.setArg(4, 0)
		t.setArg(5, 0)
		t.rewrite()
		return t.atEnd(recv(), func(t *Task) {
			t.setArg(4, addr)
			t.setArg(5, lenp)
			if t.result() >= 0 { // what is wrong with them is found after the bytes were taken
				if e := t.putSockaddr(addr, lenp, nil); e != 0 {
					t.fail(e)
				}
			}
			t.rewrite()
		})
	case unix.SYS_RECVMSG:
		hdr := t.arg(1)
		addr, ok := t.readU64(hdr)
		if !ok || addr == 0 {
			break
		}
		back := t.saveSockaddr(addr, hdr+8)
		var b [1]byte
		nowhere := !t.read(addr, b[:])
		if nowhere { // the kernel would fail to write a name
			t.writeU64(hdr, 0)
		}
		return t.atEnd(recv(), func(t *Task) {
			if nowhere {
				t.writeU64(hdr, addr)
			}
			if t.result() >= 0 {
				back()
				t.writeU32(hdr+8, 0)
			}
		})
	}
	return recv()
}

// readSocket implements read(2), readv(2), and preadv2(2) without an offset, on a
// socket; it consumes f.
func (k *Kernel) readSocket(t *Task, f *file) verdict {
	if s := k.inetOf(f); s != nil {
		flags := uint64(0)
		if t.callNr == unix.SYS_PREADV2 && t.arg(5)&unix.RWF_NOWAIT != 0 {
			flags = unix.MSG_DONTWAIT
		}
		if !s.Stream() {
			defer f.close()
			return k.sysRecvDatagram(t, f, s, flags)
		}
		if v, ok := k.recvStream(t, f, s, flags); ok {
			f.close()
			return v
		}
		if flags != 0 {
			f.close()
			return pass
		}
	}
	return k.untilReady(t, f, unix.POLLIN, "read from a socket")
}

// writeSocket implements write(2), writev(2), and pwritev2(2) without an offset, on a
// socket; it consumes f.
func (k *Kernel) writeSocket(t *Task, f *file) verdict {
	if s := k.inetOf(f); s != nil {
		if !s.Stream() {
			defer f.close()
			return k.sysSendDatagram(t, f, s)
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
// socket names, and its control messages: TCP ignores them, unix sockets do not.
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
		control := t.arg(1) + 40 // msg_controllen
		size, known := t.readU64(control)
		if !ok || !known || n == 0 && size == 0 {
			break
		}
		t.writeU32(at, 0)
		t.writeU64(control, 0)
		return t.atEnd(send(), func(t *Task) {
			t.writeU32(at, n)
			t.writeU64(control, size)
		})
	}
	return send()
}
