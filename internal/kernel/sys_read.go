package kernel

import (
	"math"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// maxRW is the most that one read or write call moves (MAX_RW_COUNT, fs.h).
const maxRW = math.MaxInt32 &^ 4095

// read implements read(2), readv(2), pread64(2), preadv(2), preadv2(2).
// Files of our tree are native. What can block is parked until data is there;
// what carries the host's values is answered by us.
func sysRead(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	switch f.class {
	case fdBad, fdTree, fdNull, fdMem, fdMqueue:
		f.close()
		return pass
	}
	if !f.readable() || f.stream() && (t.positional() || k.readsAtOnce(t, &f)) {
		f.close()
		return pass // EBADF, ESPIPE; there is nothing to wait for
	}
	switch f.class {
	case fdStdin:
		f.close()
		if k.cfg.Open.Threads {
			return pass // see stdio.pump
		}
		return k.readStdin(t)
	case fdRandom:
		f.close()
		return k.readInto(t, func(n int) ([]byte, unix.Errno) { return k.random(t, min(n, maxRandom), "read of a random device"), 0 })
	case fdProc:
		defer f.close()
		return k.readProc(t, &f)
	case fdAnon:
		if f.link() == "anon_inode:inotify" {
			return k.readInotify(t, &f)
		}
		_, signals := f.signalfdMask()
		v := k.untilReady(t, &f, unix.POLLIN, "read from "+f.describe())
		if signals && v == pass {
			v, t.onExit = toExit, func(t *Task) { k.fixSignalfd(t, int(t.result())) }
		}
		return v
	case fdSocket:
		return k.readSocket(t, &f)
	case fdTTY:
		return k.readTTY(t, &f)
	case fdFifo, fdEvent:
		return k.untilReady(t, &f, unix.POLLIN, "read from "+f.describe())
	}
	f.close()
	k.refuse(t, "read of "+f.describe(), unix.EACCES)
	return t.fail(unix.EACCES)
}

// write implements write(2), writev(2), pwrite64(2), pwritev(2), pwritev2(2).
func sysWrite(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	switch f.class {
	case fdBad, fdTree, fdNull, fdMem, fdMqueue:
		f.close()
		return pass
	}
	if !f.writable() || f.stream() && t.positional() {
		f.close()
		return pass // EBADF, ESPIPE
	}
	switch f.class {
	case fdStdout, fdStderr:
		f.close()
		return k.writeStdio(t, f.class)
	case fdRandom:
		f.close()
		n, e := t.length()
		if e == 0 {
			const block = 64 // what the kernel takes at once
			_, e = t.gather(min(n, block))
		}
		if e != 0 {
			return t.fail(e)
		}
		return t.done(int64(n)) // it would stir the host's pool
	case fdProc:
		defer f.close()
		return k.writeProc(t, &f)
	case fdSocket:
		if n, e := t.length(); e != 0 || n == 0 && t.callNr != unix.SYS_WRITE {
			f.close()
			return pass // before the socket is asked
		}
		return k.writeSocket(t, &f)
	case fdEvent:
		if len(k.timerfds) > 0 {
			if x, _ := k.timerfd(t, t.intArg(0)); x != nil {
				f.close()
				return t.fail(unix.EINVAL)
			}
		}
		return k.writeStream(t, &f)
	case fdFifo, fdTTY:
		return k.writeStream(t, &f)
	case fdAnon:
		f.close()
		return pass // EINVAL: none of them can be written to
	}
	f.close()
	k.refuse(t, "write to "+f.describe(), unix.EACCES)
	return t.fail(unix.EACCES)
}

// positional reports whether t's read or write names an offset, which streams
// have not.
func (t *Task) positional() bool {
	switch t.callNr {
	case unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_PREADV, unix.SYS_PWRITEV:
		return true
	case unix.SYS_PREADV2, unix.SYS_PWRITEV2:
		return t.arg(3) != math.MaxUint64 // -1: as readv(2)
	}
	return false
}

// readsAtOnce reports whether the kernel ends t's read of f, a file without an offset,
// before it would wait: of nothing, into what is no memory, or of a file that gives
// nothing.
func (k *Kernel) readsAtOnce(t *Task, f *file) bool {
	n, e := t.length()
	if e != 0 {
		return true // EFAULT, EINVAL
	}
	least := 1
	switch f.class {
	case fdSocket:
		if s := k.inetOf(f); s != nil && n > 0 {
			return false // see readSocket
		}
	case fdStdin, fdStdout, fdStderr:
		return n == 0
	case fdEvent:
		least = 8
	case fdAnon:
		switch what := f.link(); what {
		case "anon_inode:inotify":
			return n == 0 && t.callNr != unix.SYS_READ // read(2) of nothing waits for an event
		case "anon_inode:[signalfd]":
			least = signalfdSize
		default:
			return true
		}
	}
	return n < least || t.callNr == unix.SYS_PREADV2 && t.arg(5)&unix.RWF_NOWAIT != 0
}

// untilReady lets the kernel do the call once f is ready for events, and
// parks the task until then. It consumes f.
func (k *Kernel) untilReady(t *Task, f *file, events int16, what string) verdict {
	if k.cfg.Open.Threads {
		f.close()
		return pass
	}
	if t.sigWake { // the kernel finds the signal before it would sleep
		t.sigWake = false
		f.close()
		return pass
	}
	if f.nonblock() {
		if f.class == fdTTY {
			k.asked()
		}
		f.close()
		return pass
	}
	if events == unix.POLLIN && t.inBackground(f) {
		f.close()
		return k.ttyCall(t)
	}
	// A signalfd asks for the signals of whoever polls it: not ours.
	if mask, ok := f.signalfdMask(); ok {
		f.close()
		if s, ok := t.sigState(); !ok || s.pending&mask != 0 {
			return pass
		}
		t.wait = waitFor{what: what, sigfd: mask}
		t.onTurn = func(t *Task) verdict { return sysRead(k, t) }
		return park
	}
	if f.ready(events) {
		f.close()
		t.found = k.calls[t.callNr].h.again(k)
		return pass
	}
	if k.late(t) {
		tty := f.class == fdTTY
		f.close()
		if tty {
			return t.done(0) // VTIME is over
		}
		return t.fail(unix.EAGAIN)
	}
	if events == unix.POLLIN {
		k.limitWait(t, f, unix.SO_RCVTIMEO)
	} else {
		k.limitWait(t, f, unix.SO_SNDTIMEO)
	}
	t.wait = waitFor{what: what, tty: f.class == fdTTY, fds: []waitFD{{fd: f.fd, events: uint32(uint16(events))}}, outside: k.isOutside(f)}
	if f.class == fdFifo || f.class == fdEvent {
		t.wait.direct = events
	}
	n := t.intArg(0)
	t.onTurn = func(t *Task) verdict {
		g := k.file(t, n)
		if g.class == fdBad {
			return pass
		}
		return k.untilReady(t, &g, events, what)
	}
	return park
}

// mayGoOn reports that the call at which t waits can just be made: its one
// descriptor is ready, and is the same still, as nobody else has t's table.
func (k *Kernel) mayGoOn(t *Task) bool {
	w := &t.wait
	return w.direct != 0 && !t.sigWake && !t.restart.set && !t.stopping && len(t.proc.tasks) == 1 && !k.sharedFiles &&
		len(w.fds) == 1 && (t.ready == k.sched.Turns() && !w.outside || pollNow(w.fds[0].fd, w.direct))
}

// writeStream implements writes to pipes, sockets, terminals and eventfds.
// poll(2) is no oracle for them: a write larger than the free room blocks
// half-way although it says writable, and a small one may fit although it says
// full (into a pipe's last page, into the last quarter of a socket's buffer).
// So the write is made without blocking, and continued when there is room.
func (k *Kernel) writeStream(t *Task, f *file) verdict {
	if k.cfg.Open.Threads {
		f.close()
		return pass
	}
	if f.nonblock() && !k.onTerminal(f) {
		if f.class == fdTTY {
			return k.writeTTY(t, f)
		}
		f.close()
		return pass
	}
	n, e := t.length()
	if e != 0 || n == 0 {
		f.close()
		return pass // the kernel says EFAULT, EINVAL
	}
	if n <= 4096 && f.class == fdFifo && f.ready(unix.POLLOUT) {
		f.close()
		t.found = k.calls[t.callNr].h.again(k)
		return pass // a pipe that polls writable has a free page
	}
	if t.partial == 0 && f.takes(n) {
		f.close()
		return pass
	}
	k.limitWait(t, f, unix.SO_SNDTIMEO)
	return k.writePiece(t, f)
}

// writeTTY lets the kernel make a write to a terminal that does not wait.
func (k *Kernel) writeTTY(t *Task, f *file) verdict {
	ours := f.fd
	f.fd = -1
	t.onExit = func(t *Task) {
		if t.result() > 0 {
			if err := k.ttyWritten(ours); err != nil {
				k.Stop(err)
			}
		}
		unix.Close(ours)
	}
	return toExit
}

// writePiece lets the kernel write what fits. The file description, shared
// with our duplicate, is nonblocking for just this call: nobody else runs.
func (k *Kernel) writePiece(t *Task, f *file) verdict {
	entry := t.regs
	if t.partial > 0 && !t.skipWritten() {
		f.close()
		return t.done(t.partial)
	}
	if t.partial > 0 && f.class == fdSocket { // the end after a part is no error and no SIGPIPE
		t.regs.Orig_rax = unix.SYS_SENDTO
		t.regs.R10, t.regs.R8, t.regs.R9 = unix.MSG_NOSIGNAL, 0, 0
	}
	total, _ := lengthOf(t, &entry)
	if total > ttyPiece && k.onTerminal(f) {
		if t.partial == 0 {
			t.skipWritten() // a vector becomes its first part
		}
		t.regs.Rdx = min(t.regs.Rdx, ttyPiece)
	}
	waits := !f.nonblock()
	fl, _ := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, fl|unix.O_NONBLOCK)
	ours, class, what := f.fd, f.class, f.describe()
	f.fd = -1
	t.rewrite()
	t.onExit = func(t *Task) {
		unix.FcntlInt(uintptr(ours), unix.F_SETFL, fl)
		if class == fdTTY && t.result() > 0 {
			if err := k.ttyWritten(ours); err != nil {
				k.Stop(err)
			}
		}
		unix.Close(ours)
		r := t.result()
		switch {
		case r == -int64(unix.EAGAIN) && waits && !k.late(t):
		case r < 0:
			if t.partial > 0 {
				r = t.partial
			}
			t.endWith(entry, r)
			return
		default:
			t.partial += r
			if t.partial >= int64(total) || k.late(t) {
				t.endWith(entry, t.partial)
				return
			}
		}
		t.wait = waitFor{what: "room in " + what}
		if class == fdEvent || !waits { // polls writable even if this number does not fit; goes on at once
			t.wait.lock = true
			k.progress = k.progress || !waits
		} else if g := k.file(t, int(int32(entry.Rdi))); g.class != fdBad {
			t.wait.fds = []waitFD{{fd: g.fd, events: unix.EPOLLOUT}}
			t.wait.outside = k.isOutside(&g)
		}
		t.onTurn = func(t *Task) verdict {
			if t.sigWake && t.partial > 0 {
				t.sigWake = false
				t.endWith(entry, t.partial)
				return ended
			}
			return t.again(entry)
		}
	}
	return toExit
}

