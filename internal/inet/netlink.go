package inet

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// NetlinkAnswer gives the messages with which route netlink (rtnetlink(7))
// answers the requests in b, as one datagram each. The machine has the
// interface lo with two addresses and no routes but those of the table of
// local ones. Changes are refused, as for a process without CAP_NET_ADMIN.
func NetlinkAnswer(b []byte, port uint32) [][]byte {
	var out [][]byte
	le := binary.LittleEndian
	for len(b) >= unix.NLMSG_HDRLEN {
		n := int(le.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			break
		}
		r := request{typ: le.Uint16(b[4:]), flags: le.Uint16(b[6:]), seq: le.Uint32(b[8:]), port: port, msg: b[:n]}
		out = append(out, r.answer()...)
		b = b[min((n+3)&^3, len(b)):]
	}
	return out
}

type request struct {
	typ, flags uint16
	seq, port  uint32
	msg        []byte
}

func (r *request) answer() [][]byte {
	if r.typ < unix.RTM_BASE || r.flags&unix.NLM_F_REQUEST == 0 {
		return r.ack(0)
	}
	family := byte(unix.AF_UNSPEC)
	if len(r.msg) > unix.NLMSG_HDRLEN {
		family = r.msg[unix.NLMSG_HDRLEN]
	}
	dump := r.flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP
	flags := uint16(0)
	if dump {
		flags = unix.NLM_F_MULTI
	}
	var items []byte
	switch r.typ {
	case unix.RTM_GETLINK:
		if !dump && !r.wantsLo() {
			return r.fail(unix.ENODEV)
		}
		items = r.message(unix.RTM_NEWLINK, flags, link())
	case unix.RTM_GETADDR:
		if family != unix.AF_INET6 {
			items = r.message(unix.RTM_NEWADDR, flags, address4())
		}
		if family != unix.AF_INET {
			items = append(items, r.message(unix.RTM_NEWADDR, flags, address6())...)
		}
	case unix.RTM_GETROUTE, unix.RTM_GETNEIGH, unix.RTM_GETRULE:
		if !dump {
			return r.fail(unix.ENETUNREACH)
		}
	default:
		if (r.typ-unix.RTM_BASE)%4 != 2 { // not a get
			return r.fail(unix.EPERM)
		}
		return r.fail(unix.EOPNOTSUPP)
	}
	if !dump {
		return append([][]byte{items}, r.ack(0)...)
	}
	done := r.message(unix.NLMSG_DONE, flags, make([]byte, 4))
	if len(items) == 0 {
		return [][]byte{done}
	}
	return [][]byte{items, done}
}

// wantsLo reads the index or name of a request for one interface.
func (r *request) wantsLo() bool {
	le := binary.LittleEndian
	const header = unix.NLMSG_HDRLEN + unix.SizeofIfInfomsg
	if len(r.msg) < header {
		return false
	}
	if i := le.Uint32(r.msg[unix.NLMSG_HDRLEN+4:]); i != 0 {
		return i == loIndex
	}
	for a := r.msg[header:]; len(a) >= 4; {
		n := int(le.Uint16(a))
		if n < 4 || n > len(a) {
			break
		}
		if le.Uint16(a[2:]) == unix.IFLA_IFNAME {
			return cname(a[4:n]) == loName
		}
		a = a[min((n+3)&^3, len(a)):]
	}
	return false
}

// ack is what NLM_F_ACK asks for, and every error gives (netlink(7)).
func (r *request) ack(e unix.Errno) [][]byte {
	if e == 0 && r.flags&unix.NLM_F_ACK == 0 {
		return nil
	}
	body := binary.LittleEndian.AppendUint32(nil, uint32(-int32(e)))
	flags := uint16(unix.NLM_F_CAPPED)
	if e == 0 {
		body = append(body, r.msg[:unix.NLMSG_HDRLEN]...)
	} else {
		body, flags = append(body, r.msg...), 0
	}
	return [][]byte{r.message(unix.NLMSG_ERROR, flags, body)}
}

func (r *request) fail(e unix.Errno) [][]byte { return r.ack(e) }

func (r *request) message(typ, flags uint16, body []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = le.AppendUint16(b, typ)
	b = le.AppendUint16(b, flags)
	b = le.AppendUint32(b, r.seq)
	b = le.AppendUint32(b, r.port)
	return pad(append(b, body...))
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func attr(b []byte, typ uint16, v []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(4+len(v)))
	b = binary.LittleEndian.AppendUint16(b, typ)
	return pad(append(b, v...))
}

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// link is struct ifinfomsg of lo and its attributes.
func link() []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	le := binary.LittleEndian
	le.PutUint16(b[2:], unix.ARPHRD_LOOPBACK)
	le.PutUint32(b[4:], loIndex)
	le.PutUint32(b[8:], loFlags|unix.IFF_LOWER_UP)
	b = attr(b, unix.IFLA_IFNAME, []byte(loName+"\x00"))
	b = attr(b, unix.IFLA_TXQLEN, u32(loQueue))
	b = attr(b, unix.IFLA_OPERSTATE, []byte{0})
	b = attr(b, unix.IFLA_LINKMODE, []byte{0})
	b = attr(b, unix.IFLA_MTU, u32(loMTU))
	b = attr(b, unix.IFLA_GROUP, u32(0))
	b = attr(b, unix.IFLA_NUM_TX_QUEUES, u32(1))
	b = attr(b, unix.IFLA_NUM_RX_QUEUES, u32(1))
	b = attr(b, unix.IFLA_CARRIER, []byte{1})
	b = attr(b, unix.IFLA_QDISC, []byte("noqueue\x00"))
	b = attr(b, unix.IFLA_ADDRESS, make([]byte, 6))
	b = attr(b, unix.IFLA_BROADCAST, make([]byte, 6))
	b = attr(b, unix.IFLA_STATS64, make([]byte, 200)) // struct rtnl_link_stats64
	return attr(b, unix.IFLA_STATS, make([]byte, 96))
}

// foreverLife is a struct ifa_cacheinfo of an address that never expires.
func foreverLife() []byte {
	b := append(u32(1<<32-1), u32(1<<32-1)...)
	return append(b, make([]byte, 8)...)
}

func ifaddr(family, bits, scope byte) []byte {
	return append([]byte{family, bits, unix.IFA_F_PERMANENT, scope}, u32(loIndex)...)
}

func address4() []byte {
	ip := []byte{127, 0, 0, 1}
	b := ifaddr(unix.AF_INET, 8, unix.RT_SCOPE_HOST)
	b = attr(b, unix.IFA_ADDRESS, ip)
	b = attr(b, unix.IFA_LOCAL, ip)
	b = attr(b, unix.IFA_LABEL, []byte(loName+"\x00"))
	b = attr(b, unix.IFA_FLAGS, u32(unix.IFA_F_PERMANENT))
	return attr(b, unix.IFA_CACHEINFO, foreverLife())
}

func address6() []byte {
	ip := make([]byte, 16)
	ip[15] = 1
	b := ifaddr(unix.AF_INET6, 128, unix.RT_SCOPE_HOST)
	b = attr(b, unix.IFA_ADDRESS, ip)
	b = attr(b, unix.IFA_CACHEINFO, foreverLife())
	return attr(b, unix.IFA_FLAGS, u32(unix.IFA_F_PERMANENT))
}
