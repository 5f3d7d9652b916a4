package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// A unix stream socket hangs up when its peer closes. TCP learns no more of
// that than of shutdown(SHUT_WR): the end of what comes in. It hangs up when both
// directions have ended (tcp_poll in net/ipv4/tcp.c).

// openTCP reports whether f is a TCP socket that has not hung up, whatever the
// kernel says of it.
func (k *Kernel) openTCP(f *file) bool {
	s := k.inetOf(f)
	if s == nil || !s.Stream() || s.State != inet.Connected || s.NoWrite || s.Err != 0 || s.Peer != nil && s.Peer.Abortive && !s.Peer.Shut() {
		return false
	}
	p := [1]unix.PollFd{{Fd: int32(f.fd)}}
	_, err := unix.Poll(p[:], 0)
	return err == nil && p[0].Revents&unix.POLLERR == 0 // the peer has reset the connection
}

// pollReady asks for events of f as poll(2) does. quiet: f hangs up although
// a TCP socket would not, and nothing else can be told of it.
func (k *Kernel) pollReady(f *file, events int16) (ready, quiet bool) {
	if !f.ready(events) {
		return false, false
	}
	if f.class != fdSocket || k.inet.Empty() {
		return true, false
	}
	p := [1]unix.PollFd{{Fd: int32(f.fd), Events: events}}
	if _, err := unix.Poll(p[:], 0); err != nil || p[0].Revents != unix.POLLHUP || !k.openTCP(f) {
		return true, false
	}
	return false, true
}

// refused reports whether f is a TCP socket whose connect(2) was refused, which it
// was told or will be.
func (k *Kernel) refused(f *file) (s *inet.Socket, ok bool) {
	s = k.inetOf(f)
	return s, s != nil && s.Stream() && s.State == inet.Refused
}

// refusedEvents are what it polls besides: both directions have ended (tcp_reset).
const refusedEvents = unix.POLLIN | pollRdNorm | unix.POLLOUT | pollWrNorm | unix.POLLRDHUP

const pollRdNorm, pollWrNorm = 0x40, 0x100 // asm-generic/poll.h

// asTCP changes what poll(2) or ppoll(2), which v lets the kernel do, will say of the
// TCP sockets in s: POLLHUP does not belong to those that have not hung up, and
// more than that to those that were refused.
func (k *Kernel) asTCP(t *Task, s *pollSpec, v verdict) verdict {
	if s.sets || k.inet.Empty() {
		return v
	}
	any := false
	for _, p := range s.fds {
		f := k.file(t, p.n)
		if !any && f.class == fdSocket && f.ready(0) { // 0: only what is told unasked
			_, refused := k.refused(&f)
			any = refused || k.openTCP(&f)
		}
		f.close()
	}
	if !any {
		return v
	}
	return t.atEnd(v, k.pollTCP)
}

// pollTCP does that at the exit of the call.
func (k *Kernel) pollTCP(t *Task) {
	const size, revents = 8, 6 // struct pollfd
	left, at := t.result(), t.arg(0)
	for n := uint32(t.arg(1)); n > 0 && left > 0; n, at = n-1, at+size {
		var b [size]byte
		if !t.read(at, b[:]) {
			return
		}
		got := binary.LittleEndian.Uint16(b[revents:])
		fd := int32(binary.LittleEndian.Uint32(b[:]))
		if fd < 0 || got&unix.POLLHUP == 0 {
			continue
		}
		f, before := k.file(t, int(fd)), got
		if s, refused := k.refused(&f); refused {
			got |= refusedEvents & binary.LittleEndian.Uint16(b[4:])
			if s.Err != 0 {
				got |= unix.POLLERR
			}
		} else if k.openTCP(&f) {
			got &^= unix.POLLHUP
		}
		if got != before {
			binary.LittleEndian.PutUint16(b[revents:], got)
			t.write(at, b[:])
			if got == 0 {
				left--
			}
		}
		f.close()
	}
	if left != t.result() && t.result() > 0 {
		t.regs.Rax = uint64(left)
		t.rewrite()
	}
}

// hangUp lets those look again who wait for a socket that may hang up now by a
// shutdown(2) of the guest's.
func (k *Kernel) hangUp() {
	for _, o := range k.order {
		if o.wait.quiet {
			k.sched.Wake(o.th)
		}
	}
}
