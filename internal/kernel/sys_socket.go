package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/inet"
)

// socket(2): unix sockets are the kernel's own and deterministic. Internet
// and route netlink sockets are unix sockets in the kernel (package inet);
// other families see the world outside.
func sysSocket(k *Kernel, t *Task) verdict {
	fam, typ, proto := t.intArg(0), t.intArg(1), t.intArg(2)
	if fam == unix.AF_UNIX {
		return pass
	}
	inetFamily := fam == unix.AF_INET || fam == unix.AF_INET6 || fam == unix.AF_NETLINK
	if k.cfg.Open.Network && inetFamily {
		k.door(door.Network)
		return pass
	}
	if !inetFamily {
		k.refuse(t, "socket of family "+itoa(fam), unix.EAFNOSUPPORT)
		return t.fail(unix.EAFNOSUPPORT)
	}
	const flags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	if typ&^0xf&^flags != 0 || typ&0xf >= 11 { // SOCK_MAX
		return t.fail(unix.EINVAL)
	}
	proto, e, note := socketProtocol(fam, typ&0xf, proto)
	if e != 0 {
		if note != "" {
			k.refuse(t, note, e)
		}
		return t.fail(e)
	}
	if k.cfg.Open.Threads { // in the container's own network, where nothing but its loopback is
		k.door(door.Threads)
		return pass
	}
	entry := t.regs
	behind := unix.SOCK_DGRAM
	if typ&0xf == unix.SOCK_STREAM {
		behind = unix.SOCK_STREAM
	}
	t.regs.Rdi, t.regs.Rsi, t.regs.Rdx = unix.AF_UNIX, uint64(behind|typ&flags), 0
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		t.endWith(entry, r)
		if r >= 0 {
			k.newInet(t, int(r), fam, typ&0xf, proto)
		}
	}
	return toExit
}

// socketProtocol checks type and protocol as inet_create() and
// netlink_create() do. note is for the report.
func socketProtocol(fam, typ, proto int) (p int, e unix.Errno, note string) {
	if fam == unix.AF_NETLINK {
		switch {
		case typ != unix.SOCK_RAW && typ != unix.SOCK_DGRAM:
			return 0, unix.ESOCKTNOSUPPORT, ""
		case proto != unix.NETLINK_ROUTE:
			return 0, unix.EPROTONOSUPPORT, "netlink protocol " + itoa(proto)
		}
		return proto, 0, ""
	}
	switch {
	case proto < 0 || proto > unix.IPPROTO_MPTCP:
		return 0, unix.EINVAL, ""
	case typ == unix.SOCK_STREAM && (proto == 0 || proto == unix.IPPROTO_TCP):
		return unix.IPPROTO_TCP, 0, ""
	case typ == unix.SOCK_DGRAM && (proto == 0 || proto == unix.IPPROTO_UDP):
		return unix.IPPROTO_UDP, 0, ""
	case typ == unix.SOCK_DGRAM && (proto == unix.IPPROTO_ICMP || proto == unix.IPPROTO_ICMPV6):
		return 0, unix.EACCES, "" // ping_group_range in icmp(7)
	case typ == unix.SOCK_STREAM || typ == unix.SOCK_DGRAM:
		return 0, unix.EPROTONOSUPPORT, ""
	case typ == unix.SOCK_RAW && proto == 0:
		return 0, unix.EPROTONOSUPPORT, ""
	case typ == unix.SOCK_RAW:
		return 0, unix.EPERM, "raw socket"
	}
	return 0, unix.ESOCKTNOSUPPORT, ""
}

// newInet makes descriptor n of t an internet socket.
func (k *Kernel) newInet(t *Task, n, family, typ, proto int) {
	f := k.file(t, n)
	defer f.close()
	if f.class != fdSocket {
		return
	}
	s := k.inet.Add(f.ino, family, typ, proto, k.cred(t).euid)
	if s.Stream() {
		nudge(f.fd)
		return
	}
	if err := unix.Bind(f.fd, &unix.SockaddrUnix{Name: s.Name()}); err != nil {
		k.Stop(err)
	}
	if family == unix.AF_NETLINK {
		s.Port = uint32(t.proc.vpid)
	}
}

// bind(2) on an internet socket only reserves the port.
func sysBind(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	s := k.inetOf(&f)
	if s == nil {
		if f.class == fdSocket && k.usesReserved(t, 1) {
			return t.fail(unix.EADDRINUSE)
		}
		if f.class == fdSocket && t.intArg(2) == 2 { // sizeof(sa_family_t)
			if fam, _ := t.sockaddr(t.arg(1), 2); len(fam) == 2 && fam[0] == unix.AF_UNIX && fam[1] == 0 {
				if e := k.autobind(&f); e != 0 {
					return t.fail(e)
				}
				return t.done(0)
			}
		}
		if k.cfg.Open.Network && f.class == fdSocket {
			k.noteName(t)
		}
		return pass
	}
	noteReset(&f, s)
	b, e := t.sockaddr(t.arg(1), t.intArg(2))
	if e != 0 {
		return t.fail(e)
	}
	if s.Family == unix.AF_NETLINK {
		return k.bindNetlink(t, s, b)
	}
	a, e := inet.ParseSockaddr(s.Family, b)
	if e == unix.EAFNOSUPPORT && s.Family == unix.AF_INET && inet.IsUnspec4(b) {
		a, e = inet.AnyAddr4(b), 0 // inet_bind() of old programs
	}
	if e != 0 {
		return t.fail(e)
	}
	k.logArg(t, itoa(t.intArg(0))+", "+a.String())
	switch {
	case !s.Allowed(a.Addr()):
		return t.fail(unix.EINVAL)
	case !inet.Local(a.Addr()):
		if a.Addr().IsMulticast() && !s.Stream() {
			k.refuse(t, "the network: multicast", unix.EADDRNOTAVAIL)
		}
		return t.fail(unix.EADDRNOTAVAIL)
	case a.Port() > 0 && a.Port() < 1024 && k.cred(t).euid != 0 && !t.capable(unix.CAP_NET_BIND_SERVICE):
		return t.fail(unix.EACCES)
	}
	if e := k.inet.Bind(s, a); e != 0 {
		if s.Last.IsValid() {
			s.Last = netip.AddrPortFrom(inet.Wildcard(s.Family), s.Last.Port())
		}
		return t.fail(e)
	}
	return t.done(0)
}

