package doctor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// actionAvailable is SECCOMP_GET_ACTION_AVAIL of seccomp(2).
func actionAvailable(action uint32) error {
	const getActionAvail = 2
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, getActionAvail, 0, uintptr(unsafe.Pointer(&action))); e != 0 {
		return e
	}
	return nil
}

// tscMode is PR_GET_TSC(2const): an error where there is no PR_SET_TSC either.
func tscMode() error {
	var mode int32
	return unix.Prctl(unix.PR_GET_TSC, uintptr(unsafe.Pointer(&mode)), 0, 0, 0)
}
