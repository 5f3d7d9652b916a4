package kernel

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
)

// Opening a FIFO, fifo(7): mknod(2) and the file system server tell that there is
// one, and from then on every open is made without blocking.

// watchOpens makes opens careful, and seen, from now on.
func (k *Kernel) watchOpens() {
	k.fifos = true
	if k.fast != nil {
		k.fast.NoOpen()
	}
}

// mknod(2), mknodat(2): notes that FIFOs exist from now on.
func sysMknod(k *Kernel, t *Task) verdict {
	mode := t.arg(1)
	if t.callNr == unix.SYS_MKNODAT {
		mode = t.arg(2)
	}
	if mode&unix.S_IFMT == unix.S_IFIFO {
		k.watchOpens()
	}
	return pass
}

// meetFifo is called while t, the running thread, looks up the first FIFO of an
// image in the middle of a call. An open of it must not sleep, so t is interrupted,
// which no other call that looks up names can tell.
func (k *Kernel) meetFifo(t *Task) {
	t.fifoMet = ptrace.Interrupt(t.tid) == nil
	k.watchOpens()
	k.cfg.FIFOs.FifoKnown()
}

// fifoStop is the stop by which meetFifo interrupted t. An open comes back
// and is made again, with a seccomp stop.
func (k *Kernel) fifoStop(t *Task) error {
	t.fifoMet = false
	var r ptrace.Regs
	if err := ptrace.GetRegs(t.tid, &r); err != nil {
		return ignoreGone(err)
	}
	nr := int64(r.Orig_rax)
	if !opensFifo(nr, int64(r.Rax)) {
		return nil
	}
	t.retrying = true
	if k.fast == nil || !fastpath.InCode(r.Rip) {
		return nil // by the kernel
	}
	// By the region's code, which sees the result. It has counted the call.
	t.callNr, t.called, t.logged, t.partial, t.callStart = int(nr), true, false, 0, k.Now()
	r.Orig_rax = ^uint64(0)
	return ignoreGone(ptrace.SetRegs(t.tid, &r))
}

// opensFifo reports whether call nr was the open of a FIFO that was interrupted.
func opensFifo(nr, result int64) bool {
	switch nr {
	case unix.SYS_OPEN, unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_CREAT:
		return result == -erestartsys
	}
	return false
}

// openFifo makes an open that may be a FIFO's. Only where it is opened for reading or
// for writing alone, and may sleep, there is something to wait for.
func (k *Kernel) openFifo(t *Task, flags uint64) verdict {
	mode := flags & unix.O_ACCMODE
	if flags&unix.O_NONBLOCK == 0 && mode != unix.O_RDWR {
		return k.awaitFifo(t, flags)
	}
	if mode == unix.O_RDONLY {
		return pass // writers that wait look for a reader by themselves
	}
	t.onExit = func(t *Task) {
		if t.result() < 0 {
			return
		}
		f := k.file(t, int(t.result()))
		defer f.close()
		if f.class != fdBad && f.mode&unix.S_IFMT == unix.S_IFIFO {
			k.fifoWriterCame(f.dev, f.ino)
		}
	}
	return toExit
}

// awaitFifo opens without blocking and, if a FIFO came out, waits for its
// peer as fifo(7) says. A reader counts as present from then on; a writer
// without readers gets ENXIO from the nonblocking open and tries again.
func (k *Kernel) awaitFifo(t *Task, flags uint64) verdict {
	if t.sigWake {
		t.sigWake = false
		return k.interrupted(t, true)
	}
	entry := t.regs
	undo, ok := t.openNonblock(flags)
	if !ok {
		return pass
	}
	t.onExit = func(t *Task) {
		undo()
		r := t.result()
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
		if r == -int64(unix.ENXIO) {
			// No reader yet, or a socket, or a device without a driver.
			if t.fifoAt == t.callStart+1 {
				t.awaitReader(entry)
			} else {
				k.askFifo(t, entry)
			}
			return
		}
		if r < 0 {
			return
		}
		f := k.file(t, int(r))
		defer f.close()
		if f.class == fdBad {
			return
		}
		if fl, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0); err == nil {
			unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl&^unix.O_NONBLOCK)
		}
		if f.mode&unix.S_IFMT != unix.S_IFIFO || flags&unix.O_ACCMODE != unix.O_RDONLY {
			if f.mode&unix.S_IFMT == unix.S_IFIFO {
				k.fifoWriterCame(f.dev, f.ino)
			}
			return
		}
		if k.fifoHasWriter(t, f.dev, f.ino) {
			return
		}
		t.wait = waitFor{what: "a writer of a FIFO", fifo: streamID{f.dev, f.ino}}
		t.onTurn = func(t *Task) verdict { // stopped at the exit of a finished open
			if t.sigWake {
				t.sigWake = false
				return k.closeInterrupted(t, entry, r)
			}
			return ended
		}
	}
	return toExit
}

// awaitReader parks t, whose open of a FIFO for writing found no reader.
func (t *Task) awaitReader(entry ptrace.Regs) {
	t.wait = waitFor{what: "a reader of a FIFO", lock: true}
	t.onTurn = func(t *Task) verdict { return t.again(entry) }
}

