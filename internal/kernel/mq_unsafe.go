package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mqAttr is struct mq_attr.
type mqAttr struct {
	flags, maxMsg, msgSize, curMsgs int64
	_                               [4]int64
}

// mqGetattr asks one of our descriptors for its queue's attributes.
func mqGetattr(fd int) (mqAttr, error) {
	var a mqAttr
	if _, _, e := unix.RawSyscall(unix.SYS_MQ_GETSETATTR, uintptr(fd), 0, uintptr(unsafe.Pointer(&a))); e != 0 {
		return a, e
	}
	return a, nil
}

// mqSend puts a message into a queue that has room. A time long past makes
// sure that it never waits.
func mqSend(fd int, msg []byte, prio uint32) error {
	var past unix.Timespec
	p := append(msg[:len(msg):len(msg)], 0) // an address, also of an empty message
	_, _, e := unix.RawSyscall6(unix.SYS_MQ_TIMEDSEND, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(msg)),
		uintptr(prio), uintptr(unsafe.Pointer(&past)), 0)
	if e != 0 {
		return e
	}
	return nil
}
