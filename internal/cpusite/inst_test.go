package cpusite

import (
	"debug/elf"
	"os"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// The sizes of instructions are those that x86asm finds, over our own text.
func TestSizes(t *testing.T) {
	if len(oneByte) != 256 || len(twoByte) != 256 {
		t.Fatalf("tables of %d and %d", len(oneByte), len(twoByte))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := f.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	n, bad := 0, 0
	for at := 0; at+16 < len(text); {
		want, err := x86asm.Decode(text[at:], 64)
		if err != nil {
			at++ // vectors, and data
			continue
		}
		n++
		if in, ok := decode(text[at:]); !in.vectors && (!ok || in.size != want.Len) && bad < 20 { // x86asm does not know vzeroupper
			bad++
			t.Errorf("% x: %v: %d, want %d", text[at:at+12], want, in.size, want.Len)
		}
		at += want.Len
	}
	if n < 100_000 {
		t.Errorf("%d instructions", n)
	}
}
