package inet

import (
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// The range of ephemeral ports (ip_local_port_range in ip(7)).
const (
	firstPort = 32768
	lastPort  = 60999
)

// Table holds the sockets of one container.
type Table struct {
	sockets map[uint64]*Socket
	ports   map[portKey][]*Socket // in order of binding
	next    [2]int                // ephemeral port: TCP, UDP
	serial  uint64
	settled int // sockets after the last sweep
	odd     []*Socket
	// Alive gives the inode numbers of the unix sockets that exist.
	Alive func() map[uint64]bool
}

type portKey struct {
	stream bool
	port   uint16
}

// NewTable gives an empty table.
func NewTable(alive func() map[uint64]bool) *Table {
	return &Table{sockets: map[uint64]*Socket{}, ports: map[portKey][]*Socket{}, next: [2]int{firstPort, firstPort}, Alive: alive}
}

// Get finds the socket of a unix socket, or nil.
func (t *Table) Get(inode uint64) *Socket { return t.sockets[inode] }

// Empty reports that there never was a socket, or none is left.
func (t *Table) Empty() bool { return len(t.sockets) == 0 }

// Change notes that s has other events than the unix socket behind it.
func (t *Table) Change(s *Socket) {
	if s.changes++; !slices.Contains(t.odd, s) {
		t.odd = append(t.odd, s)
	}
}

// Odd reports whether there may be sockets with events that the kernel does not know of.
func (t *Table) Odd() bool {
	if len(t.odd) > 0 {
		t.odd = slices.DeleteFunc(t.odd, func(s *Socket) bool {
			return t.sockets[s.Inode] != s || s.Err == 0 && !s.NoRead && !s.NoWrite && s.State != Refused
		})
	}
	return len(t.odd) > 0
}

// Add makes a socket known.
func (t *Table) Add(inode uint64, family, typ, proto int, uid uint32) *Socket {
	if old := t.sockets[inode]; old != nil {
		t.Remove(old)
	}
	if len(t.sockets) >= 2*t.settled+256 {
		t.Sweep()
	}
	t.serial++
	s := &Socket{ID: t.serial, Inode: inode, Family: family, Type: typ, Proto: proto, UID: uid}
	t.sockets[inode] = s
	return s
}

// Remove forgets a socket, which is gone.
func (t *Table) Remove(s *Socket) {
	if t.sockets[s.Inode] == s {
		delete(t.sockets, s.Inode)
	}
	t.unbind(s)
}

func (t *Table) unbind(s *Socket) {
	if !s.Bound() {
		return
	}
	key := portKey{s.Stream(), s.Local.Port()}
	l := slices.DeleteFunc(slices.Clone(t.ports[key]), func(o *Socket) bool { return o == s })
	if len(l) == 0 {
		delete(t.ports, key)
	} else {
		t.ports[key] = l
	}
}

// Sweep forgets the sockets that are gone. Nothing but memory depends on when
// that happens: whoever decides by what exists asks for it first.
func (t *Table) Sweep() {
	alive := t.Alive()
	maps.DeleteFunc(t.sockets, func(inode uint64, s *Socket) bool {
		if alive[inode] {
			return false
		}
		t.unbind(s)
		return true
	})
	t.settled = len(t.sockets)
}

// setLocal gives a socket its address, and its port to nobody else.
func (t *Table) setLocal(s *Socket, a netip.AddrPort) {
	t.unbind(s)
	s.Local = a
	key := portKey{s.Stream(), a.Port()}
	t.ports[key] = append(t.ports[key], s)
}

// Bind implements bind(2) for a checked address. Port 0 takes the next
// ephemeral port.
func (t *Table) Bind(s *Socket, a netip.AddrPort) unix.Errno {
	if s.State == Broken && s.Remote.IsValid() { // TCP is done with its port
		t.unbind(s)
		s.Local, s.Remote = netip.AddrPort{}, netip.AddrPort{}
	}
	if s.Bound() {
		return unix.EINVAL
	}
	if a.Port() == 0 {
		p := t.ephemeral(s.Stream())
		if p == 0 {
			return unix.EADDRINUSE
		}
		a = netip.AddrPortFrom(a.Addr(), p)
	}
	s.Local = a
	e := t.conflict(s)
	s.Local = netip.AddrPort{}
	if e != 0 {
		return e
	}
	t.setLocal(s, a)
	s.AnyAddr, s.Chosen = a.Addr().IsUnspecified(), true
	return 0
}

// conflict looks for a socket that keeps s from its address.
func (t *Table) conflict(s *Socket) unix.Errno {
	key := portKey{s.Stream(), s.Local.Port()}
	if !slices.ContainsFunc(t.ports[key], s.collides) {
		return 0
	}
	t.Sweep()
	if slices.ContainsFunc(t.ports[key], s.collides) {
		return unix.EADDRINUSE
	}
	return 0
}

// collides is the rule of inet_csk_bind_conflict() and udp_lib_lport_inuse().
func (s *Socket) collides(o *Socket) bool {
	if o == s || o.State == Ended || !s.overlaps(o) {
		return false
	}
	if s.ReusePort() && o.ReusePort() && s.UID == o.UID {
		return false
	}
	return !(s.Reuse() && o.Reuse() && o.State != Listening)
}

// ephemeral gives a port that nobody uses, 0 if there is none.
func (t *Table) ephemeral(stream bool) uint16 {
	next := &t.next[0]
	if !stream {
		next = &t.next[1]
	}
	swept := false
	for range lastPort - firstPort + 1 {
		p := uint16(*next)
		if *next++; *next > lastPort {
			*next = firstPort
		}
		key := portKey{stream, p}
		if len(t.ports[key]) > 0 && !swept {
			t.Sweep()
			swept = true
		}
		if len(t.ports[key]) == 0 {
			return p
		}
	}
	return 0
}

// Listen implements the part of listen(2) that is about ports.
func (t *Table) Listen(s *Socket) unix.Errno {
	if !s.Bound() {
		if e := t.Bind(s, netip.AddrPortFrom(Wildcard(s.Family), 0)); e != 0 {
			return unix.EADDRINUSE
		}
	}
	if s.State != Listening {
		if e := t.conflictListen(s); e != 0 {
			return e
		}
	}
	s.State = Listening
	return 0
}

// conflictListen looks for another listener of the same address, which bind(2)
// may have allowed.
func (t *Table) conflictListen(s *Socket) unix.Errno {
	other := func(o *Socket) bool { return o.State == Listening && s.collides(o) }
	key := portKey{true, s.Local.Port()}
	if !slices.ContainsFunc(t.ports[key], other) {
		return 0
	}
	t.Sweep()
	if slices.ContainsFunc(t.ports[key], other) {
		return unix.EADDRINUSE
	}
	return 0
}

// Listener finds who accepts connections to dst, or nil: the one with just
// that address before a wildcard, an IPv6 wildcard after that of IPv4, and
// those that share a port with SO_REUSEPORT in turn.
func (t *Table) Listener(dst netip.AddrPort) *Socket {
	var best []*Socket
	score := 0
	for _, o := range t.ports[portKey{true, dst.Port()}] {
		if o.State != Listening || !o.takes(dst.Addr()) {
			continue
		}
		n := o.rank(dst.Addr())
		if n > score {
			best, score = best[:0], n
		}
		if n == score {
			best = append(best, o)
		}
	}
	return pick(best)
}

// pick chooses in a group that shares a port.
func pick(group []*Socket) *Socket {
	if len(group) == 0 {
		return nil
	}
	if !group[0].ReusePort() {
		return group[len(group)-1]
	}
	best := group[0]
	for _, o := range group {
		if o.turn < best.turn {
			best = o
		}
	}
	best.turn++
	return best
}

func (s *Socket) rank(ip netip.Addr) int {
	switch l := s.Local.Addr(); {
	case !l.IsUnspecified():
		return 3
	case l.Is4() == ip.Is4():
		return 2
	}
	return 1
}

// Connect gives a socket its peer, and a port and address if it has none.
func (t *Table) Connect(s *Socket, dst netip.AddrPort) unix.Errno {
	local := s.Local
	if !local.IsValid() {
		p := t.ephemeral(s.Stream())
		if p == 0 {
			return unix.EADDRNOTAVAIL
		}
		local = netip.AddrPortFrom(Wildcard(s.Family), p)
	}
	if !s.Chosen || s.AnyAddr {
		local = netip.AddrPortFrom(Source(dst.Addr()), local.Port())
	}
	t.setLocal(s, local)
	s.Remote = dst
	return 0
}

// Accepted makes the accepting side of a connection known. It has the options
// of its listener.
func (t *Table) Accepted(inode uint64, l *Socket, local, remote netip.AddrPort) *Socket {
	s := t.Add(inode, l.Family, l.Type, l.Proto, l.UID)
	s.opts = l.opts.clone()
	s.State, s.Remote, s.Abortive = Connected, remote, l.Abortive
	t.setLocal(s, local)
	for _, o := range t.ports[portKey{true, remote.Port()}] {
		if o.Local == remote && o.Remote == local && o.Peer == nil {
			s.Peer, o.Peer = o, s
		}
	}
	return s
}

// Disconnect takes the peer from a socket, and the port if it was given for
// that peer (SOCK_BINDPORT_LOCK).
func (t *Table) Disconnect(s *Socket) {
	s.Remote, s.State = netip.AddrPort{}, Idle
	switch {
	case !s.Chosen:
		t.unbind(s)
		s.Local = netip.AddrPort{}
	case s.AnyAddr:
		t.setLocal(s, netip.AddrPortFrom(Wildcard(s.Family), s.Local.Port()))
	}
}

// Break notes that the peer of s has reset the connection. To who had sent all
// there was to send the kernel says EPIPE (tcp_reset).
func (s *Socket) Break() {
	s.State, s.Err = Broken, unix.ECONNRESET
	if s.Peer != nil && s.Peer.NoWrite {
		s.Err = unix.EPIPE
	}
}

// Close frees the port of a listener that was shut down.
func (t *Table) Close(s *Socket) {
	t.unbind(s)
	s.Local, s.State = netip.AddrPort{}, Ended
}
