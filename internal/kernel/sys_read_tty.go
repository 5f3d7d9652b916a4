package kernel

import "golang.org/x/sys/unix"

// readTTY implements reads of a terminal. Each write to the other side passes
// the kernel's work queue on its own, so a read finds as much of several writes
// as the queue has got to. It waits for the queue when nothing is left, though
// (n_tty_read calls tty_buffer_flush_work), so a read that takes bytes as they
// come is continued until nothing is left or its buffer is full.
//
// Without lines, VMIN and VTIME say for how long it waits (termios(3)): the
// kernel's timer would be the host's.
func (k *Kernel) readTTY(t *Task, f *file) verdict {
	if least, tenths, ok := f.limits(); ok && !k.cfg.Open.Threads && !f.nonblock() {
		switch {
		case least == 0 && tenths == 0:
			k.asked()
			f.close()
			return t.atEnd(k.ttyCall(t), k.readTTYRest)
		case least == 0 && !t.restart.set:
			t.restart = restart{nr: t.callNr, deadline: satAdd(k.Now(), int64(tenths)*1e8), set: true}
		case least > 0 && tenths > 0 && f.ready(unix.POLLIN):
			return k.readTyped(t, f)
		}
	}
	return t.atEnd(k.untilReady(t, f, unix.POLLIN, "read from a terminal"), k.readTTYRest)
}

// limits are VMIN and VTIME of a slave without lines; the latter in tenths of a
// second.
func (f *file) limits() (least, tenths uint8, ok bool) {
	if f.isMaster() {
		return 0, 0, false
	}
	mode, err := unix.IoctlGetTermios(f.fd, unix.TCGETS)
	if err != nil || mode.Lflag&unix.ICANON != 0 {
		return 0, 0, false
	}
	return mode.Cc[unix.VMIN], mode.Cc[unix.VTIME], true
}

// readTyped reads what is there: who types has made a pause of VTIME, as all
// threads wait before more comes. It consumes f.
func (k *Kernel) readTyped(t *Task, f *file) verdict {
	ours, fl := f.fd, f.status()
	f.fd = -1
	_, _ = unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl|unix.O_NONBLOCK) // a terminal takes it
	t.onExit = func(*Task) {
		_, _ = unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl)
		unix.Close(ours)
		if err := k.recheckAll(); err != nil {
			k.Stop(err)
		}
	}
	return toExit
}

// readTTYRest continues the read at whose end t is.
func (k *Kernel) readTTYRest(t *Task) {
	got := t.result()
	n, e := t.length()
	if e != 0 || got <= 0 || got >= int64(n) {
		return
	}
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.class != fdTTY || !f.bytewise() {
		return
	}
	bufs, e := t.buffers()
	if e != 0 {
		return
	}
	for i := range bufs { // what the kernel filled
		filled := min(uint64(got), bufs[i].len)
		bufs[i] = iov{bufs[i].base + filled, bufs[i].len - filled}
		got -= int64(filled)
	}
	more, ok := t.scatter(bufs, f.drain(n-int(t.result())))
	if ok && more > 0 {
		t.regs.Rax += uint64(more)
		t.rewrite()
	}
}

// bytewise reports whether reads of the terminal take all bytes there are: not
// lines, and not packets with a byte of control information (TIOCPKT).
func (f *file) bytewise() bool {
	if f.isMaster() {
		packets, err := unix.IoctlGetInt(f.fd, unix.TIOCGPKT)
		return err == nil && packets == 0
	}
	mode, err := unix.IoctlGetTermios(f.fd, unix.TCGETS)
	return err == nil && mode.Lflag&unix.ICANON == 0
}

// drain reads up to n bytes, as many as there are.
func (f *file) drain(n int) []byte {
	return nonblocking(f.fd, func() []byte {
		var all []byte
		for len(all) < n {
			piece := make([]byte, min(n-len(all), 4096)) // N_TTY_BUF_SIZE
			m, err := unix.Read(f.fd, piece)
			if err == unix.EINTR {
				continue
			}
			if err != nil || m <= 0 {
				break
			}
			all = append(all, piece[:m]...)
		}
		return all
	})
}
