package fastpath

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"dettrace/internal/cpusite"
)

const (
	callSize  = 2 // syscall, rdtsc
	movSize   = 5 // mov $imm32, %eax
	patchSize = 7 // jmp *abs32

	// Near is how much text Region.Find wants on each side of a call: branches
	// into the bytes to be replaced are looked for there.
	Near = 32 << 10
	// short is the reach of a jump with an 8-bit displacement.
	short = 128 + 2
)

// kind is what a site is.
type kind uint8

const (
	tailCall  kind = iota // a system call, and the instructions behind it
	fixedCall             // mov $nr, %eax; syscall
	tscRead               // rdtsc, and the instructions behind it
	headCall              // the instructions before a system call
)

// Site is a system call instruction, or rdtsc, whose surroundings allow to
// replace it.
type Site struct {
	Addr     uint64 // of the instruction
	Start    uint64 // of the replaced bytes
	Old, New []byte // of one length
	Done     uint64 // the address in the stub where a call made at the site goes on
	// Again, if not 0, is where a thread that stands at Addr goes on instead:
	// something behind the instruction is done before it.
	Again uint64
	// Of an instruction that looks at the CPU: which one, its size, and the
	// replaced bytes with one in its place that traps.
	Op   cpusite.Op
	Size int
	Trap []byte

	kind   kind
	first  []byte // what is done before the instruction
	tail   []byte // what the bytes behind it do, for the stub
	spoils bool   // tail needs rcx
}

// Inside reports whether a thread at rip would go on within the replaced bytes, or is
// to make the call there once more.
func (s *Site) Inside(rip uint64) bool {
	if s.kind == headCall {
		return rip > s.Start && rip < s.End()
	}
	return rip > s.Start && rip <= s.End()
}

// Stays reports that the instruction itself is not among the replaced bytes: calls that
// are not served are still made there.
func (s *Site) Stays() bool { return s.kind == headCall }

// End is the address behind the replaced bytes.
func (s *Site) End() uint64 { return s.Start + uint64(len(s.Old)) }

// needs are the bytes that must be at Start for s to be what is there.
func (s *Site) needs() []byte {
	if s.Stays() {
		return append(bytes.Clone(s.Old), 0x0f, 0x05)
	}
	return s.Old
}

// Known is the site at addr whose replaced bytes are in text, which begins at
// base, or nil.
func (r *Region) Known(addr, base uint64, text []byte) *Site {
	for _, s := range r.sites[addr] {
		if b := s.needs(); s.Start >= base && s.Start-base <= uint64(len(text)) && bytes.HasPrefix(text[s.Start-base:], b) {
			return s
		}
	}
	return nil
}

// Wanted counts a stop at addr, and reports whether there were enough of them
// to look for a site there.
func (r *Region) Wanted(addr uint64) bool {
	if len(r.seen) == maxSeen {
		clear(r.seen) // addresses are random
	}
	r.seen[addr]++
	if r.random {
		return r.seen[addr] == worthAlone
	}
	return r.seen[addr] == worth
}

// maxSeen bounds the addresses whose stops are counted.
const maxSeen = 1 << 16

// worth is how many stops cost what a search costs, which reads 64 KiB of text that
// often nobody else would have read. A short run of its own never gets there.
const worth = 6

// worthAlone is worth where no other process will have the same site at the same address.
const worthAlone = 48

// Addrs lists the addresses from..to that have a site, in order. The slice is
// valid until the next Find.
func (r *Region) Addrs(from, to uint64) []uint64 {
	i, _ := slices.BinarySearch(r.addrs, from)
	j, _ := slices.BinarySearch(r.addrs, to)
	return r.addrs[i:max(i, j)]
}

// Find makes a site of the call at addr, given the text from base on around
// it. It returns nil where the instruction cannot be replaced, which is no
// error: its calls stop.
func (r *Region) Find(addr, base uint64, text []byte) *Site {
	if s := r.Known(addr, base, text); s != nil {
		return s
	}
	at := int(addr - base)
	if addr < base || at+callSize > len(text) || text[at] != 0x0f {
		return nil
	}
	var s *Site
	k := tailCall
	switch text[at+1] {
	case 0x05:
		if s = fixedSite(addr, at, text); s != nil {
			k = fixedCall
		} else {
			s = tailSite(addr, at, text, k)
		}
		if s == nil {
			k = headCall
			s = headSite(addr, at, text)
		}
	case 0x31:
		k = tscRead
		s = tailSite(addr, at, text, k)
	}
	if s == nil || entered(s, int(s.Start-base), text) || !r.newStub(s, k) {
		return nil
	}
	r.enterSite(s)
	return s
}

// enterSite makes s known.
func (r *Region) enterSite(s *Site) {
	if r.sites[s.Addr] == nil {
		i, _ := slices.BinarySearch(r.addrs, s.Addr)
		r.addrs = slices.Insert(r.addrs, i, s.Addr)
	}
	r.sites[s.Addr] = append(r.sites[s.Addr], s)
}

