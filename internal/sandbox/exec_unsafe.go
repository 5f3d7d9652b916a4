package sandbox

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// execMemfd is execveat(fd, "", {"init"}, {}, AT_EMPTY_PATH); it returns only
// on failure. The calling thread becomes the only one.
func execMemfd(fd int) error {
	name, path := []byte("init\x00"), []byte{0}
	argv := [2]*byte{&name[0], nil}
	env := [1]*byte{nil}
	_, _, e := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&env)), unix.AT_EMPTY_PATH, 0)
	runtime.KeepAlive(name)
	return e
}
