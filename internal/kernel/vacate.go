package kernel

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
	"dettrace/internal/vdso"
)

// vacate makes the size bytes from addr on free of the fast paths, for t that
// is about to put something else there, or to take them away. It reports false
// when that cannot be: another thread waits inside a call made there.
func (k *Kernel) vacate(t *Task, addr, size uint64) bool {
	m := &t.proc.mm.fast
	if !m.mapped || addr >= fastpath.End || addr+size < addr || addr+size <= fastpath.Base {
		return true
	}
	for _, o := range k.order {
		if o == t || o.proc.mm != t.proc.mm {
			continue
		}
		var r ptrace.Regs
		err := ptrace.GetRegs(o.tid, &r)
		if err != nil && !errors.Is(err, unix.ESRCH) || err == nil && (fastpath.InCode(r.Rip) || fastpath.InStub(r.Rip)) {
			k.refuse(t, "unmapping of the fast paths while another thread is there", unix.ENOMEM)
			return false
		}
	}
	return k.unpatch(t)
}

// unpatch puts the replaced bytes of t's memory back: the region is not, or no
// more, mapped there.
func (k *Kernel) unpatch(t *Task) bool {
	m := &t.proc.mm.fast
	mem, err := t.proc.memFile()
	if err != nil {
		return false
	}
	k.vacated = true
	if k.shared && m.mapped && t.proc.vdsoBase != 0 {
		img, now := vdso.Image(), make([]byte, len(vdso.Image()))
		// Something else may lie there meanwhile.
		if t.read(t.proc.vdsoBase, now) && bytes.Equal(now, k.vdso[:len(now)]) {
			if _, err := mem.WriteAt(img, int64(t.proc.vdsoBase)); err != nil {
				return false
			}
		}
	}
	left := map[uint64]*fastpath.Site{}
	sites := slices.AppendSeq(slices.Clone(m.clocks), maps.Values(m.patched))
	for _, x := range k.cfg.Fast.Texts() { // of libraries, which the code has mapped
		sites = append(sites, slices.Collect(maps.Values(x.Sites))...)
	}
	slices.SortFunc(sites, func(a, b *fastpath.Site) int { return cmp.Compare(a.Start, b.Start) })
	for _, s := range sites {
		now := make([]byte, len(s.New))
		if n, _ := ptrace.ReadMem(t.tid, s.Start, now); n != len(now) || !bytes.Equal(now, s.New) {
			continue // another library lies there meanwhile
		}
		old := s.Old
		if s.Op != 0 { // what it shows must not depend on the region
			trap := *s
			trap.New, old = s.Trap, s.Trap
			left[s.Addr] = &trap
		}
		if _, err := mem.WriteAt(old, int64(s.Start)); err != nil {
			return false
		}
		if t.regs.Rip == s.Done {
			t.regs.Rip = s.Addr + 2
			t.rewrite()
		}
	}
	*m = fastMM{patched: left, watched: m.watched, watches: m.watches}
	return true
}
