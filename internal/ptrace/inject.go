package ptrace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Inject makes the stopped tracee tid execute one system call at the address
// of a syscall instruction and returns its raw result (negative errno on
// failure). The caller restores registers. It must not be a call that
// replaces or ends the process, or that a loaded filter would stop.
func Inject(tid int, base *Regs, at uint64, nr int, args ...uint64) (int64, error) {
	r := *base
	r.Rip, r.Rax, r.Orig_rax = at, uint64(nr), ^uint64(0)
	for i, p := range []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9} {
		*p = 0
		if i < len(args) {
			*p = args[i]
		}
	}
	if err := SetRegs(tid, &r); err != nil {
		return 0, err
	}
	for i := 0; i < 2; i++ {
		if err := Syscall(tid, 0); err != nil {
			return 0, err
		}
		_, st, err := Wait(tid, 0)
		if err != nil {
			return 0, err
		}
		if st.Event() == unix.PTRACE_EVENT_STOP && !st.GroupStop() { // of an Interrupt that came late
			i--
			continue
		}
		if !st.SyscallStop() {
			return 0, fmt.Errorf("inject call %d, stop %d: unexpected status %#x", nr, i, int(st.WaitStatus))
		}
	}
	if err := GetRegs(tid, &r); err != nil {
		return 0, err
	}
	return int64(r.Rax), nil
}

// Attach seizes tid, interrupts it, and waits for the stop.
func Attach(tid int) error {
	if err := Seize(tid); err != nil {
		return err
	}
	if err := Interrupt(tid); err != nil {
		return err
	}
	_, st, err := Wait(tid, 0)
	if err != nil {
		return err
	}
	if !st.Stopped() || st.Event() != unix.PTRACE_EVENT_STOP {
		return fmt.Errorf("attach %d: unexpected status %#x", tid, int(st.WaitStatus))
	}
	return nil
}

// PokeText writes p, whose length is a multiple of 8, over memory of a stopped
// tracee that may be read-only, word by word. It is the slow way for a tracee
// whose /proc/PID/mem another user owns.
func PokeText(tid int, addr uint64, p []byte) error {
	for i := 0; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		if err := req("poke", unix.PTRACE_POKEDATA, tid, uintptr(addr)+uintptr(i), uintptr(w)); err != nil {
			return err
		}
	}
	return nil
}
