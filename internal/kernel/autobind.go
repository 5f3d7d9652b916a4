package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// autobind gives the unix socket f a name as unix(7) says under "Autobind
// feature", from a counter: the kernel's begins at a random number. A socket
// that has a name keeps it.
func (k *Kernel) autobind(f *file) unix.Errno {
	sa, err := unix.Getsockname(f.fd)
	if err != nil {
		return errnoOf(err)
	}
	if u, ok := sa.(*unix.SockaddrUnix); !ok || u.Name != "" && u.Name != "@" { // package unix says @ for no name
		return 0
	}
	const names = 1 << 20 // five hexadecimal digits
	for range names {
		k.autobound = (k.autobound + 1) % names
		err = unix.Bind(f.fd, &unix.SockaddrUnix{Name: fmt.Sprintf("@%05x", k.autobound)})
		if err != unix.EADDRINUSE {
			break
		}
	}
	if err != nil {
		return errnoOf(err)
	}
	if k.cfg.Open.Network {
		k.ownName(fmt.Sprintf("\x00%05x", k.autobound))
	}
	return 0
}

// autobindSender names a unix socket that will tell its credentials, which
// the kernel does when it connects or sends a datagram.
func (k *Kernel) autobindSender(f *file) {
	if !k.passcred || f.class != fdSocket || k.inetOf(f) != nil {
		return
	}
	for _, o := range []int{unix.SO_PASSCRED, unix.SO_PASSPIDFD} {
		if on, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, o); err == nil && on != 0 {
			k.autobind(f)
			return
		}
	}
}
