package tsc

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// handlerAddr is the address of the code in handler_amd64.s.
func handlerAddr() uintptr

// next is the runtime's handler, which has all other faults.
//
//lint:ignore U1000 handler_amd64.s reads it
var next uintptr

// count is what the next read of the counter is answered with.
var count atomic.Uint64

// install puts our handler of SIGSEGV before the runtime's.
func install() error {
	var act [4]uintptr // struct kernel_sigaction: handler, flags, restorer, mask
	call := func(set, get unsafe.Pointer) error {
		if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGSEGV), uintptr(set), uintptr(get), 8, 0, 0); e != 0 {
			return e
		}
		return nil
	}
	if err := call(nil, unsafe.Pointer(&act)); err != nil {
		return err
	}
	if act[0] <= 1 { // SIG_DFL, SIG_IGN
		return unix.EINVAL
	}
	next, act[0] = act[0], handlerAddr()
	return call(unsafe.Pointer(&act), nil)
}
