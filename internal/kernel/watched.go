package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpusite"
	"dettrace/internal/ptrace"
)

// Code that a guest makes itself may look at the CPU, too: among the first that
// HotSpot makes is a stub of cpuid. Memory that is mapped writable and executable
// at once is not executable until something is executed there; then the code that
// is reached from that place is looked through. When the thread returns to where
// it came from, the memory is as before, so that what is made later is seen; after
// some calls it is executable for good.

// codeRange is memory that the guest believes to be executable.
type codeRange struct {
	addr, size uint64
	prot       uint64
	calls      int // into it that are still to be watched
}

// After so many calls into a mapping it is not watched any more, or after so
// many that followed one in which something was found.
const (
	watchedCalls = 24
	callsAfter   = 6
)

// codeCall is a call into watched memory that has not returned.
type codeCall struct {
	back  uint64 // where it returns to
	calls codeRange
}

// maxWatches is how many mappings of an image are watched: growing heaps of
// code are mapped in many pieces, the first of which matters.
const maxWatches = 16

// watchCode takes the right to execute from a mapping that t is about to make.
func (k *Kernel) watchCode(t *Task) verdict {
	m := &t.proc.mm.fast
	if m.watches >= maxWatches || k.cfg.Fast == nil || k.callAddr(t) == 0 {
		k.codeMade(t)
		return pass
	}
	m.watches++
	entry, prot := t.regs, t.arg(2)
	t.setArg(2, prot&^unix.PROT_EXEC)
	t.rewrite()
	t.onExit = func(t *Task) {
		at := t.result()
		t.regs = withResult(t.regs, &entry, at)
		t.rewrite()
		if at > 0 {
			size := (entry.Rsi + 4095) &^ 4095
			m := &t.proc.mm.fast
			list := make([]codeRange, 0, len(m.watched)+1) // children share the old one
			for _, r := range m.watched {
				if r.addr >= uint64(at)+size || uint64(at) >= r.addr+r.size {
					list = append(list, r)
				}
			}
			m.watched = append(list, codeRange{uint64(at), size, prot, watchedCalls})
		}
	}
	return toExit
}

// firstCode lets t go on where it was about to execute watched memory.
func (k *Kernel) firstCode(t *Task, si *ptrace.SigInfo) (bool, error) {
	const accessError = 2 // SEGV_ACCERR
	m := &t.proc.mm.fast
	if len(m.watched) == 0 || getU32(si[8:]) != accessError {
		return false, nil
	}
	if err := ptrace.GetRegs(t.tid, &t.regs); err != nil {
		return false, ignoreGone(err)
	}
	rip := t.regs.Rip
	// A jump over the border of a page faults at the second one.
	at := binary.LittleEndian.Uint64(si[16:])
	i := -1
	for j, r := range m.watched {
		if at-r.addr < r.size && at-rip < 16 {
			i = j
		}
	}
	if i < 0 {
		return false, nil
	}
	r := m.watched[i]
	code := make([]byte, min(r.size, 1<<20))
	from := max(r.addr, rip&^4095-min(rip&^4095, 64<<10))
	n, _ := ptrace.ReadMem(t.tid, from, code[:min(uint64(len(code)), r.addr+r.size-from)])
	sites := cpusite.Code(code[:n], int64(rip-from))
	k.replaceAt(t, sites, func(s *cpusite.Site) (uint64, bool) { return from + uint64(s.Off), true })
	if r.calls--; len(sites) > 0 {
		r.calls = min(r.calls, callsAfter)
	}
	rest := make([]codeRange, 0, len(m.watched)-1)
	m.watched = append(append(rest, m.watched[:i]...), m.watched[i+1:]...)
	if err := k.callInGuest(t, unix.SYS_MPROTECT, r.addr, r.size, r.prot); err != nil {
		return true, err
	}
	if err := k.restoreSegv(t); err != nil {
		return true, err
	}
	if r.calls > 0 {
		if ok, err := k.catchReturn(t, r); ok || err != nil {
			return true, err
		}
	}
	k.codeMade(t) // what it makes there from now on nobody looks through
	return true, nil
}

// catchReturn makes t stop when it returns from the function at whose first
// instruction it stands, if it has been called.
func (k *Kernel) catchReturn(t *Task, r codeRange) (bool, error) {
	mask, err := ptrace.SigMask(t.tid)
	s, ok := t.sigState()
	if err != nil || !ok || (mask|s.ignored)&bit(unix.SIGTRAP) != 0 || k.cfg.Policy != nil {
		return false, ignoreGone(err) // the stop would reset what SIGTRAP does
	}
	back, ok := t.readU64(t.regs.Rsp)
	var call [8]byte
	if !ok || !t.read(back-uint64(len(call)), call[:]) || !endsInCall(call[:]) {
		return false, nil
	}
	t.codeCall = &codeCall{back, r}
	return true, ignoreGone(ptrace.Break(t.tid, back))
}

// endsInCall reports whether the bytes before a return address may be a call.
func endsInCall(b []byte) bool {
	if b[len(b)-5] == 0xe8 {
		return true
	}
	for n := 2; n < len(b); n++ { // call through a register or memory, maybe with a prefix
		if c := b[len(b)-n:]; c[0] == 0xff && c[1]>>3&7 == 2 {
			return true
		}
	}
	return false
}

// codeLeft watches the memory again from which t has returned.
func (k *Kernel) codeLeft(t *Task) (bool, error) {
	c := t.codeCall
	if c == nil {
		return false, nil
	}
	code, err := ptrace.TrapCode(t.tid)
	if err != nil || code != ptrace.TrapHwBkpt {
		return false, ignoreGone(err)
	}
	if err := ptrace.GetRegs(t.tid, &t.regs); err != nil {
		return false, ignoreGone(err)
	}
	if t.regs.Rip != c.back {
		return false, nil
	}
	t.codeCall = nil
	if err := ptrace.Break(t.tid, 0); err != nil {
		return true, ignoreGone(err)
	}
	m := &t.proc.mm.fast
	m.watched = append(m.watched[:len(m.watched):len(m.watched)], c.calls)
	return true, k.callInGuest(t, unix.SYS_MPROTECT, c.calls.addr, c.calls.size, c.calls.prot&^unix.PROT_EXEC)
}
