package inet

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSockaddr(t *testing.T) {
	for _, tt := range []struct {
		family int
		in     string
		len    int
	}{
		{unix.AF_INET, "127.0.0.1:80", 16}, {unix.AF_INET6, "[::1]:80", 28}, {unix.AF_INET6, "127.0.0.1:443", 28},
		{unix.AF_INET, "0.0.0.0:0", 16}, {unix.AF_INET6, "[::]:0", 28},
	} {
		b := Sockaddr(tt.family, addr(tt.in))
		got, e := ParseSockaddr(tt.family, b)
		if e != 0 || got != addr(tt.in) || len(b) != tt.len {
			t.Errorf("%s: %v %v, %d bytes", tt.in, got, e, len(b))
		}
	}
	for _, tt := range []struct {
		family int
		b      []byte
		want   unix.Errno
	}{
		{unix.AF_INET, nil, unix.EINVAL},
		{unix.AF_INET, make([]byte, 15), unix.EINVAL},
		{unix.AF_INET, make([]byte, 16), unix.EAFNOSUPPORT},
		{unix.AF_INET6, Sockaddr(unix.AF_INET, addr("127.0.0.1:1")), unix.EINVAL},
		{unix.AF_INET6, make([]byte, 28), unix.EAFNOSUPPORT},
	} {
		if _, e := ParseSockaddr(tt.family, tt.b); e != tt.want {
			t.Errorf("%d bytes for family %d: %v, want %v", len(tt.b), tt.family, e, tt.want)
		}
	}
}

func FuzzSockaddr(f *testing.F) {
	f.Add(true, Sockaddr(unix.AF_INET, addr("127.0.0.1:80")))
	f.Add(false, Sockaddr(unix.AF_INET6, addr("[::1]:80")))
	f.Fuzz(func(t *testing.T, four bool, b []byte) {
		family := unix.AF_INET6
		if four {
			family = unix.AF_INET
		}
		a, e := ParseSockaddr(family, b)
		if e != 0 {
			return
		}
		again, e := ParseSockaddr(family, Sockaddr(family, a))
		if e != 0 || again != a {
			t.Errorf("%v became %v (%v)", a, again, e)
		}
	})
}

func FuzzNetlink(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 18, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{40, 0, 0, 0, 18, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 'l', 'o', 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range NetlinkAnswer(b, 7) {
			for len(m) > 0 { // whole messages, as NLMSG_NEXT walks them
				if len(m) < unix.NLMSG_HDRLEN {
					t.Fatalf("%d bytes are left", len(m))
				}
				n := int(binary.LittleEndian.Uint32(m))
				if n < unix.NLMSG_HDRLEN || n > len(m) {
					t.Fatalf("a message of %d bytes in %d", n, len(m))
				}
				m = m[(n+3)&^3:]
			}
		}
	})
}

// One interface by name: found, and not found.
func TestNetlinkByName(t *testing.T) {
	ask := func(name string) uint16 {
		b := make([]byte, unix.SizeofIfInfomsg)
		b = attr(b, unix.IFLA_IFNAME, []byte(name+"\x00"))
		r := request{typ: unix.RTM_GETLINK, flags: unix.NLM_F_REQUEST}
		out := NetlinkAnswer(r.message(unix.RTM_GETLINK, unix.NLM_F_REQUEST, b), 7)
		if len(out) != 1 {
			t.Fatalf("%d answers", len(out))
		}
		return binary.LittleEndian.Uint16(out[0][4:])
	}
	if got := ask("lo"); got != unix.RTM_NEWLINK {
		t.Errorf("lo: message %d", got)
	}
	if got := ask("eth0"); got != unix.NLMSG_ERROR {
		t.Errorf("eth0: message %d", got)
	}
}
