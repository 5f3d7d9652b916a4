package inet

import (
	"maps"

	"golang.org/x/sys/unix"
)

// options are the values that were set; others have their default.
type options map[optKey]int32

type optKey struct{ level, name int }

func (o options) clone() options { return maps.Clone(o) }

// Options without a name in package unix.
const (
	soBusyPoll       = 46
	soPreferBusyPoll = 69
	soTxRehash       = 74
	ipRecvErrRFC4884 = 26
	ipLocalPortRange = 51
	v6AutoFlowLabel  = 70
	v6AddrPrefs      = 72
	v6MinHopCount    = 73
	v6RecvErrRFC4884 = 31
	v6UnicastIf      = 76
	v6RecvFragSize   = 77
	tcpLinear        = 16
	tcpDupack        = 17
	tcpTxDelay       = 37
)

// opt is an option with an int value: what it is before it is set, and the
// range that it can be set to. Without a range it is a switch.
type opt struct {
	def, min, max int32
	readOnly      bool
}

const (
	wmemMax   = 212992 // net.core.wmem_max and rmem_max
	udpBuffer = 212992
	anyInt    = 1<<31 - 1
)

// option describes an option, as it is for a socket of this kind.
func (s *Socket) option(level, name int) (opt, bool) {
	switch level {
	case unix.SOL_SOCKET:
		return s.socketOption(name)
	case unix.IPPROTO_IP:
		if s.Family == unix.AF_NETLINK {
			return opt{}, false
		}
		return ipOption(name)
	case unix.IPPROTO_IPV6:
		if s.Family != unix.AF_INET6 {
			return opt{}, false
		}
		return ip6Option(name)
	case unix.IPPROTO_TCP:
		if s.Stream() {
			return s.tcpOption(name)
		}
	case unix.SOL_NETLINK:
		if s.Family == unix.AF_NETLINK {
			switch name {
			case unix.NETLINK_PKTINFO, unix.NETLINK_BROADCAST_ERROR, unix.NETLINK_NO_ENOBUFS, unix.NETLINK_LISTEN_ALL_NSID,
				unix.NETLINK_CAP_ACK, unix.NETLINK_EXT_ACK, unix.NETLINK_GET_STRICT_CHK:
				return opt{}, true
			}
		}
	}
	return opt{}, false
}

func (s *Socket) socketOption(name int) (opt, bool) {
	switch name {
	case unix.SO_SNDBUF, unix.SO_SNDBUFFORCE:
		if s.Stream() {
			return opt{def: 16384, min: 0, max: wmemMax}, true
		}
		return opt{def: udpBuffer, min: 0, max: wmemMax}, true
	case unix.SO_RCVBUF, unix.SO_RCVBUFFORCE:
		if s.Stream() {
			return opt{def: 131072, min: 0, max: wmemMax}, true
		}
		return opt{def: udpBuffer, min: 0, max: wmemMax}, true
	case unix.SO_RCVLOWAT:
		return opt{def: 1, min: 0, max: anyInt}, true
	case unix.SO_SNDLOWAT:
		return opt{def: 1, readOnly: true}, true
	case unix.SO_PRIORITY:
		return opt{min: -1 << 31, max: anyInt}, true
	case unix.SO_PEEK_OFF:
		return opt{def: -1, readOnly: true}, true
	case unix.SO_DEBUG, unix.SO_REUSEADDR, unix.SO_DONTROUTE, unix.SO_BROADCAST, unix.SO_KEEPALIVE, unix.SO_OOBINLINE,
		unix.SO_NO_CHECK, unix.SO_REUSEPORT, unix.SO_TIMESTAMP, unix.SO_TIMESTAMPNS, unix.SO_RXQ_OVFL, unix.SO_PASSCRED,
		unix.SO_SELECT_ERR_QUEUE, unix.SO_NOFCS:
		return opt{}, true
	case soBusyPoll, unix.SO_MARK:
		return opt{readOnly: true}, true
	case soPreferBusyPoll, soTxRehash:
		return opt{}, true
	}
	return opt{}, false
}

