package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// sendfileSocket implements sendfile(2) from a file to a socket. A blocking
// socket takes all of it, so what does not fit at once is sent in pieces.
func (k *Kernel) sendfileSocket(t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	if s := k.inetOf(&f); s != nil {
		switch {
		case !s.Stream():
			return t.fail(unix.EINVAL) // it would bypass the queues of package inet
		case s.NoWrite || s.State != inet.Connected && s.State != inet.Connecting:
			return k.brokenPipe(t, 0)
		}
	}
	if f.nonblock() || k.cfg.Open.Threads {
		return pass
	}
	if t.sigWake { // the kernel finds the signal before it would sleep
		t.sigWake = false
		if t.partial > 0 {
			return t.done(t.partial)
		}
		return pass
	}
	k.limitWait(t, &f, unix.SO_SNDTIMEO)
	entry := t.regs
	count := int64(min(t.arg(3), maxRW))
	fl, _ := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
	ours := f.fd
	f.fd = -1
	t.setArg(3, uint64(count-t.partial)) // the kernel has moved the offset
	t.rewrite()
	t.onExit = func(t *Task) {
		unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl)
		r := t.result()
		if r > 0 {
			t.partial += r
			if t.partial < count { // more fits, or the file ends
				unix.Close(ours)
				t.repeat(entry)
				return
			}
		}
		if r == -int64(unix.EAGAIN) && !k.late(t) {
			t.wait = waitFor{what: "room in a socket", fds: []waitFD{{fd: ours, events: unix.EPOLLOUT}}}
			t.onTurn = func(t *Task) verdict {
				if t.sigWake && t.partial > 0 {
					t.sigWake = false
					t.endWith(entry, t.partial)
					return ended
				}
				return t.again(entry)
			}
			return
		}
		unix.Close(ours)
		if t.partial > 0 {
			r = t.partial
		}
		t.endWith(entry, r)
	}
	return toExit
}
