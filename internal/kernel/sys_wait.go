package kernel

import (
	"golang.org/x/sys/unix"
)

// sysWait implements wait4(2) and waitid(2): the kernel is asked with WNOHANG,
// and when no child has news the task is parked until one has.
func sysWait(k *Kernel, t *Task) verdict {
	entry := t.regs
	opt, ru := 2, t.arg(3)
	if t.callNr == unix.SYS_WAITID {
		opt, ru = 3, t.arg(4)
	}
	if t.sigWake {
		t.sigWake = false
		k.fixRusageAtExit(t, ru)
		return toExit
	}
	nohang := t.arg(opt)&unix.WNOHANG != 0
	if !nohang {
		t.setArg(opt, t.arg(opt)|unix.WNOHANG)
	}
	info := entry.Rdx
	noInfo := t.callNr == unix.SYS_WAITID && info == 0
	if noInfo {
		// Only si_pid tells that no child had news: below the red zone there
		// is room for it.
		info = (entry.Rsp - 128 - 512) &^ 15
		t.setArg(2, info)
	}
	if !nohang || noInfo {
		t.rewrite()
	}
	t.onExit = func(t *Task) {
		r := t.result()
		none := r == 0
		if t.callNr == unix.SYS_WAITID && r == 0 {
			none = t.waitidEmpty(info)
		}
		if none && !nohang {
			t.wait = waitFor{what: "a child", children: true}
			t.onTurn = func(t *Task) verdict {
				return t.again(entry)
			}
			return
		}
		if !nohang || noInfo {
			t.regs = withResult(t.regs, &entry, r)
			t.rewrite()
		}
		if r >= 0 && !none && ru != 0 {
			t.putRusage(ru, 0)
		}
	}
	return toExit
}

func (k *Kernel) fixRusageAtExit(t *Task, ru uint64) {
	t.onExit = func(t *Task) {
		if t.result() >= 0 && ru != 0 {
			t.putRusage(ru, 0)
		}
	}
}

// waitidEmpty reports whether waitid found nothing: it then leaves si_pid 0.
func (t *Task) waitidEmpty(info uint64) bool {
	pid, ok := t.readU32(info + 16)
	return ok && pid == 0
}
