package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// siginfoWord reads a 32-bit word of a siginfo_t by offset: x/sys leaves the
// union out.
func siginfoWord(si *unix.Siginfo, off uintptr) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(si), off))
}
