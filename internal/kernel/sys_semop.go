package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// semget(2).
func sysSemget(k *Kernel, t *Task) verdict {
	n := t.intArg(1)
	if n < 0 || n > semPerSet {
		return t.fail(unix.EINVAL)
	}
	check := func(s *semSet) unix.Errno {
		if n > len(s.sems) {
			return unix.EINVAL
		}
		return 0
	}
	return ipcGet(k, t, &k.sems, check, func() (*semSet, unix.Errno) {
		if n == 0 {
			return nil, unix.EINVAL
		}
		if k.semsUsed+n > semTotal {
			return nil, unix.ENOSPC
		}
		k.semsUsed += n
		return &semSet{sems: make([]semaphore, n), ctime: k.seconds()}, 0
	})
}

// semop(2), semtimedop(2).
func sysSemop(k *Kernel, t *Task) verdict {
	var ts uint64
	if t.callNr == unix.SYS_SEMTIMEDOP {
		ts = t.arg(3)
	}
	timeout := int64(0)
	if ts != 0 {
		ns, valid, ok := t.timespec(ts)
		switch {
		case !ok:
			return t.fail(unix.EFAULT)
		case !valid:
			return t.fail(unix.EINVAL)
		}
		timeout = ns
	}
	id := t.intArg(0)
	ops, e := t.semOps()
	if e != 0 {
		return t.fail(e)
	}
	set, ok := k.sems.byID(id)
	if !ok {
		return t.fail(unix.EINVAL)
	}
	w := &semWaiter{set: set, task: t, pid: t.proc.vpid, ops: ops}
	undo := false
	for _, o := range ops {
		if o.num >= len(set.sems) {
			return t.fail(unix.EFBIG)
		}
		undo = undo || o.flags&semUndo != 0
	}
	mode := uint32(ipcRead)
	if w.changes() {
		mode = ipcWrite
	}
	if !k.ipcAllowed(t, &set.ipcPerm, mode) {
		return t.fail(unix.EACCES)
	}
	if undo {
		w.adjust = t.undoFor(set)
	}
	ok, e = w.try()
	switch {
	case ok && e != 0:
		return t.fail(e)
	case ok:
		set.otime = k.seconds()
		if w.changes() {
			k.semServe(set)
		}
		return t.done(0)
	}
	if ts != 0 {
		t.restart = restart{nr: t.callNr, deadline: satAdd(k.Now(), timeout), set: true}
	}
	if w.changes() {
		set.alter = append(set.alter, w)
	} else {
		set.zero = append(set.zero, w)
	}
	what := "semaphore " + itoa(w.blocking.num) + " of set " + itoa(id)
	return k.standIn(t, what, w, unix.EAGAIN, int64(unix.EINTR), func() verdict { return t.done(-int64(w.errno)) })
}

// semOps reads the array of struct sembuf.
func (t *Task) semOps() ([]semOp, unix.Errno) {
	n := uint32(t.arg(2))
	switch {
	case n < 1:
		return nil, unix.EINVAL
	case t.intArg(0) < 0:
		return nil, unix.EINVAL
	case n > semOpMax:
		return nil, unix.E2BIG
	}
	b := make([]byte, 6*n)
	if !t.read(t.arg(1), b) {
		return nil, unix.EFAULT
	}
	ops := make([]semOp, n)
	for i := range ops {
		p := b[6*i:]
		ops[i] = semOp{
			num:   int(binary.LittleEndian.Uint16(p)),
			op:    int(int16(binary.LittleEndian.Uint16(p[2:]))),
			flags: int(binary.LittleEndian.Uint16(p[4:])),
		}
	}
	return ops, 0
}
