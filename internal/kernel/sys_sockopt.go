package kernel

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// Socket options with a width of time_t in their number (asm-generic/socket.h).
const (
	soRcvtimeoNew = 66
	soSndtimeoNew = 67
)

// getsockopt(2): numbers of the host's kernel are replaced.
func sysGetsockopt(k *Kernel, t *Task) verdict {
	level, name := t.intArg(1), t.intArg(2)
	f := k.file(t, t.intArg(0))
	defer f.close()
	if level == unix.SOL_SOCKET && f.class == fdSocket && !k.isOutside(&f) {
		if name == unix.SO_PEERSEC { // a label of the host's security module: there is none
			return t.fail(unix.ENOPROTOOPT)
		}
		if v, ok := k.hostOption(&f, name); ok {
			return k.putOption(t, level, v)
		}
	}
	s := k.inetOf(&f)
	if s == nil || inKernel(s, level, name) {
		return pass
	}
	v, e := k.getsockopt(&f, s, level, name)
	if e != 0 {
		return k.noOption(t, s, "get", level, name, e)
	}
	return k.putOption(t, level, v)
}

// hostOption gives the options that the kernel takes from counters of the
// host and from the CPU that a packet came by.
func (k *Kernel) hostOption(f *file, name int) ([]byte, bool) {
	const soNetnsCookie = 71
	switch name {
	case unix.SO_COOKIE:
		c, err := unix.GetsockoptUint64(f.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		return int8s(k.inodes.get("socket cookie", c)), err == nil
	case soNetnsCookie:
		return int8s(1), true
	case unix.SO_INCOMING_CPU:
		return int4(0), true
	}
	return nil, false
}

func int8s(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// putOption writes the value of an option where getsockopt(2) wants it.
func (k *Kernel) putOption(t *Task, level int, v []byte) verdict {
	room, ok := t.readU32(t.arg(4))
	switch {
	case !ok:
		return t.fail(unix.EFAULT)
	case int32(room) < 0:
		return t.fail(unix.EINVAL)
	}
	if level == unix.IPPROTO_IP && len(v) == 4 && room > 0 && room < 4 && v[1]|v[2]|v[3] == 0 {
		room = 1 // do_ip_getsockopt(): small values fit in a byte
	}
	n := min(int(room), len(v))
	if n > 0 && !t.write(t.arg(3), v[:n]) || !t.writeU32(t.arg(4), uint32(n)) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// inKernel are the options that the unix socket behind s has for it.
func inKernel(s *inet.Socket, level, name int) bool {
	if level != unix.SOL_SOCKET {
		return false
	}
	switch name {
	case unix.SO_RCVTIMEO, unix.SO_SNDTIMEO, soRcvtimeoNew, soSndtimeoNew, unix.SO_LINGER:
		return true
	case unix.SO_RCVLOWAT, unix.SO_OOBINLINE:
		return s.Stream()
	}
	return false
}

// noOption answers for an option that there is not; the report names those
// that Linux might have.
func (k *Kernel) noOption(t *Task, s *inet.Socket, what string, level, name int, e unix.Errno) verdict {
	if e == unix.ENOPROTOOPT {
		k.refuse(t, what+"sockopt level "+itoa(level)+" option "+itoa(name), e)
	}
	return t.fail(e)
}

// getsockopt gives the value of an option of an internet socket.
func (k *Kernel) getsockopt(f *file, s *inet.Socket, level, name int) ([]byte, unix.Errno) {
	if level == unix.SOL_SOCKET {
		switch name {
		case unix.SO_TYPE:
			return int4(s.Type), 0
		case unix.SO_DOMAIN:
			return int4(s.Family), 0
		case unix.SO_PROTOCOL:
			return int4(s.Proto), 0
		case unix.SO_ACCEPTCONN:
			return int4(b2i(s.State == inet.Listening)), 0
		case unix.SO_ERROR:
			return int4(int(k.socketError(f, s))), 0
		case unix.SO_PEERCRED: // struct ucred of nobody
			return append(int4(0), append(int4(-1), int4(-1)...)...), 0
		}
	}
	switch {
	case level == unix.IPPROTO_TCP && s.Stream() && name == unix.TCP_INFO:
		return s.TCPInfo(), 0
	case level == unix.IPPROTO_TCP && s.Stream() && name == unix.TCP_CONGESTION:
		return append([]byte("cubic"), make([]byte, 11)...), 0 // TCP_CA_NAME_MAX
	case level == unix.IPPROTO_IP && name == unix.IP_MTU, level == unix.IPPROTO_IPV6 && name == unix.IPV6_MTU:
		if !s.Remote.IsValid() {
			return nil, unix.ENOTCONN
		}
		return int4(inet.MTU), 0
	case level == unix.IPPROTO_IP && name == unix.IP_OPTIONS && s.Family != unix.AF_NETLINK:
		return nil, 0
	}
	v, ok := s.GetOpt(level, name)
	switch {
	case !s.HasLevel(level):
		return nil, unix.EOPNOTSUPP
	case !ok:
		return nil, unix.ENOPROTOOPT
	}
	return int4(int(v)), 0
}

// socketError is SO_ERROR: the error that waits, once.
func (k *Kernel) socketError(f *file, s *inet.Socket) unix.Errno {
	noteReset(f, s)
	if e := s.TakeErr(); e != 0 {
		if !s.Stream() {
			k.settle(f, s)
		}
		return e
	}
	return 0
}

// setsockopt(2).
func sysSetsockopt(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	s := k.inetOf(&f)
	level, name := t.intArg(1), t.intArg(2)
	if s != nil && level == unix.SOL_SOCKET && name == unix.SO_LINGER {
		if b := [8]byte{}; t.intArg(4) >= 8 && t.read(t.arg(3), b[:]) { // struct linger
			s.Abortive = getU32(b[:]) != 0 && getU32(b[4:]) == 0
		}
	}
	if s == nil || inKernel(s, level, name) {
		if level == unix.SOL_SOCKET && (name == unix.SO_PASSCRED || name == unix.SO_PASSPIDFD) {
			k.passcred = true
		}
		if level == unix.SOL_SOCKET && name == unix.SO_PASSSEC && f.class == fdSocket {
			k.refuse(t, "setsockopt with SO_PASSSEC", unix.ENOPROTOOPT)
			return t.fail(unix.ENOPROTOOPT)
		}
		if level == unix.SOL_SOCKET && stampOption(name) && f.class == fdSocket {
			return k.setStamp(t)
		}
		return pass
	}
	n := t.intArg(4)
	switch {
	case n < 0:
		return t.fail(unix.EINVAL)
	case level == unix.SOL_SOCKET && (name == unix.SO_ATTACH_FILTER || name == unix.SO_DETACH_FILTER) && s.Family == unix.AF_NETLINK:
		return t.done(0) // it would let only some messages through; libraries check again
	case level == unix.IPPROTO_TCP && name == unix.TCP_CONGESTION && s.Stream():
		return k.setCongestion(t, n)
	case level == unix.SOL_NETLINK && (name == unix.NETLINK_ADD_MEMBERSHIP || name == unix.NETLINK_DROP_MEMBERSHIP):
		return t.done(0)
	case multicast(s, level, name):
		k.refuse(t, "the network: multicast", unix.ENODEV)
		return t.fail(unix.ENODEV)
	}
	if _, ok := s.GetOpt(level, name); !ok {
		return k.noOption(t, s, "set", level, name, unix.ENOPROTOOPT)
	}
	var b [4]byte
	switch {
	case n >= 4:
		if !t.read(t.arg(3), b[:]) {
			return t.fail(unix.EFAULT)
		}
	case n >= 1 && level == unix.IPPROTO_IP:
		if !t.read(t.arg(3), b[:1]) {
			return t.fail(unix.EFAULT)
		}
	default:
		return t.fail(unix.EINVAL)
	}
	e, _ := s.SetOpt(level, name, int32(getU32(b[:])))
	if e != 0 {
		return t.fail(e)
	}
	return t.done(0)
}

// multicast reports options of groups, whose members are outside.
func multicast(s *inet.Socket, level, name int) bool {
	switch level {
	case unix.IPPROTO_IP:
		return name == unix.IP_ADD_MEMBERSHIP || name == unix.IP_MULTICAST_IF || name >= unix.IP_DROP_MEMBERSHIP && name <= unix.MCAST_MSFILTER
	case unix.IPPROTO_IPV6:
		return s.Family == unix.AF_INET6 && (name == unix.IPV6_JOIN_GROUP || name == unix.IPV6_LEAVE_GROUP || name >= unix.MCAST_JOIN_GROUP && name <= unix.MCAST_MSFILTER)
	}
	return false
}

// setCongestion accepts the one algorithm that there is besides the one that
// is always there (tcp(7)).
func (k *Kernel) setCongestion(t *Task, n int) verdict {
	b := make([]byte, min(n, 16))
	if n < 1 {
		return t.fail(unix.EINVAL)
	}
	if !t.read(t.arg(3), b) {
		return t.fail(unix.EFAULT)
	}
	if a, _, _ := strings.Cut(string(b), "\x00"); a != "cubic" && a != "reno" {
		return t.fail(unix.ENOENT)
	}
	return t.done(0)
}

func int4(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(int32(v))) }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
