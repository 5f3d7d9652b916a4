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
		m := sockMsg{v: []iov{{t.arg(1), t.arg(2)}}, name: t.arg(4), nameLen: uint32(t.arg(5))}
		if m.name == 0 {
			return m, 0
		}
		_, e := t.sockaddr(m.name, int(int32(m.nameLen)))
		return m, e
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

// msghdr decodes a struct msghdr (recvmsg(2)), looking for what is wrong in the kernel's
// order (__copy_msghdr in net/socket.c).
func (t *Task) msghdr(at uint64) (sockMsg, unix.Errno) {
	var b [56]byte
	if !t.read(at, b[:]) {
		return sockMsg{}, unix.EFAULT
	}
	m := sockMsg{name: getU64(b[:]), nameLenAt: at + 8, hdr: at, control: getU64(b[32:]), controlLen: getU64(b[40:])}
	if m.name != 0 {
		if m.nameLen = getU32(b[8:]); int32(m.nameLen) < 0 {
			return m, unix.EINVAL
		}
		const storage = 128 // struct sockaddr_storage
		m.nameLen = min(m.nameLen, storage)
		if t.callNr == unix.SYS_SENDMSG || t.callNr == unix.SYS_SENDMMSG {
			if _, e := t.sockaddr(m.name, int(m.nameLen)); e != 0 {
				return m, e
			}
		}
	}
	n := getU64(b[24:])
	if n > 1024 {
		return m, unix.EMSGSIZE
	}
	var e unix.Errno
	m.v, e = t.iovecs(getU64(b[16:]), int(n))
	return m, e
}

// checkControl looks for what is wrong with the control messages that are sent with m:
// of those of the socket level TCP and UDP ignore what unix sockets send, and know few
// others (__sock_cmsg_send in net/core/sock.c).
func (t *Task) checkControl(m *sockMsg) unix.Errno {
	const most = 20480 // /proc/sys/net/core/optmem_max
	const header = 16  // struct cmsghdr: length, level, type
	if m.control == 0 || m.controlLen == 0 {
		return 0
	}
	if m.controlLen > most {
		return unix.ENOBUFS
	}
	b := make([]byte, m.controlLen)
	if !t.read(m.control, b) {
		return unix.EFAULT
	}
	for len(b) >= header {
		size := getU64(b)
		if size < header || size > uint64(len(b)) {
			return unix.EINVAL
		}
		if getU32(b[8:]) == unix.SOL_SOCKET {
			switch getU32(b[12:]) {
			case unix.SCM_RIGHTS, unix.SCM_CREDENTIALS, unix.SO_MARK, unix.SO_TIMESTAMPING, unix.SCM_TXTIME:
			default:
				return unix.EINVAL
			}
		}
		b = b[min((size+7)&^7, uint64(len(b))):]
	}
	return 0
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
