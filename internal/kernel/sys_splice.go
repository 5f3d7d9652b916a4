package kernel

import "golang.org/x/sys/unix"

// Calls that move data between descriptors inside the kernel. Data that we
// would have to look at may not go that way: with anything but files of our
// tree, memory files and pipes the answer is EINVAL, as for a file system
// without the operation, and callers read and write instead.

// copy_file_range(2): two files.
func sysCopyFileRange(k *Kernel, t *Task) verdict {
	for _, n := range []int{0, 2} {
		if c := k.classOf(t, n); c == fdBad {
			return t.fail(unix.EBADF)
		} else if c != fdTree && c != fdMem {
			return t.fail(unix.EINVAL)
		}
	}
	return pass
}

// vmsplice(2) maps memory that its owner goes on changing into a pipe.
func sysVmsplice(_ *Kernel, t *Task) verdict { return t.fail(unix.EINVAL) }

// sendfile(2) from a file to a file, into a pipe or a stream socket.
func sysSendfile(k *Kernel, t *Task) verdict {
	out, in := k.classOf(t, 0), k.classOf(t, 1)
	switch {
	case out == fdBad || in == fdBad:
		return t.fail(unix.EBADF)
	case in != fdTree && in != fdMem:
		return t.fail(unix.EINVAL)
	case out == fdTree || out == fdMem:
		return pass
	case out == fdSocket:
		return k.sendfileSocket(t)
	case out != fdFifo:
		return t.fail(unix.EINVAL)
	}
	if off := t.arg(2); off != 0 {
		if v, ok := t.readU64(off); !ok || int64(v) < 0 {
			return pass // EFAULT, EINVAL
		}
	}
	// No flag says "do not block": the description is nonblocking meanwhile.
	return k.splice(t, sysSendfile, []spliceEnd{{0, unix.POLLOUT}}, func() func() {
		f := k.file(t, t.intArg(0))
		fl, _ := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
		unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
		return func() {
			unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl)
			f.close()
		}
	})
}

// splice(2), tee(2): a pipe on at least one side.
func sysSplice(k *Kernel, t *Task) verdict {
	ends := []spliceEnd{{0, unix.POLLIN}, {2, unix.POLLOUT}}
	flags := 5
	if t.callNr == unix.SYS_TEE {
		ends[1].arg, flags = 1, 3
	}
	if t.arg(flags-1) == 0 || uint32(t.arg(flags))&^spliceFlags != 0 {
		return pass // the kernel looks at nothing else
	}
	var pipes []spliceEnd
	for _, e := range ends {
		switch k.classOf(t, e.arg) {
		case fdBad:
			return t.fail(unix.EBADF)
		case fdFifo:
			pipes = append(pipes, e)
		case fdTree, fdMem:
		default:
			return t.fail(unix.EINVAL)
		}
	}
	if t.arg(flags)&unix.SPLICE_F_NONBLOCK != 0 || t.splicesAtOnce(pipes) || k.samePipe(t, pipes) {
		return pass
	}
	return k.splice(t, sysSplice, pipes, func() func() {
		t.setArg(flags, t.arg(flags)|unix.SPLICE_F_NONBLOCK)
		return func() {}
	})
}

const spliceFlags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK | unix.SPLICE_F_MORE | unix.SPLICE_F_GIFT

// splicesAtOnce reports whether the kernel ends t's splice(2) or tee(2) before it would
// wait: a pipe has no offset, and tee takes pipes only.
func (t *Task) splicesAtOnce(pipes []spliceEnd) bool {
	if t.callNr == unix.SYS_TEE {
		return len(pipes) < 2
	}
	for _, e := range pipes {
		if t.arg(e.arg+1) != 0 {
			return true // ESPIPE
		}
	}
	return false
}

// samePipe reports whether both ends are of one pipe, which is EINVAL.
func (k *Kernel) samePipe(t *Task, pipes []spliceEnd) bool {
	if len(pipes) < 2 {
		return false
	}
	a, b := k.file(t, t.intArg(pipes[0].arg)), k.file(t, t.intArg(pipes[1].arg))
	defer a.close()
	defer b.close()
	return a.dev == b.dev && a.ino == b.ino
}

// spliceEnd is an argument that names a pipe, and what it must be ready for.
type spliceEnd struct {
	arg    int
	events int16
}

// splice makes the call without blocking once all pipes are ready; quietly
// arranges that and returns what undoes it.
func (k *Kernel) splice(t *Task, self handler, pipes []spliceEnd, quietly func() func()) verdict {
	if k.cfg.Open.Threads {
		return pass
	}
	if t.sigWake { // the kernel finds the signal before it would sleep
		t.sigWake = false
		return pass
	}
	for _, e := range pipes {
		f := k.file(t, t.intArg(e.arg))
		if f.class != fdFifo || f.nonblock() || f.ready(e.events) {
			f.close()
			continue
		}
		t.wait = waitFor{what: "a pipe", fds: []waitFD{{fd: f.fd, events: uint32(uint16(e.events))}}}
		t.onTurn = func(t *Task) verdict { return self(k, t) }
		return park
	}
	entry := t.regs
	undo := quietly()
	t.rewrite()
	t.onExit = func(t *Task) {
		undo()
		t.regs = withResult(t.regs, &entry, t.result())
		t.rewrite()
	}
	return toExit
}

// classOf is the class of the descriptor that argument i names.
func (k *Kernel) classOf(t *Task, i int) fdClass {
	f := k.file(t, t.intArg(i))
	f.close()
	return f.class
}
