package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
)

// fastMM is what we know of the fast paths in one address space.
type fastMM struct {
	mapped bool // the region is there
	// patched are the sites that were replaced, by address. Children share
	// the map: whoever adds to it makes a copy if shared is set.
	patched map[uint64]*fastpath.Site
	shared  bool
	clocks  []*fastpath.Site // those in the vDSO that the image began with
	// frames are the places that signals have interrupted. A handler may still
	// be running, or be left for such a place: the bytes there must stay.
	frames []uint64
	// fixed: there were too many of them to know.
	fixed   bool
	watched []codeRange // mappings that are not executable yet
	watches int         // how many there were
}

// fork is the copy that a child gets.
func (m *fastMM) fork() fastMM {
	m.shared = true
	return *m
}

func (m *fastMM) add(s *fastpath.Site) {
	if m.shared || m.patched == nil {
		m.patched, m.shared = maps.Clone(m.patched), false
		if m.patched == nil {
			m.patched = map[uint64]*fastpath.Site{}
		}
	}
	m.patched[s.Addr] = s
}

// maxFrames bounds the places that are remembered. Signals nearly always come
// at the end of a call that waits, of which a program has a few.
const maxFrames = 64

// interrupted notes that a signal is delivered to a thread at rip.
func (m *fastMM) interrupted(rip uint64) {
	switch {
	case slices.Contains(m.frames, rip):
	case len(m.frames) == maxFrames:
		m.fixed = true
	default:
		m.frames = append(slices.Clip(m.frames), rip) // children share what is there
	}
}

// resumable reports whether a handler may go back into the bytes of s: to where
// it came from, or to make the call again (handle_signal in arch/x86/kernel/signal.c).
func (m *fastMM) resumable(s *fastpath.Site) bool {
	return slices.ContainsFunc(m.frames, func(rip uint64) bool {
		return s.Inside(rip) || s.Inside(rip-2)
	})
}

// armFast says how many calls t, which runs next, may make without us.
func (k *Kernel) armFast(t *Task) {
	if k.fast != nil {
		n := k.typeBudget(t.cpuBudget(k.sched.Budget(k.tick), k.tick))
		if k.crowd.pipes && len(k.crowd.tasks) > 0 {
			n = 0 // each write is an event that wakes another
		}
		k.fast.Arm(n, k.Now(), k.tsc(), k.tick, t.attr.CPUs.First())
		k.fast.Know(t.watched)
		k.cfg.SetBudget(n, k.tick)
		k.publishFutexes(t)
		k.publishRandom()
		k.fast.NoChild(t.childless())
		if k.yields {
			k.fast.Alone(k.alone(t))
		}
	}
}

// publishRandom gives the region what of the random stream comes next, where
// that is the seed's alone.
func (k *Kernel) publishRandom() {
	if k.tame || k.cfg.Open.Random || k.published == k.rand.given+1 {
		return
	}
	k.published = k.rand.given + 1
	var words [fastpath.RandomWords]uint64
	b := k.rand.peek(8 * len(words))
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	k.fast.Random(words)
}

// readNotes follows up what the region has done for t besides counting.
func (k *Kernel) readNotes(t *Task) {
	if n := k.fast.RandomTaken(); k.published != 0 && n > 0 {
		k.rand.bytes(8 * n)
	}
	if act, ok := k.fast.Sigaction(); ok {
		t.proc.segv.act = act
	}
}

// futexView is what the region was last told of futexes: the queues of one
// address space, as they were after so many changes.
type futexView struct {
	mm      *mmID
	changes uint64
}

