package fastpath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/cpusite"
)

// machine executes the few instructions that the code for cpuid consists of.
type machine struct {
	mem  []byte // from Base on
	regs [16]uint64
	rip  uint64
}

func (m *machine) reg(r x86asm.Reg) (n int, wide bool) {
	if r >= x86asm.RAX && r <= x86asm.R15 {
		return int(r - x86asm.RAX), true
	}
	return int(r - x86asm.EAX), false
}

func (m *machine) get(a x86asm.Arg) uint64 {
	switch a := a.(type) {
	case x86asm.Reg:
		n, wide := m.reg(a)
		if wide {
			return m.regs[n]
		}
		return uint64(uint32(m.regs[n]))
	case x86asm.Imm:
		return uint64(a)
	case x86asm.Mem:
		return m.load(m.addr(a))
	}
	panic(fmt.Sprint("operand ", a))
}

func (m *machine) addr(a x86asm.Mem) uint64 {
	v := uint64(a.Disp)
	if a.Base != 0 {
		v += m.get(a.Base)
	}
	if a.Index != 0 {
		v += m.get(a.Index) * uint64(a.Scale)
	}
	return v
}

func (m *machine) load(at uint64) uint64 { return binary.LittleEndian.Uint64(m.mem[at-Base:]) }

func (m *machine) set(r x86asm.Reg, v uint64) {
	n, wide := m.reg(r)
	if !wide {
		v = uint64(uint32(v))
	}
	m.regs[n] = v
}

// run executes from rip until it leaves the region's file.
func (m *machine) run(t *testing.T) {
	t.Helper()
	for range 1000 {
		if m.rip < Base || m.rip >= Base+uint64(len(m.mem)) {
			return
		}
		in, err := x86asm.Decode(m.mem[m.rip-Base:], 64)
		if err != nil {
			t.Fatalf("at %#x: %v", m.rip, err)
		}
		m.rip += uint64(in.Len)
		switch in.Op {
		case x86asm.MOV, x86asm.MOVSXD:
			m.set(in.Args[0].(x86asm.Reg), m.get(in.Args[1]))
		case x86asm.LEA:
			m.set(in.Args[0].(x86asm.Reg), m.addr(in.Args[1].(x86asm.Mem)))
		case x86asm.BSWAP:
			r := in.Args[0].(x86asm.Reg)
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], m.get(r))
			m.set(r, binary.LittleEndian.Uint64(b[:]))
		case x86asm.JRCXZ:
			if m.regs[1] == 0 {
				m.rip += uint64(int64(in.Args[0].(x86asm.Rel)))
			}
		case x86asm.JMP:
			switch a := in.Args[0].(type) {
			case x86asm.Rel:
				m.rip += uint64(int64(a))
			case x86asm.Mem:
				if a.Base == x86asm.RIP {
					m.rip = m.load(m.rip + uint64(a.Disp))
				} else {
					m.rip = m.load(m.addr(a))
				}
			default:
				m.rip = m.get(a)
			}
		default: // above all, what changes flags or memory
			t.Fatalf("at %#x: %v", m.rip, in)
		}
	}
	t.Fatal("no end")
}

func modelRegion(t *testing.T, m cpu.Model, cpus int) *Region {
	t.Helper()
	return regionOf(t, Facts{CPUID: m.Leaves(cpus), XCR0: m.XCR0()})
}

// The code at a replaced cpuid answers as the model says, for every leaf.
func TestCPUID(t *testing.T) {
	for _, name := range cpu.Names() {
		m, err := cpu.Named(name, cpu.Host())
		if err != nil {
			t.Fatal(err)
		}
		r := modelRegion(t, m, 4)
		// mov $4, %eax; cpuid; the first is moved away, so the leaf must be 4.
		const at = 0x5000
		for leaf := range uint32(40) {
			for _, leaf := range []uint32{leaf, leaf | 0x80000000, leaf | 0x40000000, ^leaf} {
				old := append(binary.LittleEndian.AppendUint32([]byte{0xb8}, leaf), 0x0f, 0xa2)
				s := r.Look(at, &cpusite.Site{Op: cpusite.CPUID, Size: 2, Before: 5, Old: old})
				if len(s.New) != 7 || s.Start != at-5 {
					t.Fatalf("%+v", s)
				}
				for _, sub := range []uint32{0, 1, 2, 3, 4, 5, 19, 0x100, ^uint32(0)} {
					v := machine{mem: r.mem}
					v.regs[1] = 0xdeadbeef<<32 | uint64(sub)
					v.rip = v.load(uint64(binary.LittleEndian.Uint32(s.New[3:])))
					v.run(t)
					got := cpu.Regs{uint32(v.regs[0]), uint32(v.regs[3]), uint32(v.regs[1]), uint32(v.regs[2])}
					if want := m.CPUID(leaf, sub, 4); got != want || v.regs[1]>>32 != 0 || v.rip != s.End() {
						t.Fatalf("%s: leaf %#x.%d: %x, want %x; goes on at %#x", name, leaf, sub, got, want, v.rip)
					}
				}
			}
		}
	}
}

