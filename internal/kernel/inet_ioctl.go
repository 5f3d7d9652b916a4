package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// Requests of sockets (sockios.h) that package unix has no name for.
const (
	siocatmark  = 0x8905
	siocgifconf = 0x8912
)

// ioctlSocket answers the requests of netdevice(7), which any socket takes,
// and those of tcp(7) and udp(7). handled is false for others.
func (k *Kernel) ioctlSocket(t *Task, f *file, req uint32) (v verdict, handled bool) {
	if k.cfg.Open.Network || k.cfg.Open.Threads {
		return pass, true
	}
	if req == siocgifconf {
		return k.ifconf(t), true
	}
	var b [inet.IfreqLen]byte
	if _, ok := inet.Ifreq(req, b[:]); ok {
		if !t.read(t.arg(2), b[:]) {
			return t.fail(unix.EFAULT), true
		}
		if e, _ := inet.Ifreq(req, b[:]); e != 0 {
			return t.fail(e), true
		}
		if !t.write(t.arg(2), b[:]) {
			return t.fail(unix.EFAULT), true
		}
		return t.done(0), true
	}
	s := k.inetOf(f)
	n := 0
	switch {
	case req == siocatmark && (s == nil || s.Stream()):
		return pass, true
	case s == nil:
		return pass, false
	case req == unix.TIOCOUTQ: // all that was sent has arrived
	case req == fionread && s.Stream():
		if s.State == inet.Listening {
			return t.fail(unix.EINVAL), true
		}
		if s.State != inet.Connected && s.State != inet.Connecting {
			break
		}
		return pass, true
	case req == fionread:
		d, _ := s.Peek()
		n = len(d.Data)
	default:
		return pass, false
	}
	if !t.writeU32(t.arg(2), uint32(n)) {
		return t.fail(unix.EFAULT), true
	}
	return t.done(0), true
}

// ifconf implements SIOCGIFCONF: struct ifconf is a length and a buffer.
func (k *Kernel) ifconf(t *Task) verdict {
	var b [16]byte
	if !t.read(t.arg(2), b[:]) {
		return t.fail(unix.EFAULT)
	}
	le := binary.LittleEndian
	all := inet.Ifconf()
	if p := le.Uint64(b[8:]); p != 0 {
		if int(int32(le.Uint32(b[:]))) < len(all) {
			all = nil
		}
		if len(all) > 0 && !t.write(p, all) {
			return t.fail(unix.EFAULT)
		}
	}
	le.PutUint32(b[:], uint32(len(all)))
	if !t.write(t.arg(2), b[:]) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}
