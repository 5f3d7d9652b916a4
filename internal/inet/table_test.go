package inet

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// world is a table in which every socket of alive exists.
func world() (*Table, map[uint64]bool) {
	alive := map[uint64]bool{}
	return NewTable(func() map[uint64]bool { return alive }), alive
}

type bound struct {
	family        int
	addr          string
	reuse, port   bool
	v6only, gone  bool
	listens, uid1 bool
}

func TestBindConflicts(t *testing.T) {
	const p4, p6 = unix.AF_INET, unix.AF_INET6
	for _, tt := range []struct {
		name string
		a, b bound
		want unix.Errno
	}{
		{"same", bound{family: p4, addr: "127.0.0.1:80"}, bound{family: p4, addr: "127.0.0.1:80"}, unix.EADDRINUSE},
		{"other port", bound{family: p4, addr: "127.0.0.1:80"}, bound{family: p4, addr: "127.0.0.1:81"}, 0},
		{"other address", bound{family: p4, addr: "127.0.0.1:80"}, bound{family: p4, addr: "127.0.0.2:80"}, 0},
		{"wildcard second", bound{family: p4, addr: "127.0.0.1:80"}, bound{family: p4, addr: "0.0.0.0:80"}, unix.EADDRINUSE},
		{"wildcard first", bound{family: p4, addr: "0.0.0.0:80"}, bound{family: p4, addr: "127.0.0.1:80"}, unix.EADDRINUSE},
		{"closed", bound{family: p4, addr: "0.0.0.0:80", gone: true}, bound{family: p4, addr: "127.0.0.1:80"}, 0},
		{"reuse of one", bound{family: p4, addr: "0.0.0.0:80"}, bound{family: p4, addr: "0.0.0.0:80", reuse: true}, unix.EADDRINUSE},
		{"reuse of both", bound{family: p4, addr: "0.0.0.0:80", reuse: true}, bound{family: p4, addr: "0.0.0.0:80", reuse: true}, 0},
		{"reuse of a listener", bound{family: p4, addr: "0.0.0.0:80", reuse: true, listens: true}, bound{family: p4, addr: "0.0.0.0:80", reuse: true}, unix.EADDRINUSE},
		{"shared port", bound{family: p4, addr: "0.0.0.0:80", port: true, listens: true}, bound{family: p4, addr: "0.0.0.0:80", port: true}, 0},
		{"shared with another user", bound{family: p4, addr: "0.0.0.0:80", port: true}, bound{family: p4, addr: "0.0.0.0:80", port: true, uid1: true}, unix.EADDRINUSE},
		{"v6 wildcard takes v4", bound{family: p6, addr: "[::]:80"}, bound{family: p4, addr: "0.0.0.0:80"}, unix.EADDRINUSE},
		{"v6 wildcard takes v4 address", bound{family: p6, addr: "[::]:80"}, bound{family: p4, addr: "127.0.0.1:80"}, unix.EADDRINUSE},
		{"v6 only", bound{family: p6, addr: "[::]:80", v6only: true}, bound{family: p4, addr: "0.0.0.0:80"}, 0},
		{"v6 loopback", bound{family: p6, addr: "[::1]:80"}, bound{family: p4, addr: "0.0.0.0:80"}, 0},
		{"v4 first", bound{family: p4, addr: "0.0.0.0:80"}, bound{family: p6, addr: "[::1]:80"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab, alive := world()
			add := func(inode uint64, b bound) (*Socket, unix.Errno) {
				uid := uint32(0)
				if b.uid1 {
					uid = 1
				}
				s := tab.Add(inode, b.family, unix.SOCK_STREAM, unix.IPPROTO_TCP, uid)
				alive[inode] = !b.gone
				for _, o := range []struct {
					on          bool
					level, name int
				}{{b.reuse, unix.SOL_SOCKET, unix.SO_REUSEADDR}, {b.port, unix.SOL_SOCKET, unix.SO_REUSEPORT}, {b.v6only, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}} {
					if o.on {
						if e, ok := s.SetOpt(o.level, o.name, 1); e != 0 || !ok {
							t.Fatal(e)
						}
					}
				}
				return s, tab.Bind(s, addr(b.addr))
			}
			a, e := add(1, tt.a)
			if e != 0 {
				t.Fatal(e)
			}
			if tt.a.listens {
				if e := tab.Listen(a); e != 0 {
					t.Fatal(e)
				}
			}
			if _, e := add(2, tt.b); e != tt.want {
				t.Errorf("second bind: %v, want %v", e, tt.want)
			}
		})
	}
}

// Ephemeral ports are counted, come round, and leave out those in use.
func TestEphemeral(t *testing.T) {
	tab, alive := world()
	keep := tab.Add(1, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP, 0)
	alive[1] = true
	if e := tab.Bind(keep, addr("127.0.0.1:0")); e != 0 || keep.Local.Port() != firstPort {
		t.Fatalf("%v %v", e, keep.Local)
	}
	for i := uint64(2); i < 2+lastPort-firstPort; i++ {
		s := tab.Add(i, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP, 0)
		if e := tab.AutoBind(s); e != 0 || s.Local.Port() != uint16(firstPort+i-1) {
			t.Fatalf("socket %d: %v %v", i, e, s.Local)
		}
	}
	s := tab.Add(99999, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP, 0)
	if e := tab.AutoBind(s); e != 0 || s.Local.Port() != firstPort+1 {
		t.Errorf("after all ports: %v %v, want port %d", e, s.Local, firstPort+1)
	}
	if u := tab.Add(100000, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP, 0); tab.AutoBind(u) != 0 || u.Local.Port() != firstPort {
		t.Errorf("UDP counts for itself: %v", u.Local)
	}
}

