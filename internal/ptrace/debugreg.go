package ptrace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// debugReg is offsetof(struct user, u_debugreg) (sys/user.h, x86-64).
const debugReg = 848

// Watch makes tid stop with SIGTRAP and code TRAP_HWBKPT after each access,
// by load or store, to the 8 bytes at addr (a multiple of 8); 0 ends it. It is
// a debug register: exact, and without cost for other accesses. The kernel's
// own accesses on the thread's behalf are not seen.
func Watch(tid int, addr uint64) error {
	const enable, readWrite, eightBytes = 1, 3 << 16, 2 << 18
	if addr == 0 {
		return req("watch", unix.PTRACE_POKEUSR, tid, debugReg+7*8, 0)
	}
	if addr%8 != 0 {
		return fmt.Errorf("ptrace watch %d: %#x: %w", tid, addr, unix.EINVAL)
	}
	if err := req("watch", unix.PTRACE_POKEUSR, tid, debugReg, uintptr(addr)); err != nil {
		return err
	}
	return req("watch", unix.PTRACE_POKEUSR, tid, debugReg+7*8, enable|readWrite|eightBytes)
}

// Break makes tid stop with SIGTRAP and code TRAP_HWBKPT before it executes the
// instruction at addr; 0 ends it. It takes another register than Watch, but
// each ends the other.
func Break(tid int, addr uint64) error {
	const enable = 1 << 2
	if addr == 0 {
		return req("break", unix.PTRACE_POKEUSR, tid, debugReg+7*8, 0)
	}
	if err := req("break", unix.PTRACE_POKEUSR, tid, debugReg+8, uintptr(addr)); err != nil {
		return err
	}
	return req("break", unix.PTRACE_POKEUSR, tid, debugReg+7*8, enable)
}

// Codes of a SIGTRAP (siginfo.h).
const (
	TrapBrkpt  = 1 // also: the step over a system call
	TrapTrace  = 2 // one instruction was executed
	TrapHwBkpt = 4 // a watched access
)

// TrapCode is the code of the SIGTRAP that tid is about to get.
func TrapCode(tid int) (int32, error) {
	var si SigInfo
	if err := GetSigInfo(tid, &si); err != nil {
		return 0, err
	}
	return int32(binary.LittleEndian.Uint32(si[8:])), nil
}
