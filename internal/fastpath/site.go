package fastpath

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

const (
	callSize  = 2 // syscall, rdtsc
	movSize   = 5 // mov $imm32, %eax
	patchSize = 7 // jmp *abs32
	maxTail   = stubSize - stubTail - stubJump

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
)

// Site is a system call instruction, or rdtsc, whose surroundings allow to
// replace it.
type Site struct {
	Addr     uint64 // of the instruction
	Start    uint64 // of the replaced bytes
	Old, New []byte // of one length
	Done     uint64 // the address in the stub where a call made at the site goes on
}

// tail is the part of the replaced bytes behind the call.
func (s *Site) tail() []byte { return s.Old[s.Addr-s.Start+callSize:] }

// End is the address behind the replaced bytes.
func (s *Site) End() uint64 { return s.Start + uint64(len(s.Old)) }

// Known is the site at addr whose replaced bytes are in text, which begins at
// base, or nil.
func (r *Region) Known(addr, base uint64, text []byte) *Site {
	for _, s := range r.sites[addr] {
		if s.Start >= base && s.End() <= base+uint64(len(text)) && bytes.Equal(text[s.Start-base:s.End()-base], s.Old) {
			return s
		}
	}
	return nil
}

// Wanted counts a stop at addr, and reports whether there were enough of them
// to look for a site there.
func (r *Region) Wanted(addr uint64) bool {
	r.seen[addr]++
	return r.seen[addr] == 2
}

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
			s = tailSite(addr, at, text)
		}
	case 0x31:
		k, s = tscRead, tailSite(addr, at, text)
	}
	if s == nil || entered(s, int(s.Start-base), text) || !r.newStub(s, k) {
		return nil
	}
	if r.sites[addr] == nil {
		i, _ := slices.BinarySearch(r.addrs, addr)
		r.addrs = slices.Insert(r.addrs, i, addr)
	}
	r.sites[addr] = append(r.sites[addr], s)
	return s
}

// fixedSite is "mov $nr, %eax; syscall".
func fixedSite(addr uint64, at int, text []byte) *Site {
	i := at - movSize
	if i < 0 || text[i] != 0xb8 || binary.LittleEndian.Uint32(text[i+1:]) >= pointerOffset-classOffset || !startsAt(text, i) {
		return nil
	}
	return &Site{Addr: addr, Start: addr - movSize, Old: bytes.Clone(text[i : at+callSize])}
}

// tailSite takes the instructions behind the call, such as "cmp $-4096, %rax",
// as far as they do not depend on where they are.
func tailSite(addr uint64, at int, text []byte) *Site {
	end := at + callSize
	for end-at < patchSize {
		n := movable(text[end:])
		if n == 0 || end+n-at-callSize > maxTail {
			return nil
		}
		end += n
	}
	return &Site{Addr: addr, Start: addr, Old: bytes.Clone(text[at:end])}
}

// movable is the size of the first instruction of b if it does the same at any
// address and does not lead away, else 0.
func movable(b []byte) int {
	in, err := x86asm.Decode(b, 64)
	if err != nil {
		return 0
	}
	switch in.Op {
	case x86asm.SYSCALL, x86asm.RET, x86asm.CALL, x86asm.JMP, x86asm.INT, x86asm.UD2, x86asm.HLT:
		return 0
	}
	for _, a := range in.Args {
		switch a := a.(type) {
		case x86asm.Rel:
			return 0
		case x86asm.Mem:
			if a.Base == x86asm.RIP {
				return 0
			}
		}
	}
	return in.Len
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
