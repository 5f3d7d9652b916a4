package kernel

import (
	"maps"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/seccomp"
	"dettrace/internal/syscalls"
)

// handler answers one call at its entry. Arguments are in t.regs.
type handler func(k *Kernel, t *Task) verdict

// again is h for a later turn.
func (h handler) again(k *Kernel) func(*Task) verdict {
	return func(t *Task) verdict { return h(k, t) }
}

type call struct {
	row *syscalls.Row
	h   handler
}

// buildCalls joins the policy table with the handlers. A row that stops but
// has no handler is refused: fail closed.
func (k *Kernel) buildCalls() {
	max := 0
	for i := range k.rows {
		max = k.rows[i].Nr
	}
	k.calls = make([]*call, max+1)
	hs := handlers()
	if k.cfg.Open.Threads {
		maps.Copy(hs, concurrentHandlers())
	}
	for i := range k.rows {
		r := &k.rows[i]
		c := &call{row: r, h: hs[r.Name]}
		if c.h == nil {
			switch r.Class {
			case syscalls.Native:
				c.h = func(*Kernel, *Task) verdict { return pass }
			default:
				c.h = refuseRow
			}
		}
		k.calls[r.Nr] = c
	}
}

// enter dispatches a call that the filter stopped.
func (k *Kernel) enter(t *Task) verdict {
	nr := int(int64(t.regs.Orig_rax))
	again := t.retrying
	t.retrying, t.found = false, nil
	if !again {
		t.partial, t.lent = 0, nil
		if nr != unix.SYS_RESTART_SYSCALL {
			t.restart = restart{}
		}
		k.progress = true
		t.callNr, t.called = nr, true
	}
	if f := t.asking; f != nil && again {
		t.asking, t.onExit = nil, f
		return toExit
	}
	if foreignABI(t) {
		k.event(t)
		k.refuse(t, "32-bit system call", unix.ENOSYS)
		return t.fail(unix.ENOSYS)
	}
	if v, ok := k.vsyscall(t); ok {
		return v
	}
	var c *call
	if nr >= 0 && nr < len(k.calls) {
		c = k.calls[nr]
	}
	if c == nil {
		k.event(t)
		k.refuse(t, "unknown system call "+itoa(nr), unix.ENOSYS)
		return t.fail(unix.ENOSYS)
	}
	k.stats.Stops[nr]++
	if !again {
		t.logged = c.row.Event && !k.onlyLook(t, c.row)
		if t.logged {
			k.event(t)
		}
		t.callStart = k.Now()
		k.logEnter(t, c.row)
	}
	return c.h(k, t)
}

// foreignABI reports a call through int 0x80 or with an x32 number. The filter
// knows the ABI for sure and says so in its data (package seccomp); the
// registers could be forged.
func foreignABI(t *Task) bool {
	return t.data == seccomp.DataForeign || t.data == seccomp.DataX32
}

func refuseRow(k *Kernel, t *Task) verdict {
	c := k.calls[int(t.regs.Orig_rax)]
	errno := c.row.Errno
	if errno == 0 {
		errno = unix.ENOSYS
	}
	k.refuse(t, c.row.Name, errno)
	return t.fail(errno)
}

// The six arguments and the result of a call.
func (t *Task) arg(i int) uint64 {
	switch i {
	case 0:
		return t.regs.Rdi
	case 1:
		return t.regs.Rsi
	case 2:
		return t.regs.Rdx
	case 3:
		return t.regs.R10
	case 4:
		return t.regs.R8
	}
	return t.regs.R9
}

func (t *Task) setArg(i int, v uint64) {
	switch i {
	case 0:
		t.regs.Rdi = v
	case 1:
		t.regs.Rsi = v
	case 2:
		t.regs.Rdx = v
	case 3:
		t.regs.R10 = v
	case 4:
		t.regs.R8 = v
	default:
		t.regs.R9 = v
	}
}

// intArg is an int argument: the kernel looks at the lower half only.
func (t *Task) intArg(i int) int { return int(int32(t.arg(i))) }

// done answers a call with v.
func (t *Task) done(v int64) verdict {
	t.regs.Rax = uint64(v)
	return answer
}

// fail answers a call with an error.
func (t *Task) fail(e unix.Errno) verdict { return t.done(-int64(e)) }

// repeat sets registers so that the call at whose exit t stands is made again.
func (t *Task) repeat(entry ptrace.Regs) {
	t.regs = entry
	t.regs.Rip -= 2 // back to the syscall instruction
	t.regs.Rax = entry.Orig_rax
	t.regs.Orig_rax = ^uint64(0)
	t.retrying = true
	t.rewrite()
}

// result is the raw return value at the exit of a call.
func (t *Task) result() int64 { return int64(t.regs.Rax) }
