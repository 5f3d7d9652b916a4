package slack

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// handlerAddr and restorerAddr are the addresses of the code in handler_amd64.s.
func handlerAddr() uintptr
func restorerAddr() uintptr

// install makes our code the handler of a signal, in place of the runtime's: it
// runs without a Go stack, and the runtime's would run on the wrong thread.
func install(signal int) error {
	const onStack, restart, restorer = 0x08000000, 0x10000000, 0x04000000 // SA_*
	// struct kernel_sigaction
	act := [4]uintptr{handlerAddr(), onStack | restart | restorer, restorerAddr(), ^uintptr(0)}
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
