package cpu

// The host's own CPU (host_amd64.s).

func cpuid(leaf, sub uint32) (a, b, c, d uint32)

func xgetbv() (a, d uint32)

// Host is the CPU that we run on.
func Host() Source { return ours{} }

type ours struct{}

func (ours) CPUID(leaf, sub uint32) Regs {
	a, b, c, d := cpuid(leaf, sub)
	return Regs{a, b, c, d}
}

func (o ours) XCR0() uint64 {
	if o.CPUID(1, 0)[ecx]>>27&1 == 0 { // OSXSAVE: the instruction exists
		return xSSE
	}
	a, d := xgetbv()
	return uint64(d)<<32 | uint64(a)
}
