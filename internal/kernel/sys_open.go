package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// open(2), openat(2), openat2(2), creat(2) are the kernel's, but opening a
// FIFO sleeps until its other end is opened. FIFOs appear only through
// mknod(2) (which we see) or are in the image; while none exists there is
// nothing to do.
func sysOpen(k *Kernel, t *Task) verdict {
	i, flags := 1, t.arg(2)
	switch t.callNr {
	case unix.SYS_OPEN, unix.SYS_CREAT:
		i, flags = 0, t.arg(1)
	case unix.SYS_OPENAT2:
		flags, _ = t.readU64(t.arg(2))
	}
	if k.logging() {
		if p, e := t.str(t.arg(i)); e == 0 {
			k.logArg(t, quote(p)+", "+hex(flags))
		}
	}
	if !k.fifos || k.cfg.Open.Threads || t.callNr == unix.SYS_CREAT || t.callNr == unix.SYS_OPENAT2 ||
		flags&(unix.O_NONBLOCK|unix.O_PATH|unix.O_DIRECTORY) != 0 || flags&unix.O_ACCMODE == unix.O_RDWR {
		return pass
	}
	return k.openFifo(t, flags)
}

// openFifo opens without blocking and, if a FIFO came out, waits for its
// peer as fifo(7) says. A reader counts as present from then on; a writer
// without readers gets ENXIO from the nonblocking open and tries again.
func (k *Kernel) openFifo(t *Task, flags uint64) verdict {
	if t.sigWake {
		t.sigWake = false
		return k.interrupted(t, true)
	}
	entry := t.regs
	fi := 2
	if t.callNr == unix.SYS_OPEN {
		fi = 1
	}
	t.setArg(fi, flags|unix.O_NONBLOCK)
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
		if r == -int64(unix.ENXIO) {
			// No reader yet (or a socket, or a device without driver: those
			// give ENXIO again without O_NONBLOCK and cannot block).
			t.wait = waitFor{what: "a reader of a FIFO", lock: true}
			t.onTurn = func(t *Task) verdict {
				return t.again(entry)
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

// mknod(2), mknodat(2): notes that FIFOs exist from now on.
func sysMknod(k *Kernel, t *Task) verdict {
	mode := t.arg(1)
	if t.callNr == unix.SYS_MKNODAT {
		mode = t.arg(2)
	}
	if mode&unix.S_IFMT == unix.S_IFIFO {
		k.fifos = true
		if k.fast != nil {
			k.fast.NoOpen()
		}
	}
	return pass
}

// getdents64(2), getdents(2): directories of our file system are sorted by
// the server; in procfs, names that only some kernels have are left out.
func sysGetdents(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	switch f.class {
	case fdBad, fdTree, fdTTY, fdMqueue:
		return pass
	case fdProc:
		dir, _ := f.procPath()
		buf := t.arg(1)
		t.onExit = func(t *Task) { k.filterDirents(t, dir, buf) }
		return toExit
	}
	k.refuse(t, "listing of "+f.describe(), unix.EACCES)
	return t.fail(unix.EACCES)
}

// filterDirents takes entries out of what getdents64 wrote for a procfs
// directory, and gives the rest inode numbers of ours.
func (k *Kernel) filterDirents(t *Task, dir string, buf uint64) {
	n := t.result()
	if n <= 0 || n > 1<<20 || t.callNr != unix.SYS_GETDENTS64 {
		return
	}
	b := make([]byte, n)
	if !t.read(buf, b) {
		return
	}
	out := b[:0]
	for len(b) >= 19 {
		l := int(b[16]) | int(b[17])<<8
		if l < 19 || l > len(b) {
			return
		}
		e := b[:l]
		b = b[l:]
		name := e[19:]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		if k.norm.Dirent(dir, string(name)) || string(name) == "." || string(name) == ".." {
			putU64(e, k.procIno(getU64(e)))
			out = append(out, e...)
		}
	}
	if len(out) == 0 {
		// All of this batch was hidden: an empty answer would mean the end.
		t.repeatNow()
		return
	}
	if t.write(buf, out) {
		t.regs.Rax = uint64(len(out))
		t.rewrite()
	}
}

// repeatNow makes the call at whose exit t stands once more.
func (t *Task) repeatNow() {
	r := t.regs
	r.Orig_rax = uint64(t.callNr)
	t.repeat(r)
}