func ipOption(name int) (opt, bool) {
	switch name {
	case unix.IP_TOS:
		return opt{min: 0, max: 255}, true
	case unix.IP_TTL:
		return opt{def: 64, min: -1, max: 255}, true
	case unix.IP_MINTTL:
		return opt{min: 0, max: 255}, true
	case unix.IP_MTU_DISCOVER:
		return opt{def: unix.IP_PMTUDISC_WANT, min: 0, max: 5}, true
	case unix.IP_MULTICAST_TTL:
		return opt{def: 1, min: -1, max: 255}, true
	case unix.IP_MULTICAST_LOOP, unix.IP_MULTICAST_ALL:
		return opt{def: 1}, true
	case unix.IP_LOCAL_PORT_RANGE, unix.IP_UNICAST_IF:
		return opt{readOnly: true}, true
	case unix.IP_RECVOPTS, unix.IP_RETOPTS, unix.IP_PKTINFO, unix.IP_RECVERR, unix.IP_RECVTTL, unix.IP_RECVTOS,
		unix.IP_FREEBIND, unix.IP_BIND_ADDRESS_NO_PORT, unix.IP_RECVORIGDSTADDR, unix.IP_RECVFRAGSIZE, unix.IP_CHECKSUM,
		unix.IP_NODEFRAG, unix.IP_ROUTER_ALERT, ipRecvErrRFC4884:
		return opt{}, true
	}
	return opt{}, false
}

func ip6Option(name int) (opt, bool) {
	switch name {
	case unix.IPV6_UNICAST_HOPS:
		return opt{def: 64, min: -1, max: 255}, true
	case unix.IPV6_MULTICAST_HOPS:
		return opt{def: 1, min: -1, max: 255}, true
	case unix.IPV6_MULTICAST_LOOP, unix.IPV6_MULTICAST_ALL, v6AutoFlowLabel:
		return opt{def: 1}, true
	case unix.IPV6_MTU_DISCOVER:
		return opt{def: unix.IPV6_PMTUDISC_WANT, min: 0, max: 5}, true
	case unix.IPV6_TCLASS:
		return opt{min: -1, max: 255}, true
	case v6MinHopCount:
		return opt{min: 0, max: 255}, true
	case unix.IPV6_UNICAST_IF, unix.IPV6_MULTICAST_IF:
		return opt{readOnly: true}, true
	case v6AddrPrefs:
		return opt{min: 0, max: anyInt}, true
	case unix.IPV6_V6ONLY, unix.IPV6_RECVERR, unix.IPV6_RECVPKTINFO, unix.IPV6_RECVHOPLIMIT, unix.IPV6_RECVTCLASS,
		unix.IPV6_DONTFRAG, unix.IPV6_RECVPATHMTU, unix.IPV6_RECVRTHDR, unix.IPV6_RECVHOPOPTS, unix.IPV6_RECVDSTOPTS,
		unix.IPV6_FREEBIND, unix.IPV6_RECVORIGDSTADDR, v6RecvFragSize, v6RecvErrRFC4884:
		return opt{}, true
	}
	return opt{}, false
}

func (s *Socket) tcpOption(name int) (opt, bool) {
	switch name {
	case unix.TCP_NODELAY, unix.TCP_CORK, tcpLinear, tcpDupack, unix.TCP_DEFER_ACCEPT, unix.TCP_FASTOPEN_CONNECT,
		unix.TCP_FASTOPEN_NO_COOKIE, unix.TCP_SAVE_SYN, unix.TCP_INQ:
		return opt{}, true
	case unix.TCP_QUICKACK:
		return opt{def: 1}, true
	case unix.TCP_MAXSEG:
		if s.State == Connected || s.State == Connecting {
			return opt{def: 32768, min: 88, max: 32767}, true
		}
		return opt{def: 536, min: 88, max: 32767}, true
	case unix.TCP_KEEPIDLE:
		return opt{def: 7200, min: 1, max: 32767}, true
	case unix.TCP_KEEPINTVL:
		return opt{def: 75, min: 1, max: 32767}, true
	case unix.TCP_KEEPCNT:
		return opt{def: 9, min: 1, max: 127}, true
	case unix.TCP_SYNCNT:
		return opt{def: 6, min: 1, max: 127}, true
	case unix.TCP_LINGER2:
		return opt{def: 60, min: -1, max: 120}, true
	case unix.TCP_WINDOW_CLAMP, unix.TCP_USER_TIMEOUT, unix.TCP_FASTOPEN, unix.TCP_NOTSENT_LOWAT, unix.TCP_TIMESTAMP,
		tcpTxDelay:
		return opt{min: 0, max: anyInt}, true
	}
	return opt{}, false
}

