package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// Datagrams of UDP and netlink sockets are moved by the supervisor, from one
// guest's memory to the queue of package inet and on to another's. The unix
// socket behind such a socket is bound to a name of its own; a token in it, a
// datagram of one byte, makes it poll readable, wakes who waits for that, and
// is an edge for EPOLLET. The kernel takes about ten (net.unix.max_dgram_qlen),
// so all but one go whenever the guest receives.
const maxTokens = 8

// poke puts a token into the socket behind s through f, a duplicate of any
// unix datagram socket of the guest. gone reports that s is closed.
func (k *Kernel) poke(f *file, s *inet.Socket) (gone bool) {
	if s.Tokens >= maxTokens {
		return false
	}
	err := unix.Sendto(f.fd, []byte{0}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: s.Name()})
	if err == nil {
		s.Tokens++
	}
	return err == unix.ECONNREFUSED
}

// settle makes the tokens in s, whose duplicate f is, fit what there is to
// receive.
func (k *Kernel) settle(f *file, s *inet.Socket) {
	want := 0
	if s.Queued() > 0 || s.Err != 0 || s.NoRead {
		want = 1
	}
	var b [1]byte
	for s.Tokens > want || want == 0 {
		if _, _, err := unix.Recvfrom(f.fd, b[:], unix.MSG_DONTWAIT); err != nil {
			s.Tokens = 0
			break
		}
		s.Tokens--
	}
	if s.Tokens < want {
		k.poke(f, s)
	}
}

// sendDatagram delivers the n bytes that fetch reads from s, as the sender of t. They are
// looked at last.
func (k *Kernel) sendDatagram(t *Task, f *file, s *inet.Socket, n int, fetch func() ([]byte, unix.Errno), to netip.AddrPort) unix.Errno {
	if e := k.inet.AutoBind(s); e != 0 {
		return e
	}
	if e := s.TakeErr(); e != 0 {
		k.settle(f, s)
		return e
	}
	if s.NoWrite {
		return unix.EPIPE
	}
	dst := s.Remote
	if to.IsValid() {
		var e unix.Errno
		if !s.Allowed(to.Addr()) {
			return unix.ENETUNREACH
		}
		if to.Port() == 0 {
			return unix.EINVAL
		}
		if e := s.Routable(to.Addr()); e != 0 {
			return e
		}
		if dst, e = inet.Destination(to, s.Opt(unix.SOL_SOCKET, unix.SO_BROADCAST) != 0); e != 0 {
			return k.outsideAddr(t, to, e)
		}
	}
	if !dst.IsValid() {
		return unix.EDESTADDRREQ
	}
	if e := s.CheckSize(n, dst.Addr()); e != 0 {
		return e
	}
	p, e := fetch()
	if e != 0 {
		return e
	}
	src := s.Local
	if src.Addr().IsUnspecified() {
		src = netip.AddrPortFrom(inet.Source(dst.Addr()), src.Port())
	}
	d := inet.Datagram{Data: p, Src: src, Dst: dst, Time: k.Now(), TOS: s.TOS(dst.Addr())}
	for {
		r := k.inet.Receiver(src, dst)
		if r == nil {
			break
		}
		if !r.Push(d) {
			return 0 // dropped
		}
		if !k.poke(f, r) {
			return 0
		}
		k.inet.Remove(r) // its last descriptor is closed
	}
	if s.Remote == dst { // the answer of a closed port reaches connected sockets only
		s.Err = unix.ECONNREFUSED
		k.inet.Change(s)
		k.poke(f, s)
		k.hangUp()
	}
	return 0
}

// sendNetlink answers the requests in p.
func (k *Kernel) sendNetlink(f *file, s *inet.Socket, p []byte) unix.Errno {
	for _, m := range inet.NetlinkAnswer(p, s.Port) {
		if s.Push(inet.Datagram{Data: m}) {
			k.poke(f, s)
		}
	}
	return 0
}

// sysSendDatagram implements every call that sends on s. None sends SIGPIPE.
func (k *Kernel) sysSendDatagram(t *Task, f *file, s *inet.Socket) verdict {
	if t.callNr != unix.SYS_SENDMMSG {
		m, e := t.message(t.arg(1))
		if e == 0 {
			var n int
			if n, e = k.sendOne(t, f, s, m); e == 0 {
				return t.done(int64(n))
			}
		}
		return t.fail(e)
	}
	for i := range min(t.arg(2)&0xffffffff, 1024) {
		at := t.arg(1) + 64*i // struct mmsghdr
		m, e := t.msghdr(at)
		n := 0
		if e == 0 {
			n, e = k.sendOne(t, f, s, m)
		}
		if e == 0 && !t.writeU32(at+56, uint32(n)) {
			e = unix.EFAULT
		}
		if e != 0 {
			if i > 0 {
				return t.done(int64(i))
			}
			return t.fail(e)
		}
	}
	return t.done(int64(min(t.arg(2)&0xffffffff, 1024)))
}

// sendOne sends one message.
func (k *Kernel) sendOne(t *Task, f *file, s *inet.Socket, m sockMsg) (int, unix.Errno) {
	n := uint64(0)
	for _, x := range m.v {
		n += x.len
	}
	if n > 1<<20 {
		return 0, unix.EMSGSIZE
	}
	fetch := func() ([]byte, unix.Errno) {
		p := make([]byte, 0, n)
		for _, x := range m.v {
			b := make([]byte, x.len)
			if len(b) > 0 && !t.read(x.base, b) {
				return nil, unix.EFAULT
			}
			p = append(p, b...)
		}
		return p, 0
	}
	if s.Family == unix.AF_NETLINK {
		p, e := fetch()
		if e != 0 {
			return 0, e
		}
		return len(p), k.sendNetlink(f, s, p)
	}
	if e := t.checkControl(&m); e != 0 {
		return 0, e
	}
	var to netip.AddrPort
	if m.name != 0 && m.nameLen > 0 {
		b, e := t.sockaddr(m.name, int(int32(m.nameLen)))
		if e != 0 {
			return 0, e
		}
		if len(b) >= 2 && b[0]|b[1] == 0 && s.Family == unix.AF_INET { // udp_sendmsg() takes AF_UNSPEC for AF_INET
			b[0] = unix.AF_INET
		}
		family := s.Family
		if len(b) >= 2 && b[0] == unix.AF_INET && b[1] == 0 { // udpv6_sendmsg() takes both
			family = unix.AF_INET
		}
		if to, e = inet.ParseSockaddr(family, b); e != 0 {
			return 0, e
		}
	}
	return int(n), k.sendDatagram(t, f, s, int(n), fetch, to)
}
