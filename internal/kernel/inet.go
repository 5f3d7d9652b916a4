package kernel

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// Internet sockets inside the container (package inet): the guest's socket is
// a unix socket of its own in the kernel. The supervisor, through a duplicate
// of the descriptor, binds, listens and connects it under names that the guest
// does not see, and keeps the internet addresses.

// socketBuffer is the SO_SNDBUF that unix sockets behind internet sockets get:
// the most that Linux lets everyone have. The kernel doubles it.
const socketBuffer = 212992

// inetOf is the internet socket behind a descriptor, nil if it is none.
func (k *Kernel) inetOf(f *file) *inet.Socket {
	if f.class != fdSocket {
		return nil
	}
	return k.inet.Get(f.ino)
}

// inetAlive lists the inode numbers of the sockets in the guest's network
// namespace, where those of descriptors in flight (SCM_RIGHTS) are too.
func (k *Kernel) inetAlive() map[uint64]bool {
	alive := map[uint64]bool{}
	for _, t := range k.order {
		b, err := readProc("/proc/" + strconv.Itoa(t.tid) + "/net/unix")
		if err != nil || len(b) == 0 {
			continue // a leader that is gone
		}
		const inode = 6 // Num RefCount Protocol Flags Type St Inode Path
		for l := range bytes.Lines(b) {
			if f := bytes.Fields(l); len(f) > inode {
				n, _ := strconv.ParseUint(string(f[inode]), 10, 64)
				alive[n] = true
			}
		}
		return alive
	}
	return alive
}

// sockaddr reads the address that a call passes.
func (t *Task) sockaddr(addr uint64, n int) ([]byte, unix.Errno) {
	if n < 0 || n > unix.SizeofSockaddrAny+16 {
		return nil, unix.EINVAL
	}
	b := make([]byte, n)
	if n > 0 && !t.read(addr, b) {
		return nil, unix.EFAULT
	}
	return b, 0
}

// putSockaddr writes an address where a call wants it, cut to the room there
// is, and its full length (getsockname(2)).
func (t *Task) putSockaddr(addr, lenp uint64, b []byte) unix.Errno {
	room, ok := t.readU32(lenp)
	if !ok {
		return unix.EFAULT
	}
	if int32(room) < 0 {
		return unix.EINVAL
	}
	n := min(len(b), int(room))
	if n > 0 && !t.write(addr, b[:n]) || !t.writeU32(lenp, uint32(len(b))) {
		return unix.EFAULT
	}
	return 0
}

// shown is an address as the guest sees it on s.
func shown(s *inet.Socket, a netip.AddrPort) []byte { return inet.Sockaddr(s.Family, a) }

// reservedName reports a unix address that is the supervisor's own.
func reservedName(b []byte) bool {
	return len(b) > 3 && b[2] == 0 && strings.HasPrefix("@"+string(b[3:]), inet.Reserved)
}

// outsideAddr notes that the guest wanted something outside the container.
func (k *Kernel) outsideAddr(t *Task, a netip.AddrPort, e unix.Errno) unix.Errno {
	if e == unix.ENETUNREACH {
		what := "the network: " + a.String()
		if a.Addr().IsMulticast() {
			what = "the network: multicast"
		}
		k.refuse(t, what, e)
	}
	return e
}

// nudge wakes who waits for events of a socket, as the end of a connect(2)
// does: setting the size of the buffer tells its writers (sock_setsockopt).
func nudge(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer) }

// nonblocking runs f while the description behind fd does not block.
func nonblocking[T any](fd int, f func() T) T {
	fl, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if fl&unix.O_NONBLOCK == 0 {
		unix.FcntlInt(uintptr(fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
		defer unix.FcntlInt(uintptr(fd), unix.F_SETFL, fl)
	}
	return f()
}

// atEnd runs f when a call that v decides about has ended, in this turn or in
// a later one.
func (t *Task) atEnd(v verdict, f func(*Task)) verdict {
	switch v {
	case pass:
		if !t.retrying {
			t.onExit = f
			return toExit
		}
	case toExit:
		inner := t.onExit
		t.onExit = func(t *Task) {
			inner(t)
			if t.onTurn == nil && !t.retrying {
				f(t)
			}
		}
	case park:
		again := t.onTurn
		t.onTurn = func(t *Task) verdict { return t.atEnd(again(t), f) }
	}
	return v
}