// bindNetlink implements bind(2) of netlink(7): the first socket of a process
// gets its pid. Multicast groups never have anything to say.
func (k *Kernel) bindNetlink(t *Task, s *inet.Socket, b []byte) verdict {
	if len(b) < unix.SizeofSockaddrNetlink {
		return t.fail(unix.EINVAL)
	}
	if p := getU32(b[4:]); p != 0 {
		s.Port = p
	}
	return t.done(0)
}

// usesReserved reports that the address in arguments i and i+1 is a unix name
// of the supervisor's.
func (k *Kernel) usesReserved(t *Task, i int) bool {
	b, e := t.sockaddr(t.arg(i), t.intArg(i+1))
	return e == 0 && reservedName(b)
}

// listen(2).
func sysListen(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	s := k.inetOf(&f)
	if s == nil {
		return pass
	}
	switch {
	case !s.Stream():
		return t.fail(unix.EOPNOTSUPP)
	case s.State != inet.Idle && s.State != inet.Listening:
		return t.fail(unix.EINVAL)
	}
	was := s.State
	if e := k.inet.Listen(s); e != 0 {
		return t.fail(e)
	}
	if was == inet.Listening {
		return t.done(0)
	}
	// The queue takes whoever comes: a full one would let connections wait for
	// the seconds after which TCP tries again (somaxconn in listen(2)).
	const backlog = 4096
	err := unix.Bind(f.fd, &unix.SockaddrUnix{Name: s.Name()})
	if err == nil {
		err = unix.Listen(f.fd, backlog)
	}
	if err != nil {
		s.State = was
		return t.fail(errnoOf(err))
	}
	return t.done(0)
}

// getsockname(2) and getpeername(2).
func sysGetsockname(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	s := k.inetOf(&f)
	if s == nil {
		return pass
	}
	noteReset(&f, s)
	a := s.Local
	if !s.Bound() && s.Last.IsValid() { // what a failed connect(2) left (inet_put_port)
		a = s.Last
		if s.State != inet.Refused {
			a = netip.AddrPortFrom(inet.Wildcard(s.Family), a.Port())
		}
	}
	if t.callNr == unix.SYS_GETPEERNAME {
		if a = s.Remote; s.State == inet.Broken {
			a = netip.AddrPort{}
		}
	}
	b := shown(s, a)
	if s.Family == unix.AF_NETLINK {
		b = netlinkAddr(s.Port)
		if t.callNr == unix.SYS_GETPEERNAME {
			b = netlinkAddr(0)
		}
	} else if t.callNr == unix.SYS_GETPEERNAME && !a.IsValid() {
		return t.fail(unix.ENOTCONN)
	}
	if e := t.putSockaddr(t.arg(1), t.arg(2), b); e != 0 {
		return t.fail(e)
	}
	return t.done(0)
}

// netlinkAddr is a struct sockaddr_nl.
func netlinkAddr(port uint32) []byte {
	return []byte{unix.AF_NETLINK, 0, 0, 0, byte(port), byte(port >> 8), byte(port >> 16), byte(port >> 24), 0, 0, 0, 0}
}

// shutdown(2): the other half of a connection learns of it from the kernel.
func sysShutdown(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	s, how := k.inetOf(&f), t.intArg(1)
	if s == nil {
		return pass
	}
	noteReset(&f, s)
	switch {
	case how < 0 || how > unix.SHUT_RDWR:
		return t.fail(unix.EINVAL)
	case s.Family == unix.AF_NETLINK:
		return t.fail(unix.EOPNOTSUPP)
	case s.Stream() && s.State == inet.Listening:
		if how != unix.SHUT_WR { // no connection comes any more, and waiting ends with EINVAL
			k.inet.Close(s)
			_ = unix.Shutdown(f.fd, unix.SHUT_RDWR)
		}
		return t.done(0)
	}
	s.NoRead = s.NoRead || how != unix.SHUT_WR
	s.NoWrite = s.NoWrite || how != unix.SHUT_RD
	if !s.Stream() || s.NoRead || s.State != inet.Connected && s.State != inet.Connecting {
		k.inet.Change(s)
	}
	k.hangUp()
	if !s.Stream() && s.NoRead {
		k.poke(&f, s)
	}
	switch {
	case s.State != inet.Connected && s.State != inet.Connecting:
		return t.fail(unix.ENOTCONN) // but it lasts (inet_shutdown)
	case !s.Stream(), how == unix.SHUT_RD: // the peer does not learn of it
	default:
		// Reading on is possible after SHUT_RDWR as long as something is there;
		// a peer of TCP finds out when it writes.
		s.Fin, s.Deaf = true, s.Deaf || how == unix.SHUT_RDWR
		_ = unix.Shutdown(f.fd, how)
	}
	return t.done(0)
}
