package cpu

import (
	"encoding/binary"
	"math/bits"
)

// Leaf is one entry of the table that cpuid is answered from.
type Leaf struct {
	Leaf, Sub uint32
	Any       bool // Sub is not looked at
	Regs      Regs
}

// xsaveRoom is what leaf 13 says a buffer for the registers needs, in bytes.
// XSAVE writes what the host's kernel has enabled, whatever we show, so it is
// the most that any CPU known today writes (with AMX); XSAVEC needs that room, too,
// but writes only what is in use.
const xsaveRoom = 11008

// CPUID is what the instruction answers on a machine of so many CPUs: zeros for
// what is not in the table.
func (m Model) CPUID(leaf, sub uint32, cpus int) Regs {
	for _, l := range m.Leaves(cpus) {
		if l.Leaf == leaf && (l.Any || l.Sub == sub) {
			return l.Regs
		}
	}
	return Regs{}
}

// Leaves is the table for a machine of one socket with so many cores of one
// thread. The APIC id is 0 wherever it is asked: threads are on CPU 0.
func (m Model) Leaves(cpus int) []Leaf {
	cpus = max(cpus, 1)
	shift := uint32(bits.Len(uint(cpus - 1)))
	share := uint32(1)<<shift - 1
	var out []Leaf
	any := func(leaf uint32, r Regs) { out = append(out, Leaf{leaf, 0, true, m.with(leaf, 0, cpus, r)}) }
	one := func(leaf, sub uint32, r Regs) { out = append(out, Leaf{leaf, sub, false, m.with(leaf, sub, cpus, r)}) }

	v := m.vendor()
	any(0, Regs{m.Level(), v[0], v[2], v[1]})
	any(1, Regs{m.signature(), uint32(min(cpus, 255))<<16 | 8<<8, 0, 0}) // lines of 8 quad-words
	if m.Vendor == intel {
		any(2, Regs{0x00feff01, 0, 0, 0}) // "see leaf 4"
	}
	for i, c := range m.caches() {
		if m.Vendor != intel {
			break
		}
		one(4, uint32(i), c.leaf(min(share, 1<<12-1), min(share, 1<<6-1)<<26))
	}
	one(7, 0, Regs{m.sub7()})
	one(7, 1, Regs{})
	one(11, 0, Regs{0, 1, 0x100, 0})
	one(11, 1, Regs{shift, uint32(cpus), 0x201, 0})
	if m.Level() >= 13 {
		x := uint32(m.XCR0())
		one(13, 0, Regs{x, xsaveRoom, xsaveRoom, 0})
		one(13, 1, Regs{0, xsaveRoom, 0, 0})
		// The sizes of the sets, also of those that we do not show: XSAVEC
		// wants room for each that the host's kernel has enabled, and glibc
		// adds up what it finds here (sysdeps/x86/cpu-features.c).
		for _, s := range []struct{ n, size, at uint32 }{{2, 256, 576}, {5, 64, 1088}, {6, 512, 1152}, {7, 1024, 1664}, {19, 128, 960}} {
			one(13, s.n, Regs{s.size, s.at, 0, 0})
		}
	}
	ext := Regs{0x80000008, 0, 0, 0}
	if m.Vendor == amd {
		ext = Regs{0x80000008, v[0], v[2], v[1]}
	}
	any(0x80000000, ext)
	any(0x80000001, Regs{})
	brand := make([]byte, 48)
	copy(brand[:47], m.Brand)
	for i := range uint32(3) {
		var r Regs
		for j := range r {
			r[j] = binary.LittleEndian.Uint32(brand[16*int(i)+4*j:])
		}
		any(0x80000002+i, r)
	}
	l2, l3 := m.caches()[2], m.caches()[3]
	if m.Vendor == amd {
		any(0x80000005, Regs{0, 0, 32<<24 | 8<<16 | 1<<8 | 64, 32<<24 | 8<<16 | 1<<8 | 64})
		any(0x80000006, Regs{0, 0, l2.size()>>10<<16 | 6<<12 | 1<<8 | 64, l3.size()>>19<<18 | 8<<12 | 1<<8 | 64})
	} else {
		any(0x80000006, Regs{0, 0, l2.size()>>10<<16 | 6<<12 | 64, 0})
	}
	any(0x80000007, Regs{0, 0, 0, 1 << 8}) // the counter never stops
	sizes := Regs{PhysBits | VirtBits<<8, 0, 0, 0}
	if m.Vendor == amd {
		sizes[ecx] = shift<<12 | uint32(min(cpus-1, 255)) // cores
	}
	any(0x80000008, sizes)
	return out
}

// Sizes of addresses, in bits.
const (
	PhysBits = 40
	VirtBits = 48
)

// with adds the feature bits of a leaf to r.
func (m Model) with(leaf, sub uint32, cpus int, r Regs) Regs {
	for _, f := range m.features {
		if f.leaf == leaf && f.sub == sub && (!f.smp || cpus > 1) {
			r[f.reg] |= 1 << f.bit
		}
	}
	return r
}

// sub7 is the highest subleaf of leaf 7.
func (m Model) sub7() uint32 {
	for _, f := range m.features {
		if f.leaf == 7 && f.sub == 1 {
			return 1
		}
	}
	return 0
}

func (m Model) vendor() (v [3]uint32) {
	for i := range v {
		v[i] = binary.LittleEndian.Uint32([]byte(m.Vendor)[4*i:])
	}
	return v
}

// signature is eax of leaf 1.
func (m Model) signature() uint32 {
	family, ext := m.Family, uint32(0)
	if family >= 15 {
		family, ext = 15, m.Family-15
	}
	return ext<<20 | m.Model>>4<<16 | family<<8 | m.Model&15<<4 | m.Stepping
}

// cache is one level of them.
type cache struct {
	kind, level uint32 // 1 data, 2 instructions, 3 both
	ways, sets  uint32
	shared      bool
}

func (c cache) size() uint32 { return c.ways * c.sets * 64 }

// caches are those of a CPU of the desktop class, the same for all models: how
// programs cut their work up depends on them.
func (Model) caches() [4]cache {
	return [4]cache{{1, 1, 8, 64, false}, {2, 1, 8, 64, false}, {3, 2, 8, 512, false}, {3, 3, 16, 8192, true}}
}

// leaf is the entry of leaf 4.
func (c cache) leaf(share, cores uint32) Regs {
	r := Regs{c.kind | c.level<<5 | 1<<8 | cores, 63 | (c.ways-1)<<22, c.sets - 1, 0}
	if c.shared {
		r[0] |= share << 14
		r[3] = 2 // it holds what the lower ones hold
	}
	return r
}

// CacheKB is the size of the last level, as in /proc/cpuinfo.
func (m Model) CacheKB() int { return int(m.caches()[3].size() >> 10) }