// publishFutexes tells the region who waits for futexes in t's address space.
func (k *Kernel) publishFutexes(t *Task) {
	view := futexView{t.proc.mm, k.futexes.changes}
	if k.futexView == view {
		return
	}
	k.futexView = view
	const most = 64 // queues to look through
	var list [fastpath.MaxFutexes]fastpath.Waiters
	n, known := 0, len(k.futexes.q) <= most
	if known {
		for key, q := range k.futexes.q {
			if key.mm != t.proc.mm || key.public || key.obj != "" {
				continue
			}
			if known = n < len(list) && !slices.ContainsFunc(q, func(w *futexWaiter) bool { return w.pi != nil || w.requeuePI != nil || w.task.wait.futex != w }); !known {
				break
			}
			list[n] = fastpath.Waiters{Addr: key.addr, Count: uint64(len(q))}
			n++
		}
	}
	k.fast.Futexes(list[:n], known)
}

// countServed counts the calls that t has made without us since it was resumed.
func (k *Kernel) countServed(t *Task) {
	if k.fast == nil {
		return
	}
	k.fast.Wakes(func(addr, n uint64) {
		_, _ = k.futexWake(futexKey{mm: t.proc.mm, addr: addr}, int(min(n, 1<<20)), ^uint32(0))
	})
	k.readNotes(t)
	k.countAsks(t)
	n := k.fast.Served()
	if n == 0 {
		return
	}
	k.stats.Events += uint64(n)
	k.stats.Served += uint64(n)
	k.sched.Events(n, k.tick)
	k.charge(t, int64(n)*k.tick)
	k.progress = true
	t.restart = restart{}
	k.setNow()
}

// sweep is the distance on both sides of a call within which all known
// sites are replaced together: they are of one library.
const sweep = 1 << 20

// speedUp replaces the instruction by which t makes the call at whose seccomp
// stop it stands, if the region serves such calls, and the others near by that
// are known from elsewhere.
func (k *Kernel) speedUp(t *Task) {
	if k.fast == nil || t.retrying || t.data != uint32(t.regs.Orig_rax) || !k.fast.Serves(int(int64(t.regs.Orig_rax))) {
		return
	}
	if s := k.replace(t, t.regs.Rip-2); s != nil { // the bytes behind the call are another instruction's now
		t.regs.Rip = s.Done
		t.rewrite()
	}
}

// replace replaces the instruction at addr, at which t stands, and known ones
// near by. It returns the site of the first, or nil if it stays.
func (k *Kernel) replace(t *Task, addr uint64) *fastpath.Site {
	m := &t.proc.mm.fast
	if k.fast == nil || !m.mapped || addr < fastpath.End && addr >= fastpath.Base || m.fixed {
		return nil
	}
	if addr == t.proc.vdsoBase+k.vdsoCall {
		return nil // setSegv's
	}
	if s := m.patched[addr]; s != nil && s.Stays() {
		return nil
	}
	if k.fast.Unseen(addr) {
		k.spread(t, addr)
	}
	list := k.knownSites(t, m, k.fast.Addrs(addr-sweep, addr+sweep))
	if k.fast.Wanted(addr) {
		var s *fastpath.Site
		k.cfg.FileIDs.With(func() { s = k.findSite(t, addr) })
		if s != nil {
			if f, ok := k.fileAt(t, addr); ok {
				k.fast.Place(s, f.Ino, f.Offset+addr-f.Addr)
			}
		}
		if s != nil && m.patched[addr] != s {
			list = append(list, s)
		}
	}
	var at, last *fastpath.Site
	for _, s := range list {
		if m.resumable(s) {
			continue
		}
		waiting, free := k.occupants(t, s)
		if !free {
			continue
		}
		if !k.patch(t, s) {
			return at // not ours to write: its calls stop
		}
		for _, o := range waiting {
			o.regs.Rip = s.Done
			o.rewrite()
		}
		last = s
		if s.Addr == addr {
			at = s
		}
	}
	if at != nil {
		last = at
	}
	if last != nil {
		k.patchedAt(t, last)
	}
	return at
}

// spread makes what is known of the file around addr from other addresses known
// there.
func (k *Kernel) spread(t *Task, addr uint64) {
	if f, ok := k.fileAt(t, addr); ok {
		k.fast.Spread(f.Ino, f.Addr-f.Offset, f.Offset, f.Offset+f.Size, f.Offset+addr-f.Addr)
	}
}

