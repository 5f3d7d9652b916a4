// Package cpu declares the virtual CPUs that a guest can be shown: what
// cpuid(2 in the Intel manual) answers, the hardware capabilities in the
// auxiliary vector and the flags in /proc/cpuinfo, all from one table of features.
//
// A named model is a constant: the micro-architecture levels of the x86-64 psABI
// (section 3.1.1), and nothing that such a level does not ask for. So a result
// does not depend on the host's CPU as long as that has the level. Host is the
// exception: the features of the CPU at hand.
//
// What is random or differs between two runs (rdrand, rdseed, transactional
// memory, APIC ids, rdpid) no model shows.
package cpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Regs are eax, ebx, ecx and edx.
type Regs [4]uint32

// Source is a CPU that can be asked.
type Source interface {
	CPUID(leaf, sub uint32) Regs
	XCR0() uint64 // the register sets that the operating system saves
}

// Model is a virtual CPU.
type Model struct {
	Name                    string
	Vendor                  string // 12 bytes
	Family, Model, Stepping uint32
	Brand                   string // at most 47 bytes
	features                []feature
}

// Default is the level that a run gets: every CPU since 2009 has it.
const Default = "x86-64-v2"

// HostName names the model that has what the host's CPU has.
const HostName = "host"

const (
	intel = "GenuineIntel"
	amd   = "AuthenticAMD"
)

// ErrModel says that there is no model of a name.
var ErrModel = errors.New("no such CPU model")

// Names lists what Named takes, the smallest first.
func Names() []string {
	return []string{"x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4", HostName}
}

// Named is the model of that name. Family and model number are of a CPU that
// introduced the level, as programs choose between variants by them.
func Named(name string, host Source) (Model, error) {
	m := Model{Name: name, Vendor: intel, Family: 6, Brand: "dettrace " + name}
	level := 0
	switch name {
	case "x86-64-v1":
		level, m.Model, m.Stepping = 1, 0x0f, 6 // Merom
	case "x86-64-v2":
		level, m.Model, m.Stepping = 2, 0x1a, 5 // Nehalem
	case "x86-64-v3":
		level, m.Model, m.Stepping = 3, 0x3c, 3 // Haswell
	case "x86-64-v4":
		level, m.Model, m.Stepping = 4, 0x55, 4 // Skylake-SP
	case HostName:
		return hostModel(host), nil
	default:
		return Model{}, fmt.Errorf("%w: %q", ErrModel, name)
	}
	for _, f := range features() {
		if f.level > 0 && f.level <= level {
			m.features = append(m.features, f)
		}
	}
	return m, nil
}

// hostModel has those features of the CPU that are in the table.
func hostModel(q Source) Model {
	id := q.CPUID(0, 0)
	sign := q.CPUID(1, 0)[0]
	m := Model{Name: HostName, Brand: brandOf(q), Vendor: vendorOf(id), Stepping: sign & 15, Family: sign >> 8 & 15, Model: sign >> 4 & 15}
	if m.Family == 15 {
		m.Family += sign >> 20 & 0xff
	}
	if m.Family == 6 || m.Family >= 15 {
		m.Model |= sign >> 12 & 0xf0
	}
	x := q.XCR0()
	xsave := x&xAVX == xAVX && featureIn(q, "xsavec")
	for _, f := range features() {
		if f.in(q) && x&f.state == f.state && (xsave || !f.xsave && f.state == 0) {
			m.features = append(m.features, f)
		}
	}
	return m
}

// featureIn reports whether the CPU has the feature of that name.
func featureIn(q Source, name string) bool {
	return slices.ContainsFunc(features(), func(f feature) bool { return f.name == name && f.in(q) })
}

func vendorOf(r Regs) string {
	var b []byte
	for _, v := range []uint32{r[1], r[3], r[2]} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return string(b)
}

func brandOf(q Source) string {
	var b []byte
	for leaf := uint32(0x80000002); leaf <= 0x80000004; leaf++ {
		for _, v := range q.CPUID(leaf, 0) {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.TrimSpace(s)
}

// Missing names the features of m that the CPU which q asks does not have, or
// whose registers its operating system does not save.
func (m Model) Missing(q Source) []string {
	var out []string
	q = remembered{q, map[[2]uint32]Regs{}}
	x := q.XCR0()
	for _, f := range m.features {
		if !f.in(q) || x&f.state != f.state {
			out = append(out, f.name)
		}
	}
	return out
}

// Flags are the names of the features as /proc/cpuinfo has them, in the
// kernel's order, on a machine of so many CPUs.
func (m Model) Flags(cpus int) string {
	var out []string
	for _, f := range m.features {
		if f.hidden || f.smp && cpus < 2 {
			continue
		}
		out = append(out, f.name)
	}
	return strings.Join(out, " ")
}

// HWCAP is AT_HWCAP: edx of leaf 1.
func (m Model) HWCAP(cpus int) uint64 { return uint64(m.CPUID(1, 0, cpus)[3]) }

// XCR0 is what xgetbv answers: the register sets that programs may use.
func (m Model) XCR0() uint64 {
	x := uint64(0)
	if m.has("osxsave") {
		x = xSSE
	}
	for _, f := range m.features {
		x |= f.state
	}
	return x
}

func (m Model) has(name string) bool {
	return slices.ContainsFunc(m.features, func(f feature) bool { return f.name == name })
}

// Level is the highest leaf of the basic range.
func (m Model) Level() uint32 {
	if m.has("osxsave") {
		return 13
	}
	return 11
}
