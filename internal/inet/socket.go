package inet

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// State is how far a socket is.
type State uint8

const (
	Idle       State = iota
	Listening        // TCP
	Connecting       // TCP: connected, but connect(2) has not said so yet
	Connected        // TCP: has a peer; UDP: has a fixed one
	Refused          // TCP: connect(2) failed behind the caller's back (O_NONBLOCK)
	Ended            // TCP: the listener was shut down
	Broken           // TCP: the peer has reset the connection
)

// Socket is what the kernel's unix socket does not know of an internet socket.
// Local is invalid until the socket has a port; Remote until it has a peer.
type Socket struct {
	ID     uint64 // serial; names the unix socket
	Inode  uint64 // of the unix socket
	Family int    // AF_INET, AF_INET6 or AF_NETLINK
	Type   int    // SOCK_STREAM, SOCK_DGRAM, or SOCK_RAW of netlink
	Proto  int
	UID    uint32 // who made it, for SO_REUSEPORT
	State  State

	Local, Remote netip.AddrPort
	Last          netip.AddrPort // Refused: what Local was for the connection
	Peer          *Socket        // TCP: the other end, once it was accepted
	AnyAddr       bool           // bound to the wildcard by bind(2)
	Abortive      bool           // TCP: closing resets the connection (SO_LINGER with 0)
	Chosen        bool           // bound by bind(2)

	NoRead, NoWrite bool       // shutdown(2)
	Fin, Deaf       bool       // TCP: of which the peer knows
	Err             unix.Errno // SO_ERROR
	opts            options

	queue  []Datagram
	queued int // bytes, as SO_RCVBUF counts them
	Tokens int // datagrams in the unix socket
	Port   uint32
	turn   int // SO_REUSEPORT: who of a group is next

	changes int            // of its events that only we know of (Table.Change)
	told    map[Waiter]int // with which of them an epoll set has had the events last
}

// Waiter is an epoll set, by the process that waits and the descriptor it uses.
type Waiter struct{ Process, FD int }

// Tell notes that w has had the events.
func (s *Socket) Tell(w Waiter) {
	if s.changes == 0 {
		return
	}
	if s.told == nil {
		s.told = map[Waiter]int{}
	}
	s.told[w] = s.changes
}

// Forget is for a set to which the socket is added: it was told of nothing.
func (s *Socket) Forget(w Waiter) { delete(s.told, w) }

// Untold reports a change after the last events that w had.
func (s *Socket) Untold(w Waiter) bool { return s.told[w] < s.changes }

// Stream reports whether bytes are the kernel's.
func (s *Socket) Stream() bool { return s.Type == unix.SOCK_STREAM }

// Name is where the unix socket is bound in the abstract name space.
func (s *Socket) Name() string { return Reserved + "s" + base36(s.ID) }

// Bound reports whether the socket has a port.
func (s *Socket) Bound() bool { return s.Local.IsValid() }

// Reuse, ReusePort and V6Only are the options that decide about ports.
func (s *Socket) Reuse() bool     { return s.Opt(unix.SOL_SOCKET, unix.SO_REUSEADDR) != 0 }
func (s *Socket) ReusePort() bool { return s.Opt(unix.SOL_SOCKET, unix.SO_REUSEPORT) != 0 }
func (s *Socket) V6Only() bool {
	return s.Family == unix.AF_INET6 && s.Opt(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) != 0
}

// takes reports whether packets to ip reach a socket bound as s is.
func (s *Socket) takes(ip netip.Addr) bool {
	l := s.Local.Addr()
	switch {
	case !l.IsUnspecified():
		return l == ip
	case l.Is4():
		return ip.Is4()
	}
	return !ip.Is4() || !s.V6Only()
}

// overlaps reports whether two sockets of one port would hear the same
// packets (inet_rcv_saddr_equal in net/ipv4/inet_connection_sock.c).
func (s *Socket) overlaps(o *Socket) bool {
	a, b := s.Local.Addr(), o.Local.Addr()
	if a.IsUnspecified() && b.IsUnspecified() {
		return a == b || !s.V6Only() && !o.V6Only()
	}
	if a.IsUnspecified() {
		return s.takes(b)
	}
	return o.takes(a)
}

// Allowed checks that a socket may use an address of its own or of a peer.
func (s *Socket) Allowed(ip netip.Addr) bool {
	return s.Family == unix.AF_INET || !ip.Is4() || !s.V6Only()
}

// Routable checks that an IPv6 socket that has an address of its own may have
// a peer of that kind of address.
func (s *Socket) Routable(ip netip.Addr) unix.Errno {
	l := s.Local.Addr()
	switch {
	case s.Family != unix.AF_INET6 || !s.Chosen || s.AnyAddr || l.Is4() == ip.Is4():
		return 0
	case l.Is4():
		return unix.EAFNOSUPPORT
	}
	return unix.ENETUNREACH
}

// Renew makes a TCP socket without a peer one that was never used, but for its
// options and its port (tcp_disconnect).
func (s *Socket) Renew() {
	s.State, s.Err = Idle, 0
	s.NoRead, s.NoWrite, s.Fin, s.Deaf = false, false, false, false
}

// Shut reports that shutdown(2) has ended both directions.
func (s *Socket) Shut() bool { return s.NoRead && s.NoWrite }
