// Package ptrace is the mechanism of tracing: stops, registers, guest memory,
// injected calls. It knows nothing of policy.
//
// All functions that take a thread id must be called from the one locked OS
// thread that seized the tracee (ptrace(2)). Every raw request is one small
// function. Errors carry the errno.
package ptrace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Options set at Seize. No TRACEEXIT: the death itself, reported to wait4, is
// the moment the rest of the system learns of it, and one stop less.
const Options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
	unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL

// Regs are the general registers of a stopped amd64 tracee.
type Regs = unix.PtraceRegs

// Seize attaches to tid without stopping it.
func Seize(tid int) error {
	return req("seize", unix.PTRACE_SEIZE, tid, 0, Options)
}

// Interrupt makes a seized tracee stop with PTRACE_EVENT_STOP.
func Interrupt(tid int) error { return req("interrupt", unix.PTRACE_INTERRUPT, tid, 0, 0) }

// Cont resumes tid, delivering sig (0: none).
func Cont(tid int, sig unix.Signal) error { return req("cont", unix.PTRACE_CONT, tid, 0, uintptr(sig)) }

// Syscall resumes tid until the next syscall entry or exit.
func Syscall(tid int, sig unix.Signal) error {
	return req("syscall", unix.PTRACE_SYSCALL, tid, 0, uintptr(sig))
}

// SkipCall makes the kernel leave out the call at whose seccomp stop tid stands;
// result is what the call returns (seccomp(2), SECCOMP_RET_TRACE). Two registers
// are a third of the work of getting and setting all.
func SkipCall(tid int, result uint64) error {
	const rax, origRAX = 10 * 8, 15 * 8 // offsets in struct user_regs_struct (sys/user.h)
	if err := req("skip call", unix.PTRACE_POKEUSR, tid, origRAX, ^uintptr(0)); err != nil {
		return err
	}
	return req("skip call", unix.PTRACE_POKEUSR, tid, rax, uintptr(result))
}

// Listen leaves a group-stopped tracee stopped, but lets SIGCONT reach it.
func Listen(tid int) error { return req("listen", unix.PTRACE_LISTEN, tid, 0, 0) }

// Step executes one instruction.
func Step(tid int, sig unix.Signal) error {
	return req("singlestep", unix.PTRACE_SINGLESTEP, tid, 0, uintptr(sig))
}

func req(op string, request, tid int, addr, data uintptr) error {
	if e := raw(request, tid, addr, data); e != 0 {
		return fmt.Errorf("ptrace %s %d: %w", op, tid, e)
	}
	return nil
}

// Status is a wait status, with the ptrace parts split out.
type Status struct {
	unix.WaitStatus
}

// Event is the PTRACE_EVENT_* number of a stop, or 0.
func (s Status) Event() int { return int(s.WaitStatus) >> 16 }

// SyscallStop reports a syscall entry or exit stop (TRACESYSGOOD).
func (s Status) SyscallStop() bool {
	return s.Stopped() && s.Event() == 0 && s.StopSignal() == unix.SIGTRAP|0x80
}

// GroupStop reports a job-control stop of a seized tracee: an EVENT_STOP with
// a stopping signal; with SIGTRAP it is an interrupt or a new child.
func (s Status) GroupStop() bool {
	if !s.Stopped() || s.Event() != unix.PTRACE_EVENT_STOP {
		return false
	}
	switch s.StopSignal() {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

// Dead reports that the thread is gone.
func (s Status) Dead() bool { return s.Exited() || s.Signaled() }

// Wait waits for a change of tid (-1: any tracee or child), restarting on EINTR.
//
// The call is raw: the Go scheduler believes that the thread still runs. It
// need not hand its processor over and take it back for every stop, which costs
// as much as the stop. The price: nothing that stops the world (garbage
// collection) may start elsewhere meanwhile; see Quiet.
func Wait(tid int, flags int) (int, Status, error) {
	for {
		var ws uint32
		p, e := wait4(tid, &ws, unix.WALL|flags)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return 0, Status{}, fmt.Errorf("wait4 %d: %w", tid, e)
		}
		return p, Status{unix.WaitStatus(ws)}, nil
	}
}