func TestListenerAndReceiver(t *testing.T) {
	tab, alive := world()
	n := uint64(0)
	open := func(family int, typ int, a string) *Socket {
		n++
		alive[n] = true
		s := tab.Add(n, family, typ, 0, 0)
		for _, name := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
			s.SetOpt(unix.SOL_SOCKET, name, 1)
		}
		if e := tab.Bind(s, addr(a)); e != 0 {
			t.Fatal(a, e)
		}
		return s
	}
	listen := func(s *Socket) *Socket {
		if e := tab.Listen(s); e != 0 {
			t.Fatal(e)
		}
		return s
	}
	any6 := listen(open(unix.AF_INET6, unix.SOCK_STREAM, "[::]:80"))
	if got := tab.Listener(addr("127.0.0.1:80")); got != any6 {
		t.Errorf("mapped: %+v", got)
	}
	any4 := listen(open(unix.AF_INET, unix.SOCK_STREAM, "0.0.0.0:80"))
	one := listen(open(unix.AF_INET, unix.SOCK_STREAM, "127.0.0.1:80"))
	two := listen(open(unix.AF_INET, unix.SOCK_STREAM, "127.0.0.1:80"))
	open(unix.AF_INET, unix.SOCK_STREAM, "127.0.0.3:80") // does not listen
	for _, tt := range []struct {
		dst  string
		want *Socket
	}{
		{"127.0.0.1:80", one}, {"127.0.0.1:80", two}, {"127.0.0.1:80", one},
		{"127.0.0.2:80", any4}, {"127.0.0.3:80", any4}, {"[::1]:80", any6}, {"127.0.0.1:81", nil},
	} {
		if got := tab.Listener(addr(tt.dst)); got != tt.want {
			t.Errorf("listener of %s: %+v, want %+v", tt.dst, got, tt.want)
		}
	}
	any := open(unix.AF_INET, unix.SOCK_DGRAM, "0.0.0.0:53")
	peer := open(unix.AF_INET, unix.SOCK_DGRAM, "127.0.0.1:53")
	if e := tab.Connect(peer, addr("127.0.0.1:1000")); e != 0 {
		t.Fatal(e)
	}
	if got := tab.Receiver(addr("127.0.0.1:1000"), addr("127.0.0.1:53")); got != peer {
		t.Errorf("from the peer: %+v", got)
	}
	if got := tab.Receiver(addr("127.0.0.1:1001"), addr("127.0.0.1:53")); got != any {
		t.Errorf("from a stranger: %+v", got)
	}
	if got := tab.Receiver(addr("127.0.0.1:1001"), addr("[::1]:53")); got != nil {
		t.Errorf("IPv6: %+v", got)
	}
}

// A queue takes what SO_RCVBUF says, and then drops.
func TestQueue(t *testing.T) {
	tab, _ := world()
	s := tab.Add(1, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP, 0)
	n := 0
	for s.Push(Datagram{Data: make([]byte, 100)}) {
		n++
	}
	if want := udpBuffer / (datagramCost + 256); n != want {
		t.Errorf("took %d datagrams, want %d", n, want)
	}
	s.Pop()
	if d := (Datagram{Data: make([]byte, 200)}); !s.Push(d) || s.Push(d) {
		t.Error("one fits after one was taken")
	}
}

// Sweeping forgets what is gone, and no port stays behind.
func TestSweep(t *testing.T) {
	tab, alive := world()
	for i := uint64(1); i <= 10000; i++ {
		s := tab.Add(i, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP, 0)
		alive[i] = i%1000 == 0
		if e := tab.AutoBind(s); e != 0 {
			t.Fatal(e)
		}
	}
	if n := len(tab.sockets); n > 600 {
		t.Errorf("%d sockets are kept", n)
	}
	tab.Sweep()
	if len(tab.sockets) != 10 || len(tab.ports) != 10 {
		t.Errorf("after a sweep: %d sockets, %d ports; want 10", len(tab.sockets), len(tab.ports))
	}
}

func TestNames(t *testing.T) {
	tab, _ := world()
	s := tab.Add(1, unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP, 0)
	if e := tab.Connect(s, addr("[::1]:65535")); e != 0 {
		t.Fatal(e)
	}
	name := s.ClientName()
	if len(name) > 107 {
		t.Errorf("%d bytes do not fit in sun_path", len(name))
	}
	l, r, ok := ParseClientName(name)
	if !ok || l != s.Local || r != s.Remote {
		t.Errorf("%v %v %v", l, r, ok)
	}
	for _, bad := range []string{"", "@x", Reserved, Reserved + "s1", Reserved + "c1 x y", name + " z"} {
		if _, _, ok := ParseClientName(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}
