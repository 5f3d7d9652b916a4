package cpusite

import (
	"math/rand/v2"
	"testing"
)

// Every place is found wherever it lies, in text of every length, and nothing else.
func TestNext(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []byte{0x0f, 0x0f, 0xa2, 0x01, 0xc7, 0x90, 0x10, 0x00, 0xff}
	for range 20_000 {
		buf := make([]byte, r.IntN(80))
		for i := range buf {
			buf[i] = 0x90
			if r.IntN(6) == 0 {
				buf[i] = alphabet[r.IntN(len(alphabet))]
			}
		}
		b, want := buf[:len(buf):len(buf)], -1
		for i := 0; i+1 < len(b) && want < 0; i++ {
			if b[i] == 0x0f && (b[i+1] == 0xa2 || b[i+1] == 0x01 || b[i+1] == 0xc7) {
				want = i
			}
		}
		if got := next(b); got != want {
			t.Fatalf("% x: %d, want %d", b, got, want)
		}
	}
}
