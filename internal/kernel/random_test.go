package kernel

import (
	"bytes"
	"testing"
)

// However the stream is cut into pieces, and looked at ahead, its bytes are the same.
func TestStream(t *testing.T) {
	want := newStream(1, "x").bytes(200)
	s := newStream(1, "x")
	var got []byte
	for _, n := range []int{8, 3, 0, 64, 1, 24, 100} {
		ahead := bytes.Clone(s.peek(64))
		b := s.bytes(n)
		if k := min(n, 64); !bytes.Equal(ahead[:k], b[:k]) {
			t.Errorf("%x was ahead of %x", ahead, b)
		}
		got = append(got, b...)
	}
	if !bytes.Equal(got, want) || s.given != 200 {
		t.Errorf("%x\n%x", got, want)
	}
}
