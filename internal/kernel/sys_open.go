package kernel

import (
	"golang.org/x/sys/unix"
)

// open(2), openat(2), openat2(2), creat(2) are the kernel's, but opening a
// FIFO sleeps until its other end is opened. FIFOs appear only through mknod(2)
// or are looked up in an image; while none is known there is nothing to do.
func sysOpen(k *Kernel, t *Task) verdict {
	i, flags := 1, t.arg(2)
	switch t.callNr {
	case unix.SYS_OPEN:
		i, flags = 0, t.arg(1)
	case unix.SYS_CREAT:
		i, flags = 0, unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC
	case unix.SYS_OPENAT2:
		flags, _ = t.readU64(t.arg(2))
	}
	if k.logging() {
		if p, e := t.str(t.arg(i)); e == 0 {
			k.logArg(t, quote(p)+", "+hex(flags))
		}
	}
	if !k.fifos || k.cfg.Open.Threads || flags&(unix.O_PATH|unix.O_DIRECTORY) != 0 {
		return pass
	}
	if len(k.slaves) > 0 {
		k.releaseSlaves(t) // an open of ptmx may take the number of one that is gone
		return t.atEnd(k.openFifo(t, flags), k.releaseSlaves)
	}
	return k.openFifo(t, flags)
}

// getdents64(2), getdents(2): directories of our file system are sorted by
// the server; in procfs, names that only some kernels have are left out.
func sysGetdents(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.class != fdTree && f.mode&unix.S_IFMT != unix.S_IFDIR {
		return pass // EBADF, ENOTDIR
	}
	switch f.class {
	case fdTree, fdTTY, fdMqueue:
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