// Opt is the value of an option with an int value.
func (s *Socket) Opt(level, name int) int32 {
	if v, ok := s.opts[optKey{level, canonical(level, name)}]; ok {
		return v
	}
	o, _ := s.option(level, name)
	return o.def
}

// canonical maps the privileged forms to the plain ones.
func canonical(level, name int) int {
	if level == unix.SOL_SOCKET {
		switch name {
		case unix.SO_SNDBUFFORCE:
			return unix.SO_SNDBUF
		case unix.SO_RCVBUFFORCE:
			return unix.SO_RCVBUF
		}
	}
	return name
}

// HasLevel reports whether the socket knows any option of a level.
func (s *Socket) HasLevel(level int) bool {
	switch level {
	case unix.SOL_SOCKET:
		return true
	case unix.IPPROTO_IP:
		return s.Family != unix.AF_NETLINK
	case unix.IPPROTO_IPV6:
		return s.Family == unix.AF_INET6
	case unix.SOL_NETLINK:
		return s.Family == unix.AF_NETLINK
	}
	return level == s.Proto && s.Family != unix.AF_NETLINK
}

// GetOpt gives an int option; ok is false for one that does not exist.
func (s *Socket) GetOpt(level, name int) (v int32, ok bool) {
	if _, ok := s.option(level, name); !ok {
		return 0, false
	}
	return s.Opt(level, name), true
}

// SetOpt sets an int option as setsockopt(2) does; ok is false for one that
// does not exist.
func (s *Socket) SetOpt(level, name int, v int32) (e unix.Errno, ok bool) {
	o, ok := s.option(level, name)
	if !ok {
		return unix.ENOPROTOOPT, false
	}
	switch {
	case o.readOnly:
		if v != o.def {
			return unix.ENOPROTOOPT, true
		}
	case level == unix.SOL_SOCKET && (o.max == wmemMax):
		v = bufferSize(name, v)
	case level == unix.IPPROTO_TCP && name == unix.TCP_LINGER2:
		if v < 0 || v > o.max {
			v = -1
		}
	case level == unix.IPPROTO_IP && name == unix.IP_TOS:
		if v &= 0xff; s.Stream() { // the bits of congestion control are TCP's
			v &^= 3
		}
	case o.max != 0:
		if v < o.min || v > o.max {
			return unix.EINVAL, true
		}
		if v == -1 && o.min == -1 { // back to the default
			v = o.def
		}
	case v != 0:
		v = 1
	}
	if level == unix.IPPROTO_IPV6 && name == unix.IPV6_V6ONLY && s.Bound() {
		return unix.EINVAL, true
	}
	if s.opts == nil {
		s.opts = options{}
	}
	s.opts[optKey{level, canonical(level, name)}] = v
	return 0, true
}

// bufferSize is what SO_SNDBUF and SO_RCVBUF keep of a wish: twice of it,
// within limits (socket(7)).
func bufferSize(name int, v int32) int32 {
	least := int32(2304) // SOCK_MIN_RCVBUF
	if canonical(unix.SOL_SOCKET, name) == unix.SO_SNDBUF {
		least = 4608
	}
	if v < 0 { // compared as unsigned
		v = wmemMax
	}
	return max(2*min(v, wmemMax), least)
}
