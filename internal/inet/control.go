package inet

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// TOS is the type of service that datagrams of s to dst carry.
func (s *Socket) TOS(dst netip.Addr) byte {
	if dst.Is4() {
		return byte(s.Opt(unix.IPPROTO_IP, unix.IP_TOS))
	}
	return byte(s.Opt(unix.IPPROTO_IPV6, unix.IPV6_TCLASS))
}

// AutoBind gives a socket without a port one.
func (t *Table) AutoBind(s *Socket) unix.Errno {
	if s.Bound() {
		return 0
	}
	p := t.ephemeral(s.Stream())
	if p == 0 {
		return unix.EAGAIN
	}
	t.setLocal(s, netip.AddrPortFrom(Wildcard(s.Family), p))
	return 0
}

// Control are the control messages that s asked for with each datagram.
func (s *Socket) Control(d Datagram) []byte {
	if len(s.opts) == 0 {
		return nil
	}
	var b []byte
	on := func(level, name int) bool { return s.Opt(level, name) != 0 }
	le := binary.LittleEndian
	switch {
	case on(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS):
		b = cmsg(b, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, le.AppendUint64(le.AppendUint64(nil, uint64(d.Time/1e9)), uint64(d.Time%1e9)))
	case on(unix.SOL_SOCKET, unix.SO_TIMESTAMP):
		b = cmsg(b, unix.SOL_SOCKET, unix.SO_TIMESTAMP, le.AppendUint64(le.AppendUint64(nil, uint64(d.Time/1e9)), uint64(d.Time%1e9/1000)))
	}
	if s.Family == unix.AF_INET6 {
		if on(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO) {
			ip := d.Dst.Addr().As16()
			b = cmsg(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(ip[:], u32(loIndex)...))
		}
		if d.Dst.Addr().Is4() {
			return b
		}
		if on(unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT) {
			b = cmsg(b, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, u32(64))
		}
		if on(unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS) {
			b = cmsg(b, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, u32(uint32(d.TOS)))
		}
		return b
	}
	if on(unix.IPPROTO_IP, unix.IP_PKTINFO) { // struct in_pktinfo
		ip := d.Dst.Addr().As4()
		v := append(u32(loIndex), ip[:]...)
		b = cmsg(b, unix.IPPROTO_IP, unix.IP_PKTINFO, append(v, ip[:]...))
	}
	if on(unix.IPPROTO_IP, unix.IP_RECVTTL) {
		b = cmsg(b, unix.IPPROTO_IP, unix.IP_TTL, u32(64))
	}
	if on(unix.IPPROTO_IP, unix.IP_RECVTOS) {
		b = cmsg(b, unix.IPPROTO_IP, unix.IP_TOS, []byte{d.TOS})
	}
	return b
}

// cmsg appends one control message (cmsg(3)).
func cmsg(b []byte, level, typ int, v []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(16+len(v)))
	b = binary.LittleEndian.AppendUint32(b, uint32(level))
	b = binary.LittleEndian.AppendUint32(b, uint32(typ))
	b = append(b, v...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}