// fileAt is the mapped part of a file of ours that addr in t's memory is in: ok
// is false if it is in none.
func (k *Kernel) fileAt(t *Task, addr uint64) (f fastpath.Text, ok bool) {
	v, err := ptrace.FindVMA(t.tid, addr)
	if err != nil {
		return f, false
	}
	if v.Dev == k.cfg.FuseDev {
		return fastpath.Text{Addr: v.Start, Size: v.End - v.Start, Ino: v.Ino, Offset: v.Offset}, true
	}
	if x := k.fast.TextAt(v.Offset); x != nil && addr >= x.Addr && addr-x.Addr < x.Size {
		return *x, true
	}
	return f, false
}

// patch replaces the bytes of s in t's memory.
func (k *Kernel) patch(t *Task, s *fastpath.Site) bool {
	mem, err := t.proc.memFile()
	if err != nil {
		return false
	}
	if _, err := mem.WriteAt(s.New, int64(s.Start)); err != nil {
		return false
	}
	t.proc.mm.fast.add(s)
	return true
}

// replaceKnown replaces what is known of a fresh image around its first
// instruction, which is the dynamic linker's if there is one.
func (k *Kernel) replaceKnown(t *Task, start uint64) {
	m := &t.proc.mm.fast
	if k.fast == nil || !m.mapped {
		return
	}
	for _, s := range k.knownSites(t, m, k.fast.Addrs(start-min(sweep, start), start+sweep)) {
		if !k.patch(t, s) {
			return
		}
	}
}

// occupants lists the threads besides t that wait in a call made at s, and can
// go on in its stub. free is false if another one stands inside the bytes of s,
// or at their end, from where it may be sent back to repeat the call.
func (k *Kernel) occupants(t *Task, s *fastpath.Site) (waiting []*Task, free bool) {
	for _, o := range k.order {
		if o == t || o.proc.mm != t.proc.mm {
			continue
		}
		var r ptrace.Regs
		if err := ptrace.GetRegs(o.tid, &r); err != nil {
			if errors.Is(err, unix.ESRCH) {
				continue // dead
			}
			return nil, false
		}
		switch {
		case !s.Inside(r.Rip):
		case r.Rip == s.Addr+2 && o.waitsAtEntry():
			waiting = append(waiting, o)
		default:
			return nil, false
		}
	}
	return waiting, true
}

// waitsAtEntry reports that t stands at the entry of a call, waits for a futex
// there, and nothing but t.regs remembers from where it came. One function
// often makes all calls of futex(2), so in a program with threads somebody
// nearly always waits there.
func (t *Task) waitsAtEntry() bool {
	if t.wait.futex == nil || t.onTurn == nil || t.onExit != nil || t.retrying {
		return false
	}
	var c ptrace.CallInfo
	return ptrace.GetCallInfo(t.tid, &c) == nil && c.Op == ptrace.InfoSeccomp
}

// knownSites are the sites at addrs of which t's memory has the bytes, and that
// are not replaced yet.
func (k *Kernel) knownSites(t *Task, m *fastMM, addrs []uint64) (list []*fastpath.Site) {
	const before, size, most = 24, 64, 256
	from := make([]uint64, 0, min(len(addrs), most))
	buf := make([]byte, min(len(addrs), most)*size)
	for len(addrs) > 0 {
		from = from[:0]
		for _, a := range addrs[:min(len(addrs), most)] {
			from = append(from, a-before)
		}
		n := ptrace.ReadMems(t.tid, from, size, buf)
		for i, a := range addrs[:n] {
			if s := k.fast.Known(a, from[i], buf[i*size:(i+1)*size]); s != nil && m.patched[a] != s {
				list = append(list, s)
			}
		}
		if n < len(from) { // nothing is there, or its page is still in the file
			var s *fastpath.Site
			k.cfg.FileIDs.With(func() { s = k.knownSite(t, addrs[n]) })
			if s != nil && m.patched[addrs[n]] != s {
				list = append(list, s)
			}
			n++
		}
		addrs = addrs[n:]
	}
	return list
}

