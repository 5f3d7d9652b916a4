package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Unix datagram and seqpacket sockets carry the time at which a message was sent, for
// those who ask with SO_TIMESTAMP and the like (socket(7)). It is the host's: the message
// is said to be of the moment in which it is received.

// The options with a width of time_t in their number (asm-generic/socket.h).
const (
	soTimestampNew    = 63
	soTimestampnsNew  = 64
	soTimestampingNew = 65
)

// stampOption reports an option of SOL_SOCKET that asks for times.
func stampOption(name int) bool {
	switch name {
	case unix.SO_TIMESTAMP, unix.SO_TIMESTAMPNS, unix.SO_TIMESTAMPING, soTimestampNew, soTimestampnsNew, soTimestampingNew:
		return true
	}
	return false
}

// setStamp implements setsockopt(2) of such an option on a socket of the kernel's. With
// threads-native receiving calls do not stop, so there are no times.
func (k *Kernel) setStamp(t *Task) verdict {
	switch {
	case k.cfg.Open.Time:
	case k.cfg.Open.Threads:
		k.refuse(t, "setsockopt with a time of messages", unix.ENOPROTOOPT)
		return t.fail(unix.ENOPROTOOPT)
	default:
		k.stamps = true
	}
	return pass
}

// restamp gives the messages of recvmsg(2) or recvmmsg(2) logical times.
func (k *Kernel) restamp(t *Task) {
	n := t.result()
	switch {
	case n < 0:
	case t.callNr == unix.SYS_RECVMSG:
		k.restampOne(t, t.arg(1))
	case t.callNr == unix.SYS_RECVMMSG:
		for i := range n {
			k.restampOne(t, t.arg(1)+64*uint64(i)) // struct mmsghdr
		}
	}
}

// restampOne looks through the control messages (cmsg(3)) of the struct msghdr at hdr.
func (k *Kernel) restampOne(t *Task, hdr uint64) {
	var b [16]byte
	if !t.read(hdr+32, b[:]) { // msg_control, msg_controllen
		return
	}
	const header = 16 // struct cmsghdr: length, level, type
	at, left := getU64(b[:]), getU64(b[8:])
	for left >= header && t.read(at, b[:]) {
		size := getU64(b[:])
		if size < header || size > left {
			return
		}
		if name := int(getU32(b[12:])); getU32(b[8:]) == unix.SOL_SOCKET && stampOption(name) {
			k.restampAt(t, name, at+header, size-header)
		}
		size = min((size+7)&^7, left)
		at, left = at+size, left-size
	}
}

// restampAt writes now where the first of the times is that the option name brings, if
// there is one. SO_TIMESTAMPING brings three, the others of which are of hardware.
func (k *Kernel) restampAt(t *Task, name int, at, size uint64) {
	var b [16]byte
	if size < uint64(len(b)) || !t.read(at, b[:]) || getU64(b[:]) == 0 {
		return
	}
	sec, sub := splitNS(k.Now())
	if name == unix.SO_TIMESTAMP || name == soTimestampNew { // struct timeval
		sub /= 1000
	}
	binary.LittleEndian.PutUint64(b[:], uint64(sec))
	binary.LittleEndian.PutUint64(b[8:], uint64(sub))
	t.write(at, b[:])
}
