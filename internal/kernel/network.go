package kernel

import "golang.org/x/sys/unix"

// With --allow network the guest has the host's network, and internet sockets
// are the kernel's. What comes in and when is the outside's; the rest of the
// container goes on as always meanwhile.

// isOutside reports whether what f waits for is decided outside.
func (k *Kernel) isOutside(f *file) bool {
	if !k.cfg.Open.Network || f.class != fdSocket {
		return false
	}
	fam, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && fam != unix.AF_UNIX
}

// epollOutside reports whether a file in the epoll set f is outside.
func (k *Kernel) epollOutside(t *Task, f *file) bool {
	return k.epollHas(t, f, k.isOutside)
}

// epollHas reports whether is may be true of a file in the epoll set f.
func (k *Kernel) epollHas(t *Task, f *file, is func(*file) bool) bool {
	list, ok := k.epollEntries(f)
	if !ok {
		return true
	}
	for _, e := range list {
		g := k.file(t, e.n)
		found := g.class == fdBad || is(&g) || g.class == fdAnon // the number may mean another file by now, or a set in this one
		g.close()
		if found {
			return true
		}
	}
	return false
}

// connectOutside implements a blocking connect(2) to the outside: begun
// without blocking, and waited for by readiness. It consumes f.
func (k *Kernel) connectOutside(t *Task, f *file) verdict {
	k.limitWait(t, f, unix.SO_SNDTIMEO)
	entry := t.regs
	fl, _ := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
	ours := f.fd
	t.onExit = func(t *Task) {
		unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl)
		if r := t.result(); r != -int64(unix.EINPROGRESS) && r != -int64(unix.EALREADY) {
			unix.Close(ours)
			return
		}
		t.wait = waitFor{what: "a connection to the outside", outside: true, fds: []waitFD{{fd: ours, events: unix.EPOLLOUT}}}
		t.onTurn = func(t *Task) verdict {
			g := k.file(t, int(int32(entry.Rdi)))
			defer g.close()
			switch {
			case g.class == fdBad:
				t.endWith(entry, -int64(unix.EBADF))
			case g.ready(unix.POLLOUT):
				e, err := unix.GetsockoptInt(g.fd, unix.SOL_SOCKET, unix.SO_ERROR)
				if err != nil {
					e = int(errnoOf(err))
				}
				t.endWith(entry, -int64(e))
			case k.late(t) && !t.sigWake:
				t.endWith(entry, -int64(unix.EINPROGRESS))
			default:
				return t.again(entry)
			}
			t.sigWake = false
			return ended
		}
	}
	return toExit
}

// noteName remembers the abstract unix name that a bind(2) asks for. The
// host's names are in the same name space, and no door to them is open.
func (k *Kernel) noteName(t *Task) {
	if name, ok := t.abstractName(t.arg(1), t.intArg(2)); ok {
		k.ownName(name)
	}
}

func (k *Kernel) ownName(name string) {
	if k.abstract == nil {
		k.abstract = map[string]bool{}
	}
	k.abstract[name] = true
}

// strangeName reports an abstract unix name that no socket of the guest had.
func (k *Kernel) strangeName(t *Task, addr uint64, n int) bool {
	name, ok := t.abstractName(addr, n)
	if !ok || k.abstract[name] {
		return false
	}
	k.refuse(t, "a unix socket of the host", unix.ECONNREFUSED)
	return true
}

// strangeReceiver looks at the addresses that a sending call names.
func (k *Kernel) strangeReceiver(t *Task) bool {
	switch t.callNr {
	case unix.SYS_SENDTO:
		return k.strangeName(t, t.arg(4), t.intArg(5))
	case unix.SYS_SENDMSG:
		return k.strangeHeader(t, t.arg(1))
	case unix.SYS_SENDMMSG:
		for i := range min(t.arg(2)&0xffffffff, 1024) {
			if k.strangeHeader(t, t.arg(1)+64*i) {
				return true
			}
		}
	}
	return false
}

func (k *Kernel) strangeHeader(t *Task, hdr uint64) bool {
	var b [12]byte // msg_name, msg_namelen
	return t.read(hdr, b[:]) && k.strangeName(t, getU64(b[:]), int(int32(getU32(b[8:]))))
}

// abstractName reads an abstract unix address.
func (t *Task) abstractName(addr uint64, n int) (string, bool) {
	if addr == 0 || n <= 2 || n > unix.SizeofSockaddrUnix {
		return "", false
	}
	b := make([]byte, n)
	if !t.read(addr, b) || b[0] != unix.AF_UNIX || b[1] != 0 || b[2] != 0 {
		return "", false
	}
	return string(b[2:]), true
}
