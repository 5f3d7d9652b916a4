package cpu

import (
	"errors"
	"strings"
	"testing"
)

// shown is a model as a CPU that can be asked.
type shown struct {
	m    Model
	cpus int
}

func (s shown) CPUID(leaf, sub uint32) Regs { return s.m.CPUID(leaf, sub, s.cpus) }
func (s shown) XCR0() uint64                { return s.m.XCR0() }

func named(t *testing.T, name string) Model {
	t.Helper()
	m, err := Named(name, Host())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Each level has what the one below has, and itself.
func TestLevelsNest(t *testing.T) {
	names := Names()[:4]
	for i, low := range names {
		for j, high := range names {
			missing := named(t, low).Missing(shown{named(t, high), 1})
			if (len(missing) == 0) != (i <= j) {
				t.Errorf("%s lacks of %s: %v", high, low, missing)
			}
		}
	}
}

// The levels are those of the psABI (x86-64 ABI, table 3.1).
func TestLevels(t *testing.T) {
	for name, flags := range map[string]string{
		"x86-64-v1": "cmov cx8 fpu fxsr mmx syscall sse sse2",
		"x86-64-v2": "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
		"x86-64-v3": "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave",
		"x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
	} {
		have := " " + named(t, name).Flags(1) + " "
		for _, f := range strings.Fields(flags) {
			if !strings.Contains(have, " "+f+" ") {
				t.Errorf("%s lacks %s:%s", name, f, have)
			}
		}
		if name == "x86-64-v2" && (strings.Contains(have, "xsave") || strings.Contains(have, "avx")) {
			t.Errorf("%s has too much:%s", name, have)
		}
	}
}

// What no model shows: leaf, register, bit.
func TestHidden(t *testing.T) {
	for _, name := range Names() {
		m := named(t, name)
		for what, x := range map[string][4]uint32{
			"rdrand": {1, 0, ecx, 30}, "rdseed": {7, 0, ebx, 18}, "hle": {7, 0, ebx, 4}, "rtm": {7, 0, ebx, 11},
			"rdpid": {7, 0, ecx, 22}, "hypervisor": {1, 0, ecx, 31}, "x2apic": {1, 0, ecx, 21}, "xsaves": {13, 1, eax, 3},
			"xgetbv1": {13, 1, eax, 2}, "pku": {7, 0, ecx, 3}, "fsgsbase": {7, 0, ebx, 0}, "amx_tile": {7, 0, edx, 24},
			"rtm_always_abort": {7, 0, edx, 11}, "waitpkg": {7, 0, ecx, 5}, "topoext": {0x80000001, 0, ecx, 22}, "rdtscp": {0x80000001, 0, edx, 27},
		} {
			if m.CPUID(x[0], x[1], 4)[x[2]]>>x[3]&1 != 0 {
				t.Errorf("%s shows %s", name, what)
			}
		}
		if id := m.CPUID(1, 0, 4)[ebx] >> 24; id != 0 {
			t.Errorf("%s: APIC id %d", name, id)
		}
	}
}

func TestTopology(t *testing.T) {
	m := named(t, "x86-64-v2")
	for _, c := range []struct{ cpus, shift uint32 }{{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {16, 4}} {
		n := int(c.cpus)
		if r := m.CPUID(11, 1, n); r != (Regs{c.shift, c.cpus, 0x201, 0}) {
			t.Errorf("%d CPUs: leaf 11 %v", n, r)
		}
		if r := m.CPUID(11, 0, n); r != (Regs{0, 1, 0x100, 0}) {
			t.Errorf("%d CPUs: leaf 11, threads of a core %v", n, r)
		}
		if got := m.CPUID(1, 0, n); got[ebx]>>16&0xff != c.cpus || got[edx]>>28&1 != 0 != (n > 1) {
			t.Errorf("%d CPUs: leaf 1 %x", n, got)
		}
		l3 := m.CPUID(4, 3, n)
		if l3[0]>>14&0xfff != 1<<c.shift-1 || l3[0]>>26 != 1<<c.shift-1 {
			t.Errorf("%d CPUs: last cache %x", n, l3)
		}
		if size := (l3[1]>>22 + 1) * (l3[1]&0xfff + 1) * (l3[2] + 1); size != uint32(m.CacheKB())<<10 {
			t.Errorf("last cache of %d bytes", size)
		}
	}
}

// The host's model shows nothing that the host lacks, and named ones are refused by name.
func TestHost(t *testing.T) {
	m := named(t, HostName)
	if miss := m.Missing(Host()); len(miss) > 0 {
		t.Errorf("the host lacks %v", miss)
	}
	if len(m.Brand) > 47 || len(m.Vendor) != 12 {
		t.Errorf("%q, %q", m.Brand, m.Vendor)
	}
	if id := (shown{m, 1}).CPUID(1, 0)[0]; id != Host().CPUID(1, 0)[0]&0x0fff0fff {
		t.Errorf("signature %#x, the host's %#x", id, Host().CPUID(1, 0)[0])
	}
	if _, err := Named("x86-64", Host()); !errors.Is(err, ErrModel) {
		t.Errorf("no such model: %v", err)
	}
	if HWCAP := named(t, "x86-64-v4").HWCAP(1); HWCAP != 0x078bfbff {
		t.Errorf("AT_HWCAP %#x", HWCAP)
	}
}

// A CPU without what a level asks for, or whose kernel does not save it.
func TestMissing(t *testing.T) {
	v4 := shown{named(t, "x86-64-v4"), 1}
	noSave := noZMM{v4}
	if got := strings.Join(v4.m.Missing(noSave), " "); got != "avx512f avx512dq avx512cd avx512bw avx512vl" {
		t.Errorf("missing %s", got)
	}
	if miss := named(t, "x86-64-v3").Missing(noSave); miss != nil {
		t.Errorf("v3: missing %v", miss)
	}
	if h, _ := Named(HostName, noSave); h.XCR0() != 7 || h.CPUID(13, 0, 1)[0] != 7 {
		t.Errorf("registers %#x", h.XCR0())
	}
}

// noZMM is a CPU whose kernel does not save zmm registers.
type noZMM struct{ Source }

func (noZMM) XCR0() uint64 { return 7 }
