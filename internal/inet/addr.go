package inet

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Lengths of struct sockaddr_in and sockaddr_in6; the kernel takes the latter
// also without its scope (SIN6_LEN_RFC2133).
const (
	sockaddr4Len    = 16
	sockaddr6Len    = 28
	sockaddr6OldLen = 24
)

// ParseSockaddr reads an address that the guest passes to a socket of the
// given family. IPv4-mapped addresses come back as IPv4.
func ParseSockaddr(family int, b []byte) (netip.AddrPort, unix.Errno) {
	if len(b) < 2 {
		return netip.AddrPort{}, unix.EINVAL
	}
	got := int(binary.LittleEndian.Uint16(b))
	if family == unix.AF_INET {
		if len(b) < sockaddr4Len {
			return netip.AddrPort{}, unix.EINVAL
		}
		if got != unix.AF_INET {
			return netip.AddrPort{}, unix.EAFNOSUPPORT
		}
		return parse4(b), 0
	}
	if len(b) < sockaddr6OldLen {
		return netip.AddrPort{}, unix.EINVAL
	}
	if got != unix.AF_INET6 {
		return netip.AddrPort{}, unix.EAFNOSUPPORT
	}
	ip := netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:])), 0
}

func parse4(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
}

// Sockaddr is how a socket of the given family shows an address. The zero
// address is the wildcard.
func Sockaddr(family int, a netip.AddrPort) []byte {
	if family == unix.AF_INET {
		b := make([]byte, sockaddr4Len)
		binary.LittleEndian.PutUint16(b, unix.AF_INET)
		binary.BigEndian.PutUint16(b[2:], a.Port())
		if ip := a.Addr().Unmap(); ip.Is4() {
			v := ip.As4()
			copy(b[4:], v[:])
		}
		return b
	}
	b := make([]byte, sockaddr6Len)
	binary.LittleEndian.PutUint16(b, unix.AF_INET6)
	binary.BigEndian.PutUint16(b[2:], a.Port())
	if a.Addr().IsValid() {
		v := a.Addr().As16() // IPv4 becomes mapped
		copy(b[8:], v[:])
	}
	return b
}

func loopback4() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// Wildcard is the address of a socket that is not bound to one.
func Wildcard(family int) netip.Addr {
	if family == unix.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// Local reports whether an address belongs to this machine: it has a loopback
// interface only.
func Local(a netip.Addr) bool { return a.IsLoopback() || a.IsUnspecified() }

// Destination is where packets to an address go: the wildcard means this
// machine (ip(7)). The errno is that of a machine without any route.
func Destination(a netip.AddrPort, broadcast bool) (netip.AddrPort, unix.Errno) {
	ip := a.Addr()
	switch {
	case ip == netip.IPv4Unspecified():
		ip = loopback4()
	case ip == netip.IPv6Unspecified():
		ip = netip.IPv6Loopback()
	case ip == netip.AddrFrom4([4]byte{127, 255, 255, 255}) && !broadcast:
		return a, unix.EACCES
	case !ip.IsLoopback():
		return a, unix.ENETUNREACH
	}
	return netip.AddrPortFrom(ip, a.Port()), 0
}

// Source is the address that packets to dst come from when the socket has
// none: the preferred source of the table of local routes.
func Source(dst netip.Addr) netip.Addr {
	if dst.Is4() {
		return loopback4()
	}
	return netip.IPv6Loopback()
}

// IsUnspec4 reports the address of AF_UNSPEC and zeroes with which old
// programs bind to the wildcard; AnyAddr4 is what they mean (inet_bind()).
func IsUnspec4(b []byte) bool {
	return len(b) >= sockaddr4Len && binary.LittleEndian.Uint16(b) == unix.AF_UNSPEC && binary.LittleEndian.Uint32(b[4:]) == 0
}

// AnyAddr4 is the wildcard with the port in b.
func AnyAddr4(b []byte) netip.AddrPort { return parse4(b) }
