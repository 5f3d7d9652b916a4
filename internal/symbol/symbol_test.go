package symbol

import (
	"debug/elf"
	"os"
	"strings"
	"testing"
)

//go:noinline
func landmark() int { return 1 }

// fileOffset is where the test binary has a function, by its own table.
func fileOffset(t *testing.T, f *elf.File, name string) uint64 {
	t.Helper()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range syms {
		if s.Name != name {
			continue
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && s.Value >= p.Vaddr && s.Value-p.Vaddr < p.Filesz {
				return s.Value - p.Vaddr + p.Off
			}
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// self is this test's binary, which the go command builds with a symbol table
// if it is asked to keep it.
func self(t testing.TB) ([]byte, *elf.File) {
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return b, f
}

func TestAt(t *testing.T) {
	b, f := self(t)
	defer f.Close()
	if f.Section(".symtab") == nil {
		t.Skip("the go command has stripped this binary; test/guest runs one that is not")
	}
	const name = "dettrace/internal/symbol.landmark"
	off := fileOffset(t, f, name) + uint64(landmark())
	if got, ok := At(b, off); !ok || got != name+"+0x1" {
		t.Errorf("got %q %v", got, ok)
	}
	if got, ok := At(b, 1<<40); ok {
		t.Errorf("beyond the file: %q", got)
	}
}

// tiny is an ELF file with three symbols: a of 16 bytes at 0x1000, b without a
// size at 0x1020, and one whose name no terminal should see.
func tiny() []byte {
	b := make([]byte, 0x2000)
	put := func(at int, v uint64, n int) {
		for i := range n {
			b[at+i] = byte(v >> (8 * i))
		}
	}
	copy(b, "\x7fELF\x02\x01\x01")
	put(16, 3, 2)
	put(18, 62, 2)
	put(20, 1, 4)
	put(32, 64, 8)    // program headers
	put(40, 0x200, 8) // section headers
	put(52, 64, 2)
	put(54, 56, 2)
	put(56, 1, 2)
	put(58, 64, 2)
	put(60, 3, 2)
	put(64, 1, 4)       // PT_LOAD
	put(72, 0x800, 8)   // offset
	put(80, 0x1000, 8)  // address
	put(96, 0x1000, 8)  // in the file
	put(104, 0x1000, 8) // in memory
	symtab, strtab := 0x240, 0x280
	put(symtab+4, 2, 4)
	put(symtab+24, 0x400, 8)
	put(symtab+32, 4*24, 8)
	put(symtab+40, 2, 4)
	put(symtab+56, 24, 8)
	put(strtab+4, 3, 4)
	put(strtab+24, 0x500, 8)
	put(strtab+32, 12, 8)
	for i, s := range []struct{ name, value, size uint64 }{{1, 0x1000, 16}, {3, 0x1020, 0}, {5, 0x1100, 8}} {
		at := 0x400 + 24*(i+1)
		put(at, s.name, 4)
		b[at+4] = 2
		put(at+6, 1, 2)
		put(at+8, s.value, 8)
		put(at+16, s.size, 8)
	}
	copy(b[0x500:], "\x00a\x00b\x00\x1b[2J\x00")
	return b
}

func TestTiny(t *testing.T) {
	for _, c := range []struct {
		off  uint64
		want string
	}{{0x800, "a+0x0"}, {0x80f, "a+0xf"}, {0x810, ""}, {0x820, "b+0x0"}, {0x850, "b+0x30"}, {0x901, `\x1b[2J+0x1`}, {0x10, ""}, {0x17ff, "b+0xfdf"}, {0x1fff, ""}} {
		got, ok := At(tiny(), c.off)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%#x: %q %v, want %q", c.off, got, ok, c.want)
		}
	}
	if got := show([]byte(strings.Repeat("x", 500))); len(got) != nameMax+3 {
		t.Errorf("a name of %d bytes", len(got))
	}
}

// FuzzAt wants no panic that is not caught, whatever the file.
func FuzzAt(f *testing.F) {
	b := tiny()
	f.Add(b, uint64(0x801))
	for _, at := range []int{0x240 + 24, 0x240 + 32, 0x240 + 40, 0x280 + 24, 40, 60, 64 + 8} {
		c := append([]byte(nil), b...)
		for i := range 4 {
			c[at+i] = 0xff
		}
		f.Add(c, uint64(0x801))
	}
	f.Fuzz(func(_ *testing.T, b []byte, off uint64) { At(b, off) })
}