func TestXGETBV(t *testing.T) {
	m, err := cpu.Named("x86-64-v3", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := modelRegion(t, m, 1)
	// xgetbv; mov %rax, %rsi; mov %edx, %edi
	s := r.Look(0x5000, &cpusite.Site{Op: cpusite.XGETBV, Size: 3, Old: []byte{0x0f, 0x01, 0xd0, 0x48, 0x89, 0xc6, 0x89, 0xd7}})
	v := machine{mem: r.mem}
	v.regs[2] = 5
	v.rip = v.load(uint64(binary.LittleEndian.Uint32(s.New[3:])))
	v.run(t)
	if v.regs[0] != 7 || v.regs[2] != 0 || v.regs[6] != 7 || v.regs[7] != 0 || v.rip != 0x5008 {
		t.Errorf("%x, goes on at %#x", v.regs, v.rip)
	}
	if want := []byte{0x0f, 0x32, 0xd0, 0x48, 0x89, 0xc6, 0x89, 0xd7}; !bytes.Equal(s.Trap, want) {
		t.Errorf("trap % x", s.Trap)
	}
}

// Where nothing around can be moved the instruction traps; so it does when there
// is no room for stubs.
func TestLookTraps(t *testing.T) {
	r := modelRegion(t, cpu.Model{Vendor: "GenuineIntel"}, 1)
	old := []byte{0x0f, 0xa2}
	if s := r.Look(0x5000, &cpusite.Site{Op: cpusite.CPUID, Size: 2, Old: old}); !bytes.Equal(s.New, []byte{0x0f, 0x32}) || s.Start != 0x5000 {
		t.Errorf("%+v", s)
	}
	r.stubs = maxStubs
	old = []byte{0xb8, 1, 0, 0, 0, 0x0f, 0xa2}
	if s := r.Look(0x5005, &cpusite.Site{Op: cpusite.CPUID, Size: 2, Before: 5, Old: old}); !bytes.Equal(s.New, []byte{0xb8, 1, 0, 0, 0, 0x0f, 0x32}) || s.Start != 0x5000 {
		t.Errorf("%+v", s)
	}
}

// A file of which nothing is to be replaced has an entry without a copy, which
// a copy takes the place of.
func TestClean(t *testing.T) {
	r := modelRegion(t, cpu.Model{Vendor: "GenuineIntel"}, 1)
	watched := 0
	watch := func() error { watched++; return nil }
	entry := func(i int) (ino, at uint64) {
		b := r.mem[tableOffset+textEntry*i:]
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[32:])
	}
	for ino := uint64(7); ino < 9; ino++ {
		if err := r.Clean(ino, watch); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Clean(7, watch); err == nil || watched != 2 {
		t.Errorf("%v, %d watched", err, watched)
	}
	old := []byte{0xb8, 1, 0, 0, 0, 0x0f, 0xa2}
	s := r.Look(0x7000005, &cpusite.Site{Op: cpusite.CPUID, Size: 2, Before: 5, Old: old})
	x, err := r.Copy(Text{Addr: 0x7000000, Size: 4096, Ino: 8}, false, []*Site{s}, func(at uint64) error {
		_, err := unix.Pwrite(r.file, old, int64(at))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if x.Sites[0x7000005] != s {
		t.Error("the copy has no site")
	}
	got := make([]byte, len(old))
	if _, err := unix.Pread(r.file, got, int64(x.At)); err != nil || !bytes.Equal(got, s.New) {
		t.Errorf("%v, % x", err, got)
	}
	if ino, at := entry(0); ino != 7 || at != 0 {
		t.Errorf("first: %d, %#x", ino, at)
	}
	if ino, at := entry(1); ino != 8 || at != x.At {
		t.Errorf("second: %d, %#x", ino, at)
	}
	if ino, _ := entry(2); ino != 0 {
		t.Errorf("third: %d", ino)
	}
}
