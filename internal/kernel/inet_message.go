package kernel

import "golang.org/x/sys/unix"

// sockMsg is what a call sends, or where it wants what it receives.
type sockMsg struct {
	v                   []iov
	name                uint64 // address of the peer; 0: none
	nameLen             uint32
	nameLenAt           uint64 // where the length goes
	hdr                 uint64 // struct msghdr; 0: none
	control, controlLen uint64
}

// message decodes the arguments of a call with one message.
func (t *Task) message(hdr uint64) (sockMsg, unix.Errno) {
	switch t.callNr {
	case unix.SYS_SENDTO:
		return sockMsg{v: []iov{{t.arg(1), t.arg(2)}}, name: t.arg(4), nameLen: uint32(t.arg(5))}, 0
	case unix.SYS_RECVFROM:
		m := sockMsg{v: []iov{{t.arg(1), t.arg(2)}}, name: t.arg(4), nameLenAt: t.arg(5)}
		if m.name == 0 {
			return m, 0
		}
		n, ok := t.readU32(m.nameLenAt)
		if !ok {
			return m, unix.EFAULT
		}
		if int32(n) < 0 {
			return m, unix.EINVAL
		}
		m.nameLen = n
		return m, 0
	case unix.SYS_SENDMSG, unix.SYS_RECVMSG:
		return t.msghdr(hdr)
	}
	v, e := t.buffers()
	return sockMsg{v: v}, e
}

// msghdr decodes a struct msghdr (recvmsg(2)).
func (t *Task) msghdr(at uint64) (sockMsg, unix.Errno) {
	var b [56]byte
	if !t.read(at, b[:]) {
		return sockMsg{}, unix.EFAULT
	}
	n := getU64(b[24:])
	if n > 1024 {
		return sockMsg{}, unix.EMSGSIZE
	}
	v, e := t.iovecs(getU64(b[16:]), int(n))
	if int32(getU32(b[8:])) < 0 {
		e = unix.EINVAL
	}
	return sockMsg{v: v, name: getU64(b[:]), nameLen: getU32(b[8:]), nameLenAt: at + 8, hdr: at,
		control: getU64(b[32:]), controlLen: getU64(b[40:])}, e
}

// putName writes the address of a message's sender.
func (t *Task) putName(m *sockMsg, b []byte) bool {
	if m.name == 0 {
		return true
	}
	n := min(len(b), int(m.nameLen))
	return (n == 0 || t.write(m.name, b[:n])) && t.writeU32(m.nameLenAt, uint32(len(b)))
}

// putControl writes control messages, and the flags of the message.
func (t *Task) putControl(m *sockMsg, c []byte, flags uint32) bool {
	if m.hdr == 0 {
		return true
	}
	n := uint64(len(c))
	if n > m.controlLen || m.control == 0 {
		n = 0
		if len(c) > 0 {
			flags |= unix.MSG_CTRUNC
		}
	}
	if n > 0 && !t.write(m.control, c[:n]) {
		return false
	}
	return t.writeU64(m.hdr+40, n) && t.writeU32(m.hdr+48, flags)
}
