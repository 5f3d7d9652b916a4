package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// lockWait is the fcntl(2) lock of a file, F_SETLKW, that a parked task waits for.
type lockWait struct {
	fd   int // the guest's
	want unix.Flock_t
}

// lockArg reads the struct flock64 to which t's fcntl(2) points.
func (t *Task) lockArg(addr uint64) (w lockWait, ok bool) {
	var b [32]byte
	if !t.read(addr, b[:]) {
		return w, false
	}
	le := binary.LittleEndian
	w.want = unix.Flock_t{
		Type: int16(le.Uint16(b[0:])), Whence: int16(le.Uint16(b[2:])), Start: int64(le.Uint64(b[8:])), Len: int64(le.Uint64(b[16:])),
	}
	return w, true
}

// deadlocked reports whether t would wait in a circle for w: its holder waits for a
// lock whose holder waits, and so on, for t's process. As the kernel, it follows
// ten steps (posix_locks_deadlock in fs/locks.c), and of what is so now.
func (k *Kernel) deadlocked(t *Task, w *lockWait) bool {
	const steps = 10
	who := t
	for range steps {
		p := k.holder(who, w)
		if p == nil {
			return false
		}
		if p == t.proc {
			return true
		}
		if who, w = p.awaitsLock(); who == nil {
			return false
		}
	}
	return false
}

// awaitsLock is a thread of p that waits for a lock.
func (p *Process) awaitsLock() (*Task, *lockWait) {
	for _, o := range p.tasks {
		if o.wait.fileLock != nil {
			return o, o.wait.fileLock
		}
	}
	return nil, nil
}

// holder is the process that has what t wants of w; nil if it is none of ours, an open
// file (F_OFD_SETLK), or nobody any more. The kernel tells of the locks of t's own
// process, too, since we ask: what lies beside them is asked for then.
func (k *Kernel) holder(t *Task, w *lockWait) *Process {
	f := k.file(t, w.fd)
	defer f.close()
	if f.class == fdBad {
		return nil
	}
	const most = 64 // questions
	ask := []unix.Flock_t{w.want}
	for i := 0; i < len(ask) && i < most; i++ {
		got := ask[i]
		if unix.FcntlFlock(uintptr(f.fd), unix.F_GETLK, &got) != nil || got.Type == unix.F_UNLCK {
			continue
		}
		if int(got.Pid) != t.proc.pid {
			return k.procs[int(got.Pid)]
		}
		// From here on the places count from the start of the file; a length of 0
		// is the rest of it.
		if ask[i].Whence != unix.SEEK_SET || ask[i].Len < 0 {
			return nil
		}
		if n := got.Start - ask[i].Start; n > 0 {
			ask = append(ask, unix.Flock_t{Type: w.want.Type, Start: ask[i].Start, Len: n})
		}
		if end := got.Start + got.Len; got.Len > 0 && (ask[i].Len == 0 || end < ask[i].Start+ask[i].Len) {
			rest := unix.Flock_t{Type: w.want.Type, Start: end}
			if ask[i].Len > 0 {
				rest.Len = ask[i].Start + ask[i].Len - end
			}
			ask = append(ask, rest)
		}
	}
	return nil
}
