package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// accept(2), accept4(2): peers come in the order of their connect(2) calls.
func sysAccept(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	if f.class != fdSocket {
		f.close()
		return pass // EBADF, ENOTSOCK
	}
	if t.callNr == unix.SYS_ACCEPT4 && uint32(t.arg(3))&^(unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC) != 0 {
		f.close()
		return t.fail(unix.EINVAL) // before anything is waited for
	}
	s := k.inetOf(&f)
	if s == nil {
		if listens, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens == 0 {
			f.close()
			return pass // EINVAL, EOPNOTSUPP
		}
		return k.untilReady(t, &f, unix.POLLIN, "a connection")
	}
	if !s.Stream() {
		f.close()
		return t.fail(unix.EOPNOTSUPP)
	}
	if s.State != inet.Listening {
		f.close()
		return t.fail(unix.EINVAL)
	}
	addr, lenp := t.arg(1), t.arg(2)
	back := t.saveSockaddr(addr, lenp)
	return t.atEnd(k.untilReady(t, &f, unix.POLLIN, "a connection"), func(t *Task) {
		r := t.result()
		if r < 0 {
			return
		}
		peer := k.accepted(t, int(r), s)
		if addr == 0 || peer == nil {
			return
		}
		back()
		if e := t.putSockaddr(addr, lenp, shown(peer, peer.Remote)); e != 0 {
			t.regs.Rax = uint64(-int64(e))
			t.rewrite()
		}
	})
}

// accepted makes the new descriptor n an internet socket: the name that its
// peer has in the kernel tells both addresses.
func (k *Kernel) accepted(t *Task, n int, l *inet.Socket) *inet.Socket {
	f := k.file(t, n)
	defer f.close()
	if f.class != fdSocket {
		return nil
	}
	sa, err := unix.Getpeername(f.fd)
	if err != nil {
		return nil
	}
	u, _ := sa.(*unix.SockaddrUnix)
	if u == nil {
		return nil
	}
	remote, local, ok := inet.ParseClientName(u.Name)
	if !ok {
		return nil
	}
	nudge(f.fd)
	return k.inet.Accepted(f.ino, l, local, remote)
}

// saveSockaddr keeps what is where the kernel writes the unix address of a
// peer; the function that it returns puts that back.
func (t *Task) saveSockaddr(addr, lenp uint64) (back func()) {
	if addr == 0 {
		return func() {}
	}
	room, ok := t.readU32(lenp)
	b := make([]byte, min(room, unix.SizeofSockaddrUnix))
	if !ok || int32(room) < 0 || !t.read(addr, b) {
		return func() {}
	}
	return func() {
		t.write(addr, b)
		t.writeU32(lenp, room)
	}
}
