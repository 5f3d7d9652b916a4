package sandbox

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confineUnix keeps the guest from abstract unix sockets of the host, whose
// network namespace it shares, whatever thread asks (landlock(7), scoped domains, Linux
// 6.12). On an older kernel the supervisor alone looks at the addresses, which
// another thread of the guest could exchange behind its back.
func confineUnix() error {
	attr := struct{ fs, net, scoped uint64 }{scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET}
	fd, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	switch {
	case errors.Is(e, unix.ENOSYS), errors.Is(e, unix.EOPNOTSUPP), errors.Is(e, unix.EINVAL), errors.Is(e, unix.E2BIG):
		return nil
	case e != 0:
		return e
	}
	defer unix.Close(int(fd))
	if _, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return e
	}
	return nil
}
