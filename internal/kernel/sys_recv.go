package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// recv*(2): parked until the socket is readable. A call that goes on waiting
// after that, for all of its bytes or messages, is made in pieces.
func sysRecv(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	if f.class != fdSocket {
		f.close()
		return pass // EBADF, ENOTSOCK
	}
	fi := 3 // recvfrom, recvmmsg
	if t.callNr == unix.SYS_RECVMSG {
		fi = 2
	}
	flags := t.arg(fi)
	s := k.inetOf(&f)
	if s == nil {
		v := k.recv(t, &f, fi, true)
		if k.stamps {
			v = t.atEnd(v, k.restamp)
		}
		return v
	}
	if !s.Stream() {
		defer f.close()
		return k.sysRecvDatagram(t, &f, s, flags)
	}
	if t.callNr == unix.SYS_RECVMSG {
		if _, e := t.msghdr(t.arg(1)); e != 0 {
			f.close()
			return t.fail(e)
		}
	}
	if v, ok := k.recvStream(t, &f, s, flags); ok {
		f.close()
		return v
	}
	return k.withoutName(t, func() verdict { return k.recv(t, &f, fi, false) })
}

// recv receives from a socket whose bytes are the kernel's. It consumes f; fi
// is the flags' argument, and control says that control data can come.
func (k *Kernel) recv(t *Task, f *file, fi int, control bool) verdict {
	flags := t.arg(fi)
	if flags&unix.MSG_DONTWAIT != 0 || f.nonblock() || t.recvsAtOnce(flags) {
		f.close()
		return pass
	}
	if k.waitsForMore(t, f, flags, control) {
		if t.sigWake { // the kernel finds the signal before it would sleep
			t.sigWake = false
			f.close()
			return pass
		}
		return k.recvPiece(t, f, fi)
	}
	return k.untilReady(t, f, unix.POLLIN, "a socket to become readable")
}

// recvsAtOnce reports whether the kernel ends t's receiving call before it would wait:
// what it is told is wrong, or it takes no messages or only urgent data.
func (t *Task) recvsAtOnce(flags uint64) bool {
	if flags&unix.MSG_OOB != 0 {
		return true
	}
	switch t.callNr {
	case unix.SYS_RECVMSG:
		_, ok := t.msgBuffers()
		return !ok
	case unix.SYS_RECVMMSG:
		if a := t.arg(4); a != 0 {
			if _, valid, ok := t.timespec(a); !ok || !valid {
				return true
			}
		}
		return t.intArg(2) == 0
	}
	return false
}

// waitsForMore reports whether a receiving call sleeps again after its first
// bytes. Where control data may come with them, each piece would lose that of
// the one before, so such a call stays whole.
func (k *Kernel) waitsForMore(t *Task, f *file, flags uint64, control bool) bool {
	switch t.callNr {
	case unix.SYS_RECVMMSG:
		return flags&unix.MSG_WAITFORONE == 0 && t.intArg(2) > 1
	case unix.SYS_RECVMSG:
		if n, ok := t.readU64(t.arg(1) + 40); !ok || n != 0 && control { // msg_controllen
			return false
		}
	}
	if flags&unix.MSG_WAITALL == 0 || flags&(unix.MSG_PEEK|unix.MSG_OOB) != 0 {
		return false
	}
	typ, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && typ == unix.SOCK_STREAM
}

// recvPiece lets the kernel receive what is there, and waits for the rest. It
// consumes f; fi is the flags' argument.
func (k *Kernel) recvPiece(t *Task, f *file, fi int) verdict {
	k.limitWait(t, f, unix.SO_RCVTIMEO)
	f.close()
	entry := t.regs
	flags := t.arg(fi)&^uint64(unix.MSG_WAITALL) | unix.MSG_DONTWAIT
	many := t.callNr == unix.SYS_RECVMMSG
	total := int64(t.intArg(2))
	until := int64(-1) // recvmmsg's timeout, looked at after each message
	if many {
		if a := entry.R8; a != 0 {
			ns, valid, ok := t.timespec(a)
			if !ok || !valid {
				return pass
			}
			until = satAdd(t.callStart, ns)
		}
		t.regs.Rsi += uint64(t.partial) * 64 // struct mmsghdr
		t.regs.Rdx -= uint64(t.partial)
		t.regs.R8 = 0
		t.setArg(fi, flags)
	} else {
		v, ok := t.msgBuffers()
		if !ok {
			return pass // the kernel finds the fault
		}
		total = 0
		for _, x := range v {
			total += int64(min(x.len, maxRW))
		}
		if t.partial == 0 {
			t.setArg(fi, flags)
		} else if !t.pieceOf(v, unix.SYS_RECVFROM, flags) {
			return t.done(t.partial)
		}
	}
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		if r > 0 {
			t.partial += r
		}
		late := k.late(t) || many && until >= 0 && t.partial > 0 && k.Now() >= until
		if r == 0 || r < 0 && r != -int64(unix.EAGAIN) || late || t.partial >= total {
			t.recvEnd(k, &entry, r, until)
			return
		}
		t.wait = waitFor{what: "the rest from a socket"}
		if g := k.file(t, int(int32(entry.Rdi))); g.class != fdBad {
			t.wait.fds = []waitFD{{fd: g.fd, events: unix.EPOLLIN | unix.EPOLLRDHUP}}
			t.wait.outside = k.isOutside(&g)
		}
		t.onTurn = func(t *Task) verdict {
			if t.sigWake && t.partial > 0 {
				t.sigWake = false
				t.recvEnd(k, &entry, 0, until)
				return ended
			}
			return t.again(entry)
		}
	}
	return toExit
}

// recvEnd is the end of a call made in pieces, the last of which gave r.
func (t *Task) recvEnd(k *Kernel, entry *ptrace.Regs, r, until int64) {
	if t.partial > 0 {
		r = t.partial
	}
	if until >= 0 && r > 0 {
		sec, ns := splitNS(max(until-k.Now(), 0))
		t.writeU64(entry.R8, uint64(sec), uint64(ns))
	}
	t.endWith(*entry, r)
}

// limitWait gives a call that waits on a socket the deadline that SO_RCVTIMEO
// or SO_SNDTIMEO asks for (socket(7)).
func (k *Kernel) limitWait(t *Task, f *file, opt int) {
	if t.restart.set || f.class != fdSocket {
		return
	}
	if tv, err := unix.GetsockoptTimeval(f.fd, unix.SOL_SOCKET, opt); err == nil && tv.Nano() > 0 {
		t.restart = restart{nr: t.callNr, deadline: satAdd(k.Now(), tv.Nano()), set: true}
	}
}

// late reports that the deadline of a waiting call is over.
func (k *Kernel) late(t *Task) bool {
	return t.restart.set && k.clockNow(t.restart.cpu) >= t.restart.deadline
}
