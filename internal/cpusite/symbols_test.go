package cpusite

import (
	"math/rand/v2"
	"testing"
)

// Asking a few times and asking many finds the same functions, those that others
// overlap too.
func TestSymbolSearch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var l spans
	for range 500 {
		addr := 16 * rnd.Uint64N(200)
		l = append(l, span{addr, addr + 1 + rnd.Uint64N(64)})
	}
	sorted := append(spans(nil), l...)
	sorted.sort()
	for addr := uint64(0); addr < 3500; addr++ {
		s, ok := l.search(addr)
		if w, want := sorted.find(addr); ok != want || ok && s != w {
			t.Fatalf("%d: %v %v, want %v %v", addr, s, ok, w, want)
		}
	}
	if _, ok := spans(nil).search(0); ok {
		t.Error("found in nothing")
	}
}
