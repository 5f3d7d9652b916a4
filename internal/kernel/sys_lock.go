package kernel

import (
	"golang.org/x/sys/unix"
)

// flock(2) is tried without blocking and repeated when somebody else has run.
func sysFlock(k *Kernel, t *Task) verdict {
	if t.intArg(1)&unix.LOCK_NB != 0 || t.intArg(1)&unix.LOCK_UN != 0 {
		return pass
	}
	return k.tryLock(t, func() { t.setArg(1, t.arg(1)|unix.LOCK_NB) }, unix.EWOULDBLOCK, "a file lock (flock)")
}

// fcntl(2): only the commands that can block, tell of other processes or
// would let signals in arrive here (see the filter).
func sysFcntl(k *Kernel, t *Task) verdict {
	const ofdGetlk, ofdSetlk, ofdSetlkw = 36, 37, 38
	switch cmd := t.intArg(1); cmd {
	case unix.F_SETLKW:
		return k.tryLock(t, func() { t.setArg(1, unix.F_SETLK) }, unix.EAGAIN, "a file lock (fcntl)")
	case ofdSetlkw:
		return k.tryLock(t, func() { t.setArg(1, ofdSetlk) }, unix.EAGAIN, "a file lock (fcntl)")
	case unix.F_SETFL:
		if t.arg(2)&unix.O_ASYNC != 0 {
			k.async = true
		}
	case unix.F_NOTIFY, unix.F_SETSIG, unix.F_SETLEASE:
		k.refuse(t, "fcntl of signals and leases", unix.EINVAL)
		return t.fail(unix.EINVAL)
	}
	return pass
}

// tryLock makes the nonblocking form of a locking call; change turns the
// registers into it. A refusal with busy parks the task.
func (k *Kernel) tryLock(t *Task, change func(), busy unix.Errno, what string) verdict {
	if t.sigWake { // blocking form with a signal pending: EINTR, or a free lock
		t.sigWake = false
		return pass
	}
	entry := t.regs
	change()
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		if r == -int64(busy) || r == -int64(unix.EACCES) && busy == unix.EAGAIN {
			t.wait = waitFor{what: what, lock: true}
			if entry.Orig_rax == unix.SYS_FCNTL && uint32(entry.Rsi) == unix.F_SETLKW {
				if w, ok := t.lockArg(entry.Rdx); ok {
					w.fd = int(int32(entry.Rdi))
					if k.deadlocked(t, &w) {
						t.wait = waitFor{}
						t.regs = withResult(t.regs, &entry, -int64(unix.EDEADLK))
						t.rewrite()
						return
					}
					t.wait.fileLock = &w
				}
			}
			t.onTurn = func(t *Task) verdict {
				return t.again(entry)
			}
			return
		}
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
	}
	return toExit
}
