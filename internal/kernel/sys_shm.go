package kernel

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Shared memory segments are the kernel's: they are mapped. Their times are
// kept here.

// shmSegment is what we know of a segment beside the kernel.
type shmSegment struct {
	id                  int
	atime, dtime, ctime int64 // s
	removed             bool  // and to be forgotten with its last mapping
}

// shmAttach is a segment in an address space. A mapping that goes by munmap(2)
// instead of shmdt(2) is noticed only by its count, which is the kernel's.
type shmAttach struct {
	mm   *mmID
	addr uint64
	seg  *shmSegment
}

func (k *Kernel) shmSegment(id int) *shmSegment {
	for _, s := range k.shms {
		if s.id == id {
			return s
		}
	}
	return nil
}

// Flags of shmget(2).
const (
	shmHugeTLB   = 0o4000
	shmNoReserve = 0o10000
)

// shmget(2). Without SHM_NORESERVE it would fail by what memory the host can
// promise; the limit is the declared machine's.
func sysShmget(k *Kernel, t *Task) verdict {
	flags := t.intArg(2)
	if flags&shmHugeTLB != 0 {
		k.refuse(t, "shmget with SHM_HUGETLB", unix.ENOMEM)
		return t.fail(unix.ENOMEM)
	}
	if int64(t.arg(1)) > 0 && t.arg(1) > k.cfg.Machine.MemTotal && flags&ipcCreat != 0 {
		return t.fail(unix.ENOMEM)
	}
	entry := t.regs
	t.setArg(2, uint64(flags|shmNoReserve))
	t.rewrite()
	t.onExit = func(t *Task) {
		t.regs = withResult(t.regs, &entry, t.result())
		t.rewrite()
		id := int(t.result())
		if id < 0 {
			return
		}
		if s := k.shmSegment(id); s != nil && s.removed { // which munmap(2) or mmap(2) has ended since
			k.shmForget(s)
		}
		if k.shmSegment(id) == nil {
			k.shms = append(k.shms, &shmSegment{id: id, ctime: k.seconds()})
		}
	}
	return toExit
}

// shmat(2).
func sysShmat(k *Kernel, t *Task) verdict {
	id := t.intArg(0)
	t.onExit = func(t *Task) {
		s := k.shmSegment(id)
		if r := t.result(); s != nil && (r >= 0 || r < -4095) {
			s.atime = k.seconds()
			k.shmAttached = append(k.shmAttached, shmAttach{t.proc.mm, uint64(r), s})
		}
	}
	return toExit
}

// shmdt(2).
func sysShmdt(k *Kernel, t *Task) verdict {
	addr := t.arg(0)
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.shmDetach(func(a shmAttach) bool { return a.mm == t.proc.mm && a.addr == addr })
		}
	}
	return toExit
}

func (k *Kernel) shmDetach(gone func(shmAttach) bool) {
	k.shmAttached = slices.DeleteFunc(k.shmAttached, func(a shmAttach) bool {
		if gone(a) {
			a.seg.dtime = k.seconds()
			return true
		}
		return false
	})
	k.shms = slices.DeleteFunc(k.shms, func(s *shmSegment) bool { return s.removed && !k.shmUsed(s) })
}

// shmUsed reports that s may be attached somewhere.
func (k *Kernel) shmUsed(s *shmSegment) bool {
	return slices.ContainsFunc(k.shmAttached, func(a shmAttach) bool { return a.seg == s })
}

// shmForget forgets s.
func (k *Kernel) shmForget(s *shmSegment) {
	k.shms = slices.DeleteFunc(k.shms, func(o *shmSegment) bool { return o == s })
	k.shmAttached = slices.DeleteFunc(k.shmAttached, func(a shmAttach) bool { return a.seg == s })
}

// shmFork is the birth of an address space: it has its parent's segments.
func (k *Kernel) shmFork(parent, child *mmID) {
	if parent == child {
		return
	}
	for _, a := range k.shmAttached {
		if a.mm == parent {
			a.seg.atime = k.seconds()
			k.shmAttached = append(k.shmAttached, shmAttach{child, a.addr, a.seg})
		}
	}
}

// shmExit is the end of a process's use of its address space.
func (k *Kernel) shmExit(mm *mmID) {
	if len(k.shmAttached) == 0 {
		return
	}
	for _, t := range k.order {
		if t.proc.mm == mm {
			return // shared by vfork(2) or clone(2) with CLONE_VM
		}
	}
	k.shmDetach(func(a shmAttach) bool { return a.mm == mm })
}

// Commands of shmctl(2) (linux/shm.h).
const (
	shmLock    = 11
	shmUnlock  = 12
	shmStat    = 13
	shmInfo    = 14
	shmStatAny = 15
)

// shmctl(2): the kernel's answer with our times.
func sysShmctl(k *Kernel, t *Task) verdict {
	id, cmd, buf := t.intArg(0), t.intArg(1), t.arg(2)
	switch cmd {
	case ipcRmid, ipcSet, ipcStat, shmStat, shmStatAny, shmInfo:
	default:
		return pass // IPC_INFO, SHM_LOCK, SHM_UNLOCK; the rest is EINVAL
	}
	t.onExit = func(t *Task) {
		r := t.result()
		if r < 0 {
			return
		}
		switch cmd {
		case ipcRmid:
			// While it is attached, an id of a removed segment can still be
			// asked for.
			if s := k.shmSegment(id); s != nil {
				if s.removed = true; !k.shmUsed(s) {
					k.shmForget(s)
				}
			}
			return
		case ipcSet:
			if s := k.shmSegment(id); s != nil {
				s.ctime = k.seconds()
			}
		case shmInfo:
			// struct shm_info: used_ids, then shm_tot, shm_rss, shm_swp and
			// two counters. What is in memory is the host's matter.
			if tot, ok := t.readU64(buf + 8); ok {
				t.writeU64(buf+16, tot, 0, 0, 0)
			}
		default:
			if cmd != ipcStat {
				id = int(r)
			}
			s := k.shmSegment(id)
			if s == nil {
				s = &shmSegment{}
			}
			b := make([]byte, 0, 24)
			for _, v := range []int64{s.atime, s.dtime, s.ctime} {
				b = binary.LittleEndian.AppendUint64(b, uint64(v))
			}
			t.write(buf+56, b) // struct shmid64_ds: after shm_perm and shm_segsz
		}
	}
	return toExit
}
