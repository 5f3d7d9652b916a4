package kernel

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// connect(2) to a unix socket whose backlog is full sleeps; it is made
// without blocking and repeated.
func sysConnect(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	if s := k.inetOf(&f); s != nil {
		defer f.close()
		return k.connectInet(t, &f, s)
	}
	if f.class == fdSocket && k.usesReserved(t, 1) {
		f.close()
		return t.fail(unix.ECONNREFUSED)
	}
	k.autobindSender(&f)
	if k.cfg.Open.Network && f.class == fdSocket && k.strangeName(t, t.arg(1), t.intArg(2)) {
		f.close()
		return t.fail(unix.ECONNREFUSED)
	}
	if k.cfg.Open.Threads {
		defer f.close()
		return k.connectConcurrent(t, &f)
	}
	if f.class != fdSocket || f.nonblock() {
		f.close()
		return pass
	}
	if k.isOutside(&f) {
		return k.connectOutside(t, &f)
	}
	if t.sigWake {
		t.sigWake = false
		f.close()
		return k.interrupted(t, true)
	}
	k.limitWait(t, &f, unix.SO_SNDTIMEO)
	entry := t.regs
	fl, _ := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
	ours := f.fd
	t.onExit = func(t *Task) {
		unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl)
		unix.Close(ours)
		if t.result() == -int64(unix.EAGAIN) && !k.late(t) {
			t.wait = waitFor{what: "a full listen queue", lock: true}
			t.onTurn = func(t *Task) verdict {
				return t.again(entry)
			}
		}
	}
	return toExit
}

// connectInet implements connect(2) on an internet socket.
func (k *Kernel) connectInet(t *Task, f *file, s *inet.Socket) verdict {
	b, e := t.sockaddr(t.arg(1), t.intArg(2))
	if e != 0 {
		return t.fail(e)
	}
	if s.Family == unix.AF_NETLINK {
		return t.done(0)
	}
	if len(b) < 2 {
		return t.fail(unix.EINVAL)
	}
	if b[0] == unix.AF_UNSPEC && b[1] == 0 {
		return k.disconnect(t, f, s)
	}
	if !s.Stream() { // inet_dgram_connect() binds before it looks further
		if e := k.inet.AutoBind(s); e != 0 {
			return t.fail(e)
		}
	}
	a, e := inet.ParseSockaddr(s.Family, b)
	if e != 0 {
		return t.fail(e)
	}
	k.logArg(t, itoa(t.intArg(0))+", "+a.String())
	if s.Stream() {
		was := s.State
		noteReset(f, s)
		switch was {
		case inet.Connected, inet.Listening, inet.Broken:
			return t.fail(unix.EISCONN)
		case inet.Connecting:
			if s.State == inet.Broken { // before anybody looked
				return t.fail(s.TakeErr())
			}
			s.State = inet.Connected
			return t.done(0)
		case inet.Refused:
			e := s.TakeErr()
			if e == 0 { // somebody has seen the error (__inet_stream_connect)
				e = unix.ECONNABORTED
			}
			s.Renew()
			return t.fail(e)
		}
	}
	if !s.Allowed(a.Addr()) {
		return t.fail(unix.ENETUNREACH)
	}
	if e := s.Routable(a.Addr()); e != 0 {
		return t.fail(e)
	}
	broadcast := !s.Stream() && s.Opt(unix.SOL_SOCKET, unix.SO_BROADCAST) != 0
	dst, e := inet.Destination(a, broadcast)
	if e != 0 {
		return t.fail(k.outsideAddr(t, a, e))
	}
	if !s.Stream() {
		if e := k.inet.Connect(s, dst); e != 0 {
			return t.fail(e)
		}
		s.State = inet.Connected
		return t.done(0)
	}
	return k.connectStream(t, f, s, dst)
}

// connectStream connects the unix socket behind s to that of a listener. The
// connection exists at once, also when nobody has accepted it, as on Linux's
// loopback; a nonblocking connect(2) says EINPROGRESS there all the same.
func (k *Kernel) connectStream(t *Task, f *file, s *inet.Socket, dst netip.AddrPort) verdict {
	if e := k.inet.Connect(s, dst); e != 0 {
		return t.fail(e)
	}
	err := error(unix.ECONNREFUSED)
	for {
		l := k.inet.Listener(dst)
		if l == nil {
			break
		}
		err = nonblocking(f.fd, func() error { return unix.Connect(f.fd, &unix.SockaddrUnix{Name: l.Name()}) })
		if !errors.Is(err, unix.ECONNREFUSED) {
			break
		}
		k.inet.Remove(l) // its last descriptor is closed
	}
	if err == nil {
		err = unix.Bind(f.fd, &unix.SockaddrUnix{Name: s.ClientName()})
	}
	switch {
	case err == nil:
		nudge(f.fd)
		if !f.nonblock() {
			s.State = inet.Connected
			return t.done(0)
		}
		s.State = inet.Connecting
		return t.fail(unix.EINPROGRESS)
	case errors.Is(err, unix.EAGAIN) && !f.nonblock():
		k.inet.Disconnect(s)
		return k.awaitBacklog(t, f)
	}
	local := s.Local
	k.inet.Disconnect(s)
	if f.nonblock() && errors.Is(err, unix.ECONNREFUSED) {
		// An unconnected stream socket polls writable and hung up, and the
		// error waits in SO_ERROR.
		s.State, s.Err, s.Last = inet.Refused, unix.ECONNREFUSED, local
		k.inet.Change(s)
		nudge(f.fd)
		return t.fail(unix.EINPROGRESS)
	}
	s.Renew()
	return t.fail(errnoOf(err))
}

// awaitBacklog parks a connect(2) while the queue of the listener is full.
func (k *Kernel) awaitBacklog(t *Task, f *file) verdict {
	if t.sigWake {
		t.sigWake = false
		return k.interrupted(t, true)
	}
	if k.late(t) {
		return t.fail(unix.EINPROGRESS)
	}
	k.limitWait(t, f, unix.SO_SNDTIMEO)
	t.wait = waitFor{what: "a full listen queue", lock: true}
	t.onTurn = func(t *Task) verdict { return sysConnect(k, t) }
	return park
}

// disconnect implements connect(2) with AF_UNSPEC.
func (k *Kernel) disconnect(t *Task, f *file, s *inet.Socket) verdict {
	switch {
	case !s.Stream():
		k.inet.Disconnect(s)
	case s.State == inet.Connected || s.State == inet.Connecting:
		// The peer learns of it; a unix socket cannot be used again.
		_ = unix.Shutdown(f.fd, unix.SHUT_RDWR)
		k.inet.Close(s)
	case s.State == inet.Listening:
		k.inet.Close(s)
		_ = unix.Shutdown(f.fd, unix.SHUT_RDWR)
	default:
		s.Renew()
	}
	return t.done(0)
}

// errnoOf is the error number in err.
func errnoOf(err error) unix.Errno {
	e := unix.EIO
	errors.As(err, &e)
	return e
}