// withResult is the state after a finished call: the entry's registers, as
// the kernel preserves them, and the result.
func withResult(now ptrace.Regs, entry *ptrace.Regs, v int64) ptrace.Regs {
	now.Rdi, now.Rsi, now.Rdx, now.R10, now.R8, now.R9 = entry.Rdi, entry.Rsi, entry.Rdx, entry.R10, entry.R8, entry.R9
	now.Rax = uint64(v)
	return now
}

// skipWritten moves the buffer past what is written already. Vectors are
// rewritten into a write of the current element.
func (t *Task) skipWritten() bool {
	if t.callNr == unix.SYS_WRITE {
		t.regs.Rsi += uint64(t.partial)
		t.regs.Rdx -= uint64(t.partial)
		return true
	}
	v, e := t.iovecs(t.arg(1), t.intArg(2))
	if e != 0 {
		return false
	}
	skip := uint64(t.partial)
	for _, x := range v {
		if skip < x.len {
			t.regs.Orig_rax = unix.SYS_WRITE
			t.regs.Rsi, t.regs.Rdx = x.base+skip, x.len-skip
			return true
		}
		skip -= x.len
	}
	return false
}

// length is the number of bytes that a read or write call asks for.
func (t *Task) length() (int, unix.Errno) { return lengthOf(t, &t.regs) }

