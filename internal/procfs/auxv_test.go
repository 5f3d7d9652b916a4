package procfs

import (
	"encoding/binary"
	"slices"
	"testing"
)

// TestAuxv: the CPU's entries become constant, pointers stay, and a type of a
// newer kernel is not shown.
func TestAuxv(t *testing.T) {
	vector := func(words ...uint64) []byte {
		var b []byte
		for _, w := range words {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		return b
	}
	n := testNormaliser()
	one, ok1 := n.File("7/auxv", vector(16, 0x178bfbff, 25, 0x7ffe1000, 51, 3632, 26, 2, 999, 5, 0, 0), Facts{})
	two, ok2 := n.File("7/auxv", vector(16, 0x1fabfbff, 25, 0x7ffe1000, 51, 1776, 26, 0, 999, 7, 0, 0), Facts{})
	if !ok1 || !ok2 || !slices.Equal(one[:64], two[:64]) {
		t.Errorf("two hosts differ:\n%x\n%x", one, two)
	}
	if binary.LittleEndian.Uint64(one[24:]) != 0x7ffe1000 {
		t.Errorf("AT_RANDOM changed: %x", one)
	}
	if binary.LittleEndian.Uint64(one[64:]) == 999 {
		t.Errorf("unknown type shown: %x", one)
	}
	if _, ok := n.File("7/auxv", vector(16, 1)[:15], Facts{}); ok {
		t.Error("a torn vector was taken")
	}
}