// knownSite is the site at addr if t's memory has its bytes.
func (k *Kernel) knownSite(t *Task, addr uint64) *fastpath.Site {
	var b [64]byte
	from := addr - 24
	n := ptrace.ReadMapped(t.tid, from, b[:])
	return k.fast.Known(addr, from, b[:n])
}

// findSite looks for a site at addr.
func (k *Kernel) findSite(t *Task, addr uint64) *fastpath.Site {
	// Text that is not mapped ends what can be read, in steps of pages.
	const page = 4096
	from, to := addr&^(page-1), addr
	text := make([]byte, 0, 2*fastpath.Near+page)
	buf := make([]byte, page)
	for from > addr-fastpath.Near && from >= page {
		if n, _ := ptrace.ReadMem(t.tid, from-page, buf); n != page {
			break
		}
		from -= page
	}
	for to = from; to < addr+fastpath.Near; to += page {
		n, _ := ptrace.ReadMem(t.tid, to, buf)
		if n != page {
			break
		}
		text = append(text, buf...)
	}
	return k.fast.Find(addr, from, text)
}

// leaveRegion takes t, which stops for a signal inside the region's code, out
// of it, so that the handler finds the call not begun or ended.
func (k *Kernel) leaveRegion(t *Task) error {
	if k.fast == nil || !t.proc.mm.fast.mapped {
		return nil
	}
	var r ptrace.Regs
	if err := ptrace.GetRegs(t.tid, &r); err != nil {
		return ignoreGone(err)
	}
	if fastpath.InCode(r.Rip) {
		return k.stepOut(t) // into a stub, which stays
	}
	t.proc.mm.fast.interrupted(r.Rip)
	return nil
}

// trapFlag is TF in RFLAGS: trap after the next instruction.
const trapFlag = 0x100

// stepOut steps t until it has left the region's code, and makes the stop where
// it stands then the signal's.
func (k *Kernel) stepOut(t *Task) error {
	var si ptrace.SigInfo
	if err := ptrace.GetSigInfo(t.tid, &si); err != nil {
		return ignoreGone(err)
	}
	mask, err := ptrace.SigMask(t.tid)
	if err != nil {
		return ignoreGone(err)
	}
	// The other signals wait; the kernel would reset SIGTRAP if it were blocked.
	if err := ptrace.SetSigMask(t.tid, ^bit(unix.SIGTRAP)); err != nil {
		return ignoreGone(err)
	}
	const most = 100_000 // a link's target is scanned byte by byte
	for range most {
		if err := ptrace.Step(t.tid, 0); err != nil {
			return ignoreGone(err)
		}
		_, st, err := ptrace.Wait(t.tid, 0)
		if err != nil || st.Dead() {
			return err
		}
		if ev := st.Event(); ev == unix.PTRACE_EVENT_EXEC || ev == unix.PTRACE_EVENT_FORK {
			// Between entering the code for execve or clone and the call nothing
			// of the container's can send a signal.
			return fmt.Errorf("%s: a signal came from outside the container during execve or clone", t.proc.describe())
		}
		if !st.Stopped() || st.StopSignal() != unix.SIGTRAP || st.Event() != 0 {
			break
		}
		var r ptrace.Regs
		if err := ptrace.GetRegs(t.tid, &r); err != nil {
			return ignoreGone(err)
		}
		if fastpath.InCode(r.Rip) {
			continue
		}
		// After a step over POPFQ the kernel takes the trap flag for the
		// guest's own (enable_single_step in arch/x86/kernel/step.c).
		r.Eflags &^= trapFlag
		if err := ptrace.SetRegs(t.tid, &r); err != nil {
			return ignoreGone(err)
		}
		break
	}
	k.countServed(t)
	if err := ptrace.SetSigMask(t.tid, mask); err != nil {
		return ignoreGone(err)
	}
	return ignoreGone(ptrace.SetSigInfo(t.tid, &si))
}
