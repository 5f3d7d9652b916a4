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

// queueSignal queues a signal with a siginfo of ours. A negative si_code other
// than SI_TKILL may be given for other processes (rt_sigqueueinfo(2)).
// tid 0 means the process.
func queueSignal(pid, tid int, sig unix.Signal, si *[128]byte) {
	if tid == 0 {
		unix.RawSyscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(sig), uintptr(unsafe.Pointer(si)))
		return
	}
	unix.RawSyscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(pid), uintptr(tid), uintptr(sig), uintptr(unsafe.Pointer(si)), 0, 0)
}
