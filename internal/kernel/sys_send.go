package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
	"dettrace/internal/ptrace"
)

// send*(2): a send larger than the free room sleeps half-way although poll(2)
// says writable. It is made without blocking, and continued when there is room.
func sysSend(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	fi := 3 // sendto, sendmmsg
	if t.callNr == unix.SYS_SENDMSG {
		fi = 2
	}
	if s := k.inetOf(&f); s != nil {
		if !s.Stream() {
			defer f.close()
			return k.sysSendDatagram(t, &f, s)
		}
		if t.partial == 0 && t.callNr != unix.SYS_SENDMMSG {
			m, e := t.message(t.arg(1))
			if e == 0 && s.State == inet.Connected {
				e = t.checkControl(&m)
			}
			if e != 0 {
				f.close()
				return t.fail(e)
			}
		}
		if t.partial == 0 && (t.callNr != unix.SYS_SENDMMSG || t.intArg(2) != 0) {
			if v, ok := k.sendStream(t, &f, s, t.messageLen(), t.arg(fi)); ok {
				f.close()
				return v
			}
		}
		return k.withoutDestination(t, func() verdict { return k.send(t, &f, fi) })
	}
	k.autobindSender(&f)
	if k.cfg.Open.Network && f.class == fdSocket && k.strangeReceiver(t) {
		f.close()
		return t.fail(unix.ECONNREFUSED)
	}
	return k.send(t, &f, fi)
}

// send sends on a socket whose bytes are the kernel's. It consumes f; fi is
// the flags' argument.
func (k *Kernel) send(t *Task, f *file, fi int) verdict {
	if k.cfg.Open.Threads || f.class != fdSocket || t.arg(fi)&unix.MSG_DONTWAIT != 0 || f.nonblock() {
		f.close()
		return pass
	}
	if t.partial == 0 && t.callNr != unix.SYS_SENDMMSG && f.takes(t.messageLen()) {
		f.close()
		return pass
	}
	typ, _ := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	k.limitWait(t, f, unix.SO_SNDTIMEO)
	f.close()
	if t.sigWake { // the kernel finds the signal before it would sleep
		t.sigWake = false
		if t.partial > 0 {
			return t.done(t.partial)
		}
		return pass
	}
	return k.sendPiece(t, fi, typ == unix.SOCK_STREAM && t.callNr != unix.SYS_SENDMMSG)
}

// takes reports that a stream socket has room for n bytes in any case: what
// fits into half of the smallest buffer (SOCK_MIN_SNDBUF) is one packet of a
// unix socket, which waits only while the buffer is full.
func (f *file) takes(n int) bool {
	if n > 2048 || f.class != fdSocket || !f.ready(unix.POLLOUT) {
		return false
	}
	for _, o := range [][2]int{{unix.SO_DOMAIN, unix.AF_UNIX}, {unix.SO_TYPE, unix.SOCK_STREAM}} {
		if v, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, o[0]); err != nil || v != o[1] {
			return false
		}
	}
	return true
}

// sendPiece lets the kernel send what fits; flags is the flags' argument.
func (k *Kernel) sendPiece(t *Task, flags int, stream bool) verdict {
	entry := t.regs
	v, ok := t.msgBuffers()
	total := int64(0)
	for _, x := range v {
		total += int64(min(x.len, maxRW))
	}
	f := t.arg(flags) | unix.MSG_DONTWAIT
	if t.partial > 0 {
		if !ok || !t.pieceOf(v, unix.SYS_SENDTO, f|unix.MSG_NOSIGNAL) { // the end after a part is no error
			return t.done(t.partial)
		}
	} else {
		t.setArg(flags, f)
	}
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		if r > 0 && stream {
			t.partial += r
		}
		full := r == -int64(unix.EAGAIN)
		if stream && r > 0 && t.partial < total {
			full = true
		}
		if full && !k.late(t) {
			k.awaitRoom(t, entry, stream)
			return
		}
		if stream && t.partial > 0 {
			r = t.partial
		}
		t.endWith(entry, r)
	}
	return toExit
}

// awaitRoom parks a sender. A stream socket polls writable when there is
// room; a datagram socket without a fixed peer always does, so its sender
// tries again whenever somebody else has done something.
func (k *Kernel) awaitRoom(t *Task, entry ptrace.Regs, stream bool) {
	t.wait = waitFor{what: "room in a socket", lock: !stream}
	if g := k.file(t, int(int32(entry.Rdi))); g.class != fdBad {
		if t.wait.outside = k.isOutside(&g); stream || t.wait.outside {
			t.wait.fds = []waitFD{{fd: g.fd, events: unix.EPOLLOUT}}
		} else {
			g.close()
		}
	}
	t.onTurn = func(t *Task) verdict {
		if t.sigWake && t.partial > 0 {
			t.sigWake = false
			t.endWith(entry, t.partial)
			return ended
		}
		return t.again(entry)
	}
}

// messageLen is the number of bytes that a call sends.
func (t *Task) messageLen() int {
	v, _ := t.msgBuffers()
	n := uint64(0)
	for _, x := range v {
		n += min(x.len, maxRW)
	}
	return int(min(n, maxRW))
}

// msgBuffers are the areas that sendto, sendmsg (struct msghdr), recvfrom or
// recvmsg means.
func (t *Task) msgBuffers() ([]iov, bool) {
	switch t.callNr {
	case unix.SYS_SENDTO, unix.SYS_RECVFROM:
		return []iov{{t.arg(1), t.arg(2)}}, true
	case unix.SYS_SENDMSG, unix.SYS_RECVMSG:
		var b [56]byte
		if !t.read(t.arg(1), b[:]) {
			return nil, false
		}
		n := getU64(b[24:])
		if n > 1024 {
			return nil, false
		}
		v, e := t.iovecs(getU64(b[16:]), int(n))
		return v, e == 0
	}
	return nil, false
}

// pieceOf turns the call into nr, sendto(2) or recvfrom(2), of what is left of
// one area.
func (t *Task) pieceOf(v []iov, nr int, flags uint64) bool {
	skip := uint64(t.partial)
	for _, x := range v {
		if skip < x.len {
			t.regs.Orig_rax = uint64(nr)
			t.regs.Rsi, t.regs.Rdx = x.base+skip, x.len-skip
			t.regs.R10, t.regs.R8, t.regs.R9 = flags, 0, 0
			return true
		}
		skip -= x.len
	}
	return false
}
