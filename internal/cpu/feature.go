package cpu

import "sync"

// Register sets in XCR0.
const (
	xSSE    = 3           // x87, SSE
	xAVX    = xSSE | 4    // and the upper halves of ymm
	xAVX512 = xAVX | 7<<5 // and opmask, the upper halves of zmm0-15, zmm16-31
)

// feature is one bit of cpuid.
type feature struct {
	name      string // as in /proc/cpuinfo
	leaf, sub uint32
	reg, bit  uint8
	// level is the psABI level that asks for it; 0: only the host's CPU shows it.
	level  int
	state  uint64 // bits of XCR0 that it needs
	hidden bool   // not in /proc/cpuinfo
	smp    bool   // only with more than one CPU
	xsave  bool   // is about saving registers
}

// in reports whether the CPU that q asks has f.
func (f *feature) in(q Source) bool {
	return f.smp || maxLeaf(q, f.leaf) && q.CPUID(f.leaf, f.sub)[f.reg]>>f.bit&1 != 0
}

// remembered asks a Source once for each leaf: cpuid leaves a virtual machine,
// which takes 10 us.
type remembered struct {
	Source
	known map[[2]uint32]Regs
}

// CPUID implements Source.
func (m remembered) CPUID(leaf, sub uint32) Regs {
	key := [2]uint32{leaf, sub}
	r, ok := m.known[key]
	if !ok {
		r = m.Source.CPUID(leaf, sub)
		m.known[key] = r
	}
	return r
}

// maxLeaf reports whether leaf is in its range.
func maxLeaf(q Source, leaf uint32) bool { return q.CPUID(leaf&0x80000000, 0)[0] >= leaf }

const (
	eax = iota
	ebx
	ecx
	edx
)

// features lists what a model may show, in the order of the kernel's words
// (arch/x86/include/asm/cpufeatures.h). What is not here nobody sees, above all:
// rdrand, rdseed, rdpid, hle, rtm, monitor, hypervisor, x2apic, pku, cet, amx,
// fsgsbase (AT_HWCAP2 does not offer it either), xgetbv1 and xsaves. The list is
// made once, and nobody's to change.
var features = sync.OnceValue(func() []feature {
	out := make([]feature, 0, 80)
	word := func(leaf, sub uint32, reg uint8, list ...feature) {
		for _, f := range list {
			f.leaf, f.sub, f.reg = leaf, sub, reg
			out = append(out, f)
		}
	}
	at := func(bit uint8, name string, level int) feature { return feature{name: name, bit: bit, level: level} }
	avx := func(bit uint8, name string, level int) feature {
		return feature{name: name, bit: bit, level: level, state: xAVX}
	}
	zmm := func(bit uint8, name string, level int) feature {
		return feature{name: name, bit: bit, level: level, state: xAVX512}
	}
	ht := at(28, "ht", 1)
	ht.smp = true
	osxsave := at(27, "osxsave", 3)
	osxsave.hidden, osxsave.xsave = true, true
	save := func(bit uint8, name string) feature { return feature{name: name, bit: bit, level: 3, xsave: true} }
	word(1, 0, edx, at(0, "fpu", 1), at(1, "vme", 1), at(2, "de", 1), at(3, "pse", 1), at(4, "tsc", 1), at(5, "msr", 1),
		at(6, "pae", 1), at(7, "mce", 1), at(8, "cx8", 1), at(9, "apic", 1), at(11, "sep", 1), at(12, "mtrr", 1),
		at(13, "pge", 1), at(14, "mca", 1), at(15, "cmov", 1), at(16, "pat", 1), at(17, "pse36", 1), at(19, "clflush", 1),
		at(23, "mmx", 1), at(24, "fxsr", 1), at(25, "sse", 1), at(26, "sse2", 1), ht)
	word(0x80000001, 0, edx, at(11, "syscall", 1), at(20, "nx", 1), at(22, "mmxext", 0), at(29, "lm", 1))
	word(0x80000007, 0, edx, at(8, "nonstop_tsc", 0))
	word(1, 0, ecx, at(0, "pni", 2), at(1, "pclmulqdq", 0), at(9, "ssse3", 2), avx(12, "fma", 3), at(13, "cx16", 2),
		at(19, "sse4_1", 2), at(20, "sse4_2", 2), at(22, "movbe", 3), at(23, "popcnt", 2), at(25, "aes", 0),
		save(26, "xsave"), osxsave, avx(28, "avx", 3), avx(29, "f16c", 3))
	word(0x80000001, 0, ecx, at(0, "lahf_lm", 2), at(5, "abm", 3), at(6, "sse4a", 0), at(7, "misalignsse", 0), at(8, "3dnowprefetch", 0))
	word(7, 0, ebx, at(3, "bmi1", 3), avx(5, "avx2", 3), at(8, "bmi2", 3), at(9, "erms", 0), zmm(16, "avx512f", 4),
		zmm(17, "avx512dq", 4), at(19, "adx", 0), zmm(21, "avx512ifma", 0), at(23, "clflushopt", 0), at(24, "clwb", 0),
		zmm(28, "avx512cd", 4), at(29, "sha_ni", 0), zmm(30, "avx512bw", 4), zmm(31, "avx512vl", 4))
	// With XSAVEC glibc adds up the sizes of leaf 13 for the frame of its lazy
	// binding; with XSAVE it would take the 11 KB of all sets.
	word(13, 1, eax, save(0, "xsaveopt"), save(1, "xsavec"))
	word(7, 1, eax, avx(4, "avx_vnni", 0), zmm(5, "avx512_bf16", 0))
	word(7, 0, ecx, zmm(1, "avx512vbmi", 0), zmm(6, "avx512_vbmi2", 0), at(8, "gfni", 0), avx(9, "vaes", 0), avx(10, "vpclmulqdq", 0),
		zmm(11, "avx512_vnni", 0), zmm(12, "avx512_bitalg", 0), zmm(14, "avx512_vpopcntdq", 0))
	word(7, 0, edx, at(4, "fsrm", 0))
	return out
})
