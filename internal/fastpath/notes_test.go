package fastpath

import "testing"

// What the guest writes into the state is clamped, and counted once.
func TestNotes(t *testing.T) {
	r := newRegion(t)
	if n := r.RandomTaken(); n != 0 {
		t.Errorf("%d words taken of none", n)
	}
	r.Random([RandomWords]uint64{1, 2, 3, 4, 5, 6, 7, 8})
	for _, c := range []struct {
		pos  uint64
		want int
	}{{0, 0}, {3, 3}, {3, 0}, {2, 0}, {5, 2}, {1 << 60, 3}, {0, 0}, {8, 0}} {
		r.state.word(offRandomPos).Store(c.pos)
		if n := r.RandomTaken(); n != c.want {
			t.Errorf("position %d: %d words taken, not %d", c.pos, n, c.want)
		}
	}
	r.Random([RandomWords]uint64{9})
	if v := r.state.word(offRandom).Load(); v != 9 || r.state.word(offRandomPos).Load() != 0 {
		t.Errorf("word %d at %d", v, r.state.word(offRandomPos).Load())
	}

	if _, ok := r.Sigaction(); ok {
		t.Error("a note of nobody")
	}
	r.state.word(offSegvSet).Store(7)
	r.state.word(offSegv + 24).Store(1 << 56)
	if act, ok := r.Sigaction(); !ok || act[31] != 1 {
		t.Errorf("%v, %v", act, ok)
	}
	if _, ok := r.Sigaction(); ok {
		t.Error("the same note again")
	}
}