// askFifo lets t, at the exit of an open that gave ENXIO, look whether that was a
// FIFO: the thread makes a stat in its place, into spare memory.
func (k *Kernel) askFifo(t *Task, entry ptrace.Regs) {
	mask, err := ptrace.SigMask(t.tid)
	buf := t.spare()
	if err != nil {
		t.awaitReader(entry)
		return
	}
	_ = ptrace.SetSigMask(t.tid, ^uint64(0)) // no handler sees the other call
	ask := entry
	switch t.callNr {
	case unix.SYS_OPEN, unix.SYS_CREAT:
		ask.Orig_rax, ask.Rsi = unix.SYS_STAT, buf
	default:
		ask.Orig_rax, ask.Rdx, ask.R10 = unix.SYS_NEWFSTATAT, buf, 0
	}
	t.repeat(ask)
	t.asking = func(t *Task) {
		_ = ptrace.SetSigMask(t.tid, mask)
		const stMode = 24
		mode, ok := t.readU32(buf + stMode)
		if ok && t.result() == 0 && mode&unix.S_IFMT != unix.S_IFIFO {
			t.endWith(entry, -int64(unix.ENXIO))
			return
		}
		t.fifoAt = t.callStart + 1
		t.awaitReader(entry)
	}
}

// closeInterrupted ends the open of a FIFO that a signal interrupts: the
// thread, at the exit of the finished open, closes the descriptor in its
// place, and the open ends with EINTR or is made again (signal(7)).
func (k *Kernel) closeInterrupted(t *Task, entry ptrace.Regs, fd int64) verdict {
	at := t.regs
	mask, err := ptrace.SigMask(t.tid)
	if err != nil {
		return ended
	}
	_ = ptrace.SetSigMask(t.tid, ^uint64(0)) // the close comes before the signal
	t.regs.Rip -= 2
	t.regs.Rax, t.regs.Orig_rax, t.regs.Rdi = unix.SYS_CLOSE, ^uint64(0), uint64(fd)
	t.rewrite()
	t.onExit = func(t *Task) {
		_ = ptrace.SetSigMask(t.tid, mask)
		t.regs = at
		t.endWith(entry, -erestartsys)
	}
	return toExit
}

// fifoWriterCame lets the readers go on that sleep in open.
func (k *Kernel) fifoWriterCame(dev, ino uint64) {
	for _, o := range k.order {
		if o.wait.fifo == (streamID{dev, ino}) && o.wait.what != "" {
			k.sched.Wake(o.th)
		}
	}
}

// fifoHasWriter looks for a descriptor that has the FIFO open for writing.
func (k *Kernel) fifoHasWriter(t *Task, dev, ino uint64) bool {
	seen := map[*Process]bool{}
	for _, o := range k.order {
		if seen[o.proc] {
			continue
		}
		seen[o.proc] = true
		for _, n := range openFDs(o.proc.pid) {
			f := k.file(o, n)
			if f.class == fdBad {
				continue
			}
			hit := f.dev == dev && f.ino == ino
			if hit {
				fl, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
				hit = err == nil && fl&unix.O_ACCMODE != unix.O_RDONLY
			}
			f.close()
			if hit {
				return true
			}
		}
	}
	return false
}

// openNonblock gives the open at whose entry t stands O_NONBLOCK; undo takes back
// what that changed in the guest's memory. False: the call fails as it is.
func (t *Task) openNonblock(flags uint64) (undo func(), ok bool) {
	flags |= unix.O_NONBLOCK
	undo = func() {}
	switch t.callNr {
	case unix.SYS_OPEN:
		t.setArg(1, flags)
	case unix.SYS_CREAT:
		t.regs.Orig_rax = unix.SYS_OPEN
		t.setArg(2, t.arg(1))
		t.setArg(1, flags)
	case unix.SYS_OPENAT:
		t.setArg(2, flags)
	default:
		if how := t.arg(2); t.writeU64(how, flags) {
			return func() { t.writeU64(how, flags&^unix.O_NONBLOCK) }, true
		}
		if !t.lendHow(flags) {
			return nil, false
		}
	}
	t.rewrite()
	return undo, true
}

// lendHow makes openat2(2), at whose entry t stands, take its struct open_how, with
// other flags, from memory below the red zone: that of a constant cannot be written.
// False: the kernel refuses the struct.
func (t *Task) lendHow(flags uint64) bool {
	const known, most = 24, 4096 // the rest must be zero (copy_struct_from_user)
	size := t.arg(3)
	if size < known || size > most {
		return false
	}
	how := make([]byte, size)
	if !t.read(t.arg(2), how) || slices.Max(append(how[known:], 0)) != 0 {
		return false
	}
	le := binary.LittleEndian
	at, ok := t.lend(flags, le.Uint64(how[8:]), le.Uint64(how[16:])) // mode, resolve
	if ok {
		t.setArg(2, at)
		t.setArg(3, known)
	}
	return ok
}
