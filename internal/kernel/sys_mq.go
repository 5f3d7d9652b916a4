package kernel

import (
	"golang.org/x/sys/unix"
)

const mqPrioMax = 32768

// mq_timedreceive(2).
func sysMqTimedreceive(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.class != fdMqueue {
		return pass // EBADF
	}
	if ino := f.ino; f.ready(unix.POLLIN) || f.nonblock() {
		if k.mqSender(ino) == nil {
			return pass
		}
		t.onExit = func(t *Task) {
			if t.result() >= 0 {
				k.mqTaken(ino)
			}
		}
		return toExit
	}
	return k.mqTry(t, &f, func() *mqWaiter { return &mqWaiter{k: k, task: t, ino: f.ino} })
}

// mq_timedsend(2).
func sysMqTimedsend(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.class != fdMqueue {
		return pass // EBADF
	}
	size, prio := t.arg(2), uint32(t.arg(3))
	if w := k.mqReceiver(f.ino); w != nil && k.mqSendable(t, &f, size, prio) {
		msg := make([]byte, size)
		if size > 0 && !t.read(t.arg(1), msg) {
			return t.fail(unix.EFAULT)
		}
		w.msg, w.prio = msg, prio
		k.mqServed(w)
		return t.done(0)
	}
	if f.ready(unix.POLLOUT) || f.nonblock() {
		if !k.mqNotified {
			return pass
		}
		t.onExit = func(*Task) { k.wakeAllSignalled() }
		return toExit
	}
	return k.mqTry(t, &f, func() *mqWaiter {
		w := &mqWaiter{k: k, task: t, ino: f.ino, send: true, msg: make([]byte, size), prio: prio}
		t.read(t.arg(1), w.msg) // the kernel could
		return w
	})
}

// mqSendable reports whether the kernel would take a message; if not, it has
// the errno (do_mq_timedsend).
func (k *Kernel) mqSendable(t *Task, f *file, size uint64, prio uint32) bool {
	if ts := t.arg(4); ts != 0 {
		if _, valid, ok := t.timespec(ts); !valid || !ok {
			return false
		}
	}
	fl, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	if err != nil || fl&unix.O_ACCMODE == unix.O_RDONLY {
		return false
	}
	a, err := mqGetattr(f.fd)
	return err == nil && prio < mqPrioMax && size <= uint64(a.msgSize)
}

// mqTry lets the kernel check the arguments of a call that would sleep: made
// without blocking it ends with EAGAIN if nothing else is wrong.
func (k *Kernel) mqTry(t *Task, f *file, waiter func() *mqWaiter) verdict {
	fl, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
	}
	if err != nil {
		return t.fail(unix.EBADF)
	}
	entry, ours := t.regs, f.fd
	f.fd = -1
	t.onExit = func(t *Task) {
		unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl)
		if t.result() != -int64(unix.EAGAIN) {
			unix.Close(ours)
			return
		}
		w := waiter()
		w.fd = ours
		k.mqWait(t, w, entry)
	}
	return toExit
}

// mq_notify(2) is the kernel's. It sends the signal to a process that may be
// parked when a message comes into an empty queue.
func sysMqNotify(k *Kernel, t *Task) verdict {
	k.mqNotified = true
	return pass
}
