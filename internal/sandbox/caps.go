package sandbox

import (
	"golang.org/x/sys/unix"
)

// guestCaps is what guest root keeps inside its user namespace: what builds,
// package managers and fakeroot use on files and ids. No mounting, tracing of
// others, network set-up, or anything that reaches kernel-wide state.
const guestCaps = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH |
	1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID | 1<<unix.CAP_KILL | 1<<unix.CAP_SETGID |
	1<<unix.CAP_SETUID | 1<<unix.CAP_SETPCAP | 1<<unix.CAP_NET_BIND_SERVICE |
	1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_MKNOD | 1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_SETFCAP

// initCaps is what pid 1 keeps: writing ns_last_pid. It is nothing the guest
// has, so the guest may not trace pid 1 (ptrace(2), access mode checking).
const initCaps = 1 << unix.CAP_CHECKPOINT_RESTORE

// stageCaps go through the stage's exec as ambient ones, because its uid is
// not mapped yet and so is not root there (capabilities(7)).
func stageCaps() []uintptr {
	const own = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
	var list []uintptr
	for c := uintptr(0); c < 64; c++ {
		if (guestCaps|initCaps|own)&(1<<c) != 0 {
			list = append(list, c)
		}
	}
	return list
}

// effectiveCaps is the calling thread's effective set.
func effectiveCaps() (uint64, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return 0, err
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32, nil
}