func lengthOf(t *Task, r *ptrace.Regs) (int, unix.Errno) {
	switch t.callNr {
	case unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_GETRANDOM:
		return int(min(r.Rdx, maxRW)), 0
	}
	v, e := t.iovecs(r.Rsi, int(int32(r.Rdx)))
	if e != 0 {
		return 0, e
	}
	n := uint64(0)
	for _, x := range v {
		n += x.len
	}
	return int(min(n, maxRW)), 0
}

// buffers are the memory areas of a read or write call.
func (t *Task) buffers() ([]iov, unix.Errno) {
	switch t.callNr {
	case unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_PWRITE64:
		return []iov{{t.arg(1), min(t.arg(2), maxRW)}}, 0
	}
	return t.iovecs(t.arg(1), t.intArg(2))
}

// readInto answers a read with what get gives for the asked length.
func (k *Kernel) readInto(t *Task, get func(n int) ([]byte, unix.Errno)) verdict {
	v, e := t.buffers()
	if e != 0 {
		return t.fail(e)
	}
	n, e := t.length()
	if e != 0 {
		return t.fail(e)
	}
	p, e := get(n)
	if e != 0 {
		return t.fail(e)
	}
	done, ok := t.scatter(v, p)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(done))
}

// gather reads the first n bytes of what a write call passes.
func (t *Task) gather(n int) ([]byte, unix.Errno) {
	v, e := t.buffers()
	if e != 0 {
		return nil, e
	}
	p := make([]byte, 0, n)
	for _, x := range v {
		b := make([]byte, min(x.len, uint64(n-len(p))))
		if len(b) > 0 && !t.read(x.base, b) {
			return nil, unix.EFAULT
		}
		p = append(p, b...)
	}
	return p, 0
}

// maxRandom bounds one read of /dev/urandom, as the kernel does (32 MiB - 1 page... it returns less on signals only).
const maxRandom = 32 << 20

func (f *file) describe() string {
	switch f.class {
	case fdFifo:
		return "a pipe"
	case fdStdin, fdStdout, fdStderr:
		return "a standard stream"
	case fdSocket:
		return "a socket"
	case fdProc:
		rel, _ := f.procPath()
		return "/proc/" + rel
	case fdRandom:
		return "/dev/urandom"
	case fdTTY:
		return "a terminal"
	case fdEvent:
		return "an eventfd"
	}
	if f.fd >= 0 {
		return f.link()
	}
	return "a file"
}