// fixedSite is "mov $nr, %eax; syscall".
func fixedSite(addr uint64, at int, text []byte) *Site {
	i := at - movSize
	if i < 0 || text[i] != 0xb8 || binary.LittleEndian.Uint32(text[i+1:]) >= maxCalls || !startsAt(text, i) {
		return nil
	}
	return &Site{Addr: addr, Start: addr - movSize, Old: bytes.Clone(text[i : at+callSize]), kind: fixedCall}
}

// tailSite takes the instructions behind the call, such as "cmp $-4096, %rax",
// as far as they can do the same elsewhere.
func tailSite(addr uint64, at int, text []byte, k kind) *Site {
	s := &Site{Addr: addr, Start: addr, kind: k}
	end := at + callSize
	for end-at < patchSize {
		n := s.move(text[end:], addr+uint64(end-at), k)
		if n == 0 || stubLen(s, k) > stubSize {
			return nil
		}
		end += n
	}
	s.Old = bytes.Clone(text[at:end])
	return s
}

// move takes the instruction that b begins with, which is at addr, into the
// tail, and returns its size; 0 if it must stay where it is.
func (s *Site) move(b []byte, addr uint64, k kind) int {
	in, err := x86asm.Decode(b, 64)
	if err != nil || vector(b) {
		return 0
	}
	switch in.Op {
	case x86asm.SYSCALL, x86asm.RET, x86asm.CALL, x86asm.JMP, x86asm.INT, x86asm.UD2, x86asm.HLT:
		return 0
	}
	relative := false
	for _, a := range in.Args {
		switch a := a.(type) {
		case x86asm.Rel:
			return 0
		case x86asm.Mem:
			relative = relative || a.Base == x86asm.RIP
		}
	}
	switch {
	case !relative:
		s.tail = append(s.tail, b[:in.Len]...)
		return in.Len
	case !pcRelative(b, &in):
		return 0
	}
	base := byte(regRCX)
	if k == tscRead {
		base = regRDX
	}
	code, spoils := relocate(b, &in, addr, base)
	switch {
	case !spoils:
		s.tail = append(s.tail, code...)
	case k == tscRead:
		// Both registers have a value behind rdtsc. It does not matter to the
		// instruction whether it comes first if it uses neither.
		if len(s.tail) > 0 || len(s.first) > 0 || touches(&in, append(namesOfRAX(), namesOfRDX()...)...) {
			return 0
		}
		s.first = code
	default:
		if touches(&in, namesOfRCX()...) {
			return 0
		}
		s.tail, s.spoils = append(s.tail, code...), true
	}
	return in.Len
}

// vector reports an encoding with a VEX, EVEX or XOP prefix, which the decoder
// takes for instructions that 64-bit code does not have.
func vector(b []byte) bool {
	return len(b) > 0 && (b[0] == 0xc4 || b[0] == 0xc5 || b[0] == 0x62 || b[0] == 0x8f)
}

// startsAt reports whether an instruction of the code in text starts at i. The
// encoding synchronises itself: decoding from a little earlier on nearly always
// falls into step.
func startsAt(text []byte, i int) bool {
	return slices.Contains(starts(text, max(i-short, 0), i+1), i)
}

// starts lists where instructions start from from to to. It takes the first of
// some beginnings from which decoding meets no nonsense.
func starts(text []byte, from, to int) []int {
	for begin := from; begin < from+16; begin++ {
		var out []int
		ok := true
		for i := begin; i < to; {
			out = append(out, i)
			in, err := x86asm.Decode(text[i:], 64)
			if err != nil { // an instruction that the decoder does not know
				ok = false
				i++
				continue
			}
			i += in.Len
		}
		if ok || begin == from+15 {
			return out
		}
	}
	return nil
}

// entered reports whether a branch leads into the middle of the bytes of s, which
// start at i: what it expects there would be gone. Long branches are
// recognised at every offset, as their displacements hit by chance once in
// four billion; short ones only where an instruction starts.
func entered(s *Site, i int, text []byte) bool {
	inside := func(to int) bool { return to > i && to < i+len(s.Old) }
	for at := 0; at+5 <= len(text); at++ {
		op := at
		if text[at] == 0x0f && text[at+1]&0xf0 == 0x80 {
			op++
		} else if text[at] != 0xe8 && text[at] != 0xe9 {
			continue
		}
		if op+5 <= len(text) && inside(op+5+int(int32(binary.LittleEndian.Uint32(text[op+1:])))) {
			return true
		}
	}
	from, to := max(i-short, 0), min(i+len(s.Old)+short, len(text)-2)
	for _, at := range starts(text, from, to) {
		if b := text[at]; (b&0xf0 == 0x70 || b == 0xeb || b&0xfc == 0xe0) && inside(at+2+int(int8(text[at+1]))) {
			return true
		}
	}
	return false
}
