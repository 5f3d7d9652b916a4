package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// Of a task that stands at a call, regs holds only what describes the call:
// number, arguments, result, instruction and stack pointer. One request reads
// them; the other registers are fetched where they have to be written back.

// loadCall reads the call at whose seccomp stop t stands.
func (t *Task) loadCall() error {
	var c ptrace.CallInfo
	if err := ptrace.GetCallInfo(t.tid, &c); err != nil {
		return err
	}
	if c.Op != ptrace.InfoSeccomp {
		return fmt.Errorf("thread %d: not at a seccomp stop (%d)", t.vtid, c.Op)
	}
	r := &t.regs
	r.Orig_rax, r.Rip, r.Rsp = c.Nr, c.IP, c.SP
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = c.Args[0], c.Args[1], c.Args[2], c.Args[3], c.Args[4], c.Args[5]
	r.Rax = enosys // as the kernel presets it
	t.data = c.Data
	return nil
}

const enosys = ^uint64(unix.ENOSYS) + 1

// loadResult reads the result of the call at whose exit t stands; the
// arguments in regs are still those of the entry.
func (t *Task) loadResult() error {
	var c ptrace.CallInfo
	if err := ptrace.GetCallInfo(t.tid, &c); err != nil {
		return err
	}
	if c.Op == ptrace.InfoEntry {
		return errAtEntry
	}
	if c.Op != ptrace.InfoExit {
		return fmt.Errorf("thread %d: not at the exit of a call (%d)", t.vtid, c.Op)
	}
	t.regs.Rip, t.regs.Rsp, t.regs.Rax = c.IP, c.SP, c.Nr
	return nil
}

// errAtEntry says that a stop is the entry of a call, not its exit: it comes
// first where a call is made again, or another one in its place.
var errAtEntry = errors.New("at the entry of a call")

// rewrite makes the call's registers in regs those of the thread.
func (t *Task) rewrite() {
	var r ptrace.Regs
	if ptrace.GetRegs(t.tid, &r) != nil {
		return // killed meanwhile: the next wait says so
	}
	c := &t.regs
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = c.Rdi, c.Rsi, c.Rdx, c.R10, c.R8, c.R9
	r.Rax, r.Orig_rax, r.Rip = c.Rax, c.Orig_rax, c.Rip
	_ = ptrace.SetRegs(t.tid, &r)
}

// skip makes the kernel leave out the call at whose entry t stands; its result
// is what regs has (seccomp(2), SECCOMP_RET_TRACE).
func (t *Task) skip() error { return ptrace.SkipCall(t.tid, t.regs.Rax) }
