package vdso

import "golang.org/x/sys/unix"

// vsyscallPage is where every process has three functions of the oldest
// interface, whether it likes or not (arch/x86/entry/vsyscall).
const vsyscallPage = 0xffffffffff600000

// VsyscallNumber tells which call a seccomp stop with the instruction pointer
// rip is, if it was made through the vsyscall page. The tracer may only skip
// such a call (Documentation/userspace-api/seccomp_filter.rst): the kernel
// takes rax as the result then.
func VsyscallNumber(rip uint64) (nr int, ok bool) {
	switch rip {
	case vsyscallPage:
		return unix.SYS_GETTIMEOFDAY, true
	case vsyscallPage + 0x400:
		return unix.SYS_TIME, true
	case vsyscallPage + 0x800:
		return unix.SYS_GETCPU, true
	}
	return 0, false
}
