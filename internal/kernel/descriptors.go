package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
	"dettrace/internal/seccomp"
)

// Threads that often ask what a descriptor is, are given a filter that stops what
// frees descriptors, so that the region may keep the answers (fastpath.Region.Know).
// Nothing of that is an event: without fast paths it is not there.

// manyAsks is how often a thread asks before, without giving birth: about what the
// filter, and finding the sites that close descriptors, cost. A shell, whose children
// would inherit the filter, never gets there.
const manyAsks = 2000

// countAsks adds up what the region has asked for t.
func (k *Kernel) countAsks(t *Task) {
	if !t.watched {
		t.asks += k.fast.Asked()
	}
}

// watch installs the filter, for t at the entry of a call that the region serves, and
// has t make that call after it. It reports whether it did.
func (k *Kernel) watch(t *Task) bool {
	if k.fast == nil || t.asks < manyAsks || t.watched || t.retrying || t.onExit != nil || t.asking != nil ||
		!t.proc.mm.fast.mapped || t.data != uint32(t.regs.Orig_rax) || !k.fast.Serves(int(int64(t.regs.Orig_rax))) {
		return false
	}
	t.asks = 0
	// A signal would come before the call instead of in it. One that comes from
	// here on is from outside.
	if s, ok := t.sigState(); !ok || s.pending&^s.blocked != 0 {
		return false
	}
	mask, err := ptrace.SigMask(t.tid)
	if err != nil {
		return false
	}
	entry := t.regs
	prog := seccomp.Watch(fastpath.Base, fastpath.CodeEnd, k.fast.Frees())
	words := []uint64{uint64(len(prog)), t.spare() + 16} // struct sock_fprog
	for _, f := range prog {
		words = append(words, uint64(f.Code)|uint64(f.Jt)<<16|uint64(f.Jf)<<24|uint64(f.K)<<32)
	}
	addr, ok := t.spare(), false
	if 8*len(words) <= lentSize && t.lent != nil {
		addr, ok = t.lend(words...)
	}
	if !ok || ptrace.SetSigMask(t.tid, ^uint64(0)) != nil {
		k.giveBack(t)
		return false
	}
	k.prof.call = int(entry.Orig_rax)
	const setModeFilter = 1
	t.regs.Orig_rax, t.regs.Rdi, t.regs.Rsi, t.regs.Rdx = unix.SYS_SECCOMP, setModeFilter, 0, addr
	t.rewrite()
	t.onExit = func(t *Task) {
		_ = ptrace.SetSigMask(t.tid, mask)
		t.watched = t.result() == 0 // else it is tried again, not soon
		t.repeat(entry)
		t.retrying, t.unasked = false, true
	}
	t.unasked = true
	return true
}

// frees passes a call that its row lets through and that stops only for the filter of
// watch. Nothing may come of the stop but that the site is replaced.
func (k *Kernel) frees(t *Task) bool {
	nr := int(int64(t.regs.Orig_rax))
	if k.fast == nil || t.data != uint32(nr) || nr < 0 || nr >= len(k.calls) || k.calls[nr] == nil || !k.calls[nr].row.Filter.AlwaysAllows() {
		return false
	}
	k.stats.Stops[nr]++
	k.prof.call = nr
	if t.onExit == nil { // else the supervisor has t make the call, and knows where t stands
		k.speedUp(t)
	}
	t.unasked = true
	return true
}
