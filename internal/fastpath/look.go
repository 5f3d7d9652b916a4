package fastpath

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"dettrace/internal/cpu"
	"dettrace/internal/cpusite"
)

// Instructions that look at the CPU (package cpusite) are replaced whether or
// not calls are served: what they show must not depend on that. They are no
// events.

const (
	leavesOffset = tableOffset + textEntry*maxTexts // the table for cpuid
	entrySize    = 32
	entryNext    = 8
	entryAnswer  = 16

	cpuidOffset = 0x1e00 // the code for cpuid
)

// cpuTable lays out the table for cpuid, to lie at address at; see cpuid_amd64.s.
func cpuTable(at uint32, leaves []cpu.Leaf) []byte {
	le := binary.LittleEndian
	never := uint64(1) // minus a key that does not occur: leaf and subleaf -1
	b := make([]byte, 3*entrySize)
	le.PutUint64(b, never)
	le.PutUint64(b[entrySize:], never)
	last := [2]int{0, entrySize} // of each list
	for _, l := range leaves {
		list, key := 0, uint64(l.Leaf)|bits.ReverseBytes64(uint64(l.Sub))
		if l.Any {
			list, key = 1, uint64(l.Leaf)
		}
		le.PutUint64(b[last[list]+entryNext:], uint64(at)+uint64(len(b)))
		last[list] = len(b)
		b = le.AppendUint64(b, -key)
		b = le.AppendUint64(b, 0)
		for _, r := range l.Regs {
			b = le.AppendUint32(b, r)
		}
	}
	return b
}

// Look is the site of an instruction that looks at the CPU, at addr, by what
// replaces it: a jump to a stub that answers, or an instruction that traps.
func (r *Region) Look(addr uint64, f *cpusite.Site) *Site {
	old := f.Old
	for _, s := range r.looks[addr] {
		if bytes.Equal(s.Old, old) && s.Op == f.Op {
			return s
		}
	}
	trap := bytes.Clone(old)
	copy(trap[f.Before:], f.Trap())
	s := &Site{Addr: addr, Start: addr - uint64(f.Before), Old: old, Op: f.Op, Size: f.Size, Trap: trap, New: trap}
	if len(old) >= cpusite.Jump {
		r.jump(s)
	}
	if r.looks == nil {
		r.looks = map[uint64][]*Site{}
	}
	r.looks[addr] = append(r.looks[addr], s)
	return s
}

// jump makes a stub that answers for s, if there is room.
func (r *Region) jump(s *Site) {
	before := int(s.Addr - s.Start)
	head, ok1 := cpusite.Move(s.Old[:before], s.Start)
	tail, ok2 := cpusite.Move(s.Old[before+s.Size:], s.Addr+uint64(s.Size))
	if !ok1 || !ok2 {
		return
	}
	i, at, ok := r.room()
	if !ok {
		return
	}
	le := binary.LittleEndian
	b := bytes.Clone(head)
	if s.Op == cpusite.CPUID {
		done := uint32(at) + uint32(len(b)) + 10
		b = le.AppendUint32(append(b, 0xbb), done)                           // mov $done, %ebx
		b = le.AppendUint32(append(b, 0xe9), uint32(Base+cpuidOffset)-done)  // jmp cpuid
		b = append(b, 0x8b, 0x42, entryAnswer, 0x8b, 0x5a, entryAnswer+4)    // mov 16(%rdx), %eax; mov 20(%rdx), %ebx
		b = append(b, 0x8b, 0x4a, entryAnswer+8, 0x8b, 0x52, entryAnswer+12) // mov 24(%rdx), %ecx; mov 28(%rdx), %edx
	} else { // xgetbv
		b = le.AppendUint32(append(b, 0xb8), uint32(r.xcr0))     // mov $low, %eax
		b = le.AppendUint32(append(b, 0xba), uint32(r.xcr0>>32)) // mov $high, %edx
	}
	b = append(b, tail...)
	b = append(b, 0xff, 0x25, 0, 0, 0, 0) // jmp *(%rip)
	b = le.AppendUint64(b, s.End())
	if len(b) > stubSize {
		return // cpusite.Room is too large
	}
	r.put(i, at, at, b)
	s.New = patch(uint32(Base+pointerOffset+8*i), len(s.Old))
}
