package kernel

import (
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
	"dettrace/internal/vary"
)

// The address space layout of an image, varied. Linux would randomise stack,
// heap, mappings and a position independent program (ASLR); here each moves by
// a distance that the seed gives, just before the program's first instruction.
// The dynamic linker and the vDSO stay where they are.

// Distances.
const (
	garbage   = 120 << 10 // bytes below the stack that uninit fills
	maxStack  = 32 << 10  // the stack moves down by less; the kernel maps 128 KiB below it
	settled   = 32 << 10  // where the stack begins below its top; a larger environment leaves it where it is
	maxHeap   = 32 << 20
	maxGap    = 1 << 30 // in front of mappings
	maxMove   = 1 << 38 // of the program
	pageBytes = 4096
)

// litter fills the memory below sp, which a program must not read before it
// writes, with bytes of the seed.
func (k *Kernel) litter(t *Task, sp uint64) {
	c, i, hit := k.vary.uninit.Next(k.since(), t.proc.vpid, "execve")
	if !hit {
		return
	}
	b := make([]byte, garbage)
	rand.NewChaCha8(c.Key(i)).Read(b)
	t.write(sp-garbage, b) // with a smaller stack limit there is less memory, and nothing to see
}

// scatter moves the parts of the image of t, which stands before its first
// instruction with registers r. It changes r.
func (k *Kernel) scatter(t *Task, r *ptrace.Regs) error {
	c, i, hit := k.vary.aslr.Next(k.since(), t.proc.vpid, "execve")
	if !hit {
		k.moveStack(t, r, 0, moved{})
		return nil
	}
	v := func(part uint64, below uint64) uint64 { return c.Value(i<<3|part) % below }
	at := t.proc.vdsoBase + k.vdsoCall
	call := func(nr int, args ...uint64) (uint64, bool) {
		res, err := ptrace.Inject(t.tid, r, at, nr, args...)
		return uint64(res), err == nil && (res >= 0 || res < -4095)
	}
	moved := k.moveProgram(t, r, v(0, maxMove/pageBytes)*pageBytes, call)
	t.proc.mm.fast.move(moved)
	if r.Rip -= movedRip(r.Rip, moved); !k.moveStack(t, r, v(1, maxStack/16)*16, moved) {
		return errors.New("vary aslr: move the stack: cannot read it")
	}
	if cur, ok := call(unix.SYS_BRK, 0); ok {
		call(unix.SYS_BRK, cur+v(2, maxHeap/pageBytes)*pageBytes)
	}
	const flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_NORESERVE
	call(unix.SYS_MMAP, 0, (1+v(3, maxGap/pageBytes))*pageBytes, unix.PROT_NONE, flags, ^uint64(0), 0)
	return nil
}

// programLo to programHi is where position independent programs lie without
// randomisation: ELF_ET_DYN_BASE, and what follows.
const (
	programLo = 0x555555554000
	programHi = 0x565555554000
)

type moved struct{ lo, hi, by uint64 }

func movedRip(addr uint64, m moved) uint64 {
	if addr >= m.lo && addr < m.hi {
		return m.by
	}
	return 0
}

// moves reports whether what lies at addr before an image starts may be moved:
// then no jump can be put there, which comes back to where it was.
func (k *Kernel) moves(addr uint64) bool {
	return k.cfg.Vary.Of(vary.ASLR) != nil && addr >= programLo && addr < programHi
}

// move follows up that an image was moved which nothing has run in yet.
func (m *fastMM) move(by moved) {
	old := m.patched
	m.patched, m.shared = make(map[uint64]*fastpath.Site, len(old)), false
	for _, addr := range slices.Sorted(maps.Keys(old)) {
		s := old[addr]
		if by := movedRip(addr, by); by != 0 {
			c := *s
			c.Addr, c.Start = c.Addr-by, c.Start-by
			s, addr = &c, addr-by
		}
		m.patched[addr] = s
	}
}

// moveProgram moves a position independent program down by a distance.
func (k *Kernel) moveProgram(t *Task, _ *ptrace.Regs, by uint64, call func(int, ...uint64) (uint64, bool)) (m moved) {
	b, err := readProc("/proc/" + strconv.Itoa(t.tid) + "/maps")
	if err != nil || by == 0 {
		return m
	}
	m.lo, m.by = ^uint64(0), by
	for line := range strings.Lines(string(b)) {
		lo, hi, ok := mapRange(line)
		if !ok || lo < programLo || hi > programHi || strings.HasSuffix(strings.TrimSpace(line), "[heap]") {
			continue
		}
		const mayMoveFixed = 3 // MREMAP_MAYMOVE|MREMAP_FIXED
		if _, ok := call(unix.SYS_MREMAP, lo, hi-lo, hi-lo, mayMoveFixed, lo-by); !ok {
			continue
		}
		m.lo, m.hi = min(m.lo, lo), max(m.hi, hi)
	}
	return m
}

func mapRange(line string) (lo, hi uint64, ok bool) {
	r, _, _ := strings.Cut(line, " ")
	a, b, _ := strings.Cut(r, "-")
	lo, err1 := strconv.ParseUint(a, 16, 64)
	hi, err2 := strconv.ParseUint(b, 16, 64)
	return lo, hi, err1 == nil && err2 == nil
}

// moveStack moves argc, the vectors of argv and envp, and the auxiliary vector
// to a fixed place, and by a distance further down, and tells the latter where the program is.
func (k *Kernel) moveStack(t *Task, r *ptrace.Regs, by uint64, m moved) bool {
	var words []uint64
	word := func() (uint64, bool) {
		v, ok := t.readU64(r.Rsp + 8*uint64(len(words)))
		words = append(words, v)
		return v, ok && len(words) < 1<<20
	}
	for zeros := 0; zeros < 2; { // argc and argv, envp
		v, ok := word()
		if !ok {
			return false
		}
		if v == 0 && len(words) > 1 {
			zeros++
		}
	}
	for {
		typ, ok1 := word()
		val, ok2 := word()
		if !ok1 || !ok2 {
			return false
		}
		const atPhdr, atEntry = 3, 9
		if typ == atPhdr || typ == atEntry {
			words[len(words)-1] = val - movedRip(val, m)
		}
		if typ == 0 {
			break
		}
	}
	b := make([]byte, 0, 8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	// Below the strings of the environment, whatever their length: only this
	// source moves the stack.
	to := uint64(stackTop-settled) - by
	if r.Rsp < to+uint64(len(b)) {
		return true // a large environment: where it is
	}
	r.Rsp = to
	return t.write(to, b)
}

// varies reports whether images are changed before they start.
func (k *Kernel) varies() bool { return k.tame }
