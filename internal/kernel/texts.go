package kernel

import (
	"dettrace/internal/fastpath"
	"dettrace/internal/procfs"
	"dettrace/internal/ptrace"
	"dettrace/internal/vdso"
)

// Of which executable segments the region gets copies (fastpath.Text).

// copyAfter is the number of processes in which a segment was patched piece by
// piece before it is copied: a copy costs as much as some of them.
const copyAfter = 3

// copyAgain is that for files that were met at another address before.
const copyAgain = 2

// libraries lie above this address, programs below: the kernel maps those by
// itself, before anybody could put a copy in their place.
const libraries = 0x7f0000000000

// overlay chooses what is mapped over the text at which a fresh image of t
// starts: a copy with all sites replaced, or nothing, and then they are now.
func (k *Kernel) overlay(t *Task, start uint64) (o vdso.Overlay) {
	m := &t.proc.mm.fast
	if k.fast == nil || !m.mapped {
		return o
	}
	v, err := ptrace.FindVMA(t.tid, start)
	if err != nil || v.Dev != k.cfg.FuseDev {
		k.replaceKnown(t, start)
		return o
	}
	x := k.fast.Text(v.Start, v.End-v.Start, v.Ino, v.Offset)
	if x == nil {
		k.replaceKnown(t, start)
		k.wantText(t, v)
		return o
	}
	m.patched, m.shared = x.Sites, true
	return vdso.Overlay{Addr: x.Addr, Size: uint32(x.Size), From: uint32(x.At)}
}

// wantText counts processes that had to be patched in the segment v, and has a
// copy of it made when it is worth while.
func (k *Kernel) wantText(t *Task, v ptrace.VMA) {
	// The program begins in the dynamic linker's, if there is one.
	linker := t.proc.program >= v.Start && t.proc.program < v.End
	if k.cfg.CopyText == nil || v.Dev != k.cfg.FuseDev || !linker && v.Start < libraries {
		return
	}
	key := fastpath.Text{Addr: v.Start, Size: v.End - v.Start, Ino: v.Ino, Offset: v.Offset}
	for i := range k.textsSeen {
		s := &k.textsSeen[i]
		if s.Addr != key.Addr || s.Ino != key.Ino || s.Offset != key.Offset || s.Size != key.Size {
			continue
		}
		if s.last == t.proc.mm {
			return
		}
		s.last = t.proc.mm
		if s.count++; s.count != copyAfter && !(s.count == copyAgain && k.fast.Knows(v.Ino)) {
			return
		}
		named, err := ptrace.NamedVMA(t.tid, v.Start)
		if err != nil {
			return
		}
		key.Name = named.Name
		k.fast.Spread(key.Ino, key.Addr-key.Offset, key.Offset, key.Offset+key.Size, 0)
		// Without a copy its processes are patched one by one as before.
		_, _ = k.fast.Copy(key, linker, k.looksIn(key), func(at uint64) error {
			return k.cfg.CopyText(key.Ino, int64(key.Offset), int64(key.Size), int64(at), fastpath.ChangedOffset)
		})
		return
	}
	k.textsSeen = append(k.textsSeen, textSeen{key, 1, t.proc.mm})
}

// looksIn are the sites of a segment that look at the CPU.
func (k *Kernel) looksIn(t fastpath.Text) (list []*fastpath.Site) {
	if k.cfg.CPUSites == nil {
		return nil
	}
	r, err := k.cfg.CPUSites(t.Ino)
	if err != nil {
		return nil // the server is gone: the run ends
	}
	for i := range r.Sites {
		if s := &r.Sites[i]; s.Off >= int64(t.Offset) && s.Off < int64(t.Offset+t.Size) {
			list = append(list, k.fast.Look(t.Addr+uint64(s.Off)-t.Offset, s))
		}
	}
	return list
}

// textSeen counts the processes in which a segment was patched.
type textSeen struct {
	fastpath.Text
	count int
	last  *mmID // the last of them
}

// patchedAt follows up the replacement of sites, of which s is one, in t.
func (k *Kernel) patchedAt(t *Task, s *fastpath.Site) {
	v, err := ptrace.FindVMA(t.tid, s.Start)
	if err != nil {
		return
	}
	x := k.fast.Text(v.Start, v.End-v.Start, v.Ino, v.Offset)
	if v.Dev != k.cfg.FuseDev {
		x = k.fast.TextAt(v.Offset) // t has the copy itself
	}
	if x == nil {
		k.wantText(t, v)
		return
	}
	// Processes that have the copy see the change at once.
	if k.vacated || !k.free(t, s) {
		return
	}
	k.fast.Add(x, s)
}

// free reports whether no thread but t is, and none can come back by the end of
// a handler, inside the bytes of s, in whatever process.
func (k *Kernel) free(t *Task, s *fastpath.Site) bool {
	for _, o := range k.order {
		if o.proc.mm.fast.fixed || o.proc.mm.fast.resumable(s) {
			return false
		}
		if o == t {
			continue
		}
		var r ptrace.Regs
		if err := ptrace.GetRegs(o.tid, &r); err != nil || s.Inside(r.Rip) {
			return false
		}
	}
	return true
}

// hidden reports whether the files of /proc leave out a mapping: the region is
// not there for the guest, as it is not without fast paths. Debuggers and
// Valgrind open what they see mapped.
func (k *Kernel) hidden(name string, addr uint64) bool {
	return k.cfg.Fast != nil && name == k.cfg.RegionPath && addr >= fastpath.Base && addr < fastpath.End
}

// original tells what the copy at addr, and offset of the file name if that is
// known, stands for in the files of /proc.
func (k *Kernel) original(name string, addr, offset uint64) (procfs.Mapped, bool) {
	if k.fast == nil || name != k.cfg.RegionPath {
		return procfs.Mapped{}, false
	}
	x := k.fast.TextAt(offset)
	if offset == 0 {
		x = k.fast.TextOver(addr)
	}
	if x == nil {
		return procfs.Mapped{}, false
	}
	at := x.Offset + addr - x.Addr
	if offset != 0 {
		at = x.Offset + offset - x.At
	}
	return procfs.Mapped{Dev: k.cfg.FuseDev, Ino: x.Ino, Offset: at, Name: x.Name}, true
}
