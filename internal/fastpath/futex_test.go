package fastpath

import (
	"slices"
	"testing"
)

// TestWakes: notes of the code arrive in order and once, and no more than there
// is room for, whatever the guest writes there.
func TestWakes(t *testing.T) {
	r := newRegion(t)
	var got []Waiters
	read := func() []Waiters {
		got = nil
		r.Wakes(func(addr, n uint64) { got = append(got, Waiters{addr, n}) })
		return got
	}
	if read() != nil {
		t.Errorf("%v out of nothing", got)
	}
	for i, x := range []uint64{0x1000, 1, 0x2000, 2} {
		r.state.word(offWake + 8*i).Store(x)
	}
	r.state.word(offWakes).Store(2)
	if !slices.Equal(read(), []Waiters{{0x1000, 1}, {0x2000, 2}}) || read() != nil {
		t.Errorf("%v", got)
	}
	r.state.word(offWakes).Store(1 << 60)
	if len(read()) != maxWakes {
		t.Errorf("%d notes", len(got))
	}
}

// TestFutexes: what is not known is not served.
func TestFutexes(t *testing.T) {
	r := newRegion(t)
	many := make([]Waiters, maxFutexes+1)
	for _, c := range []struct {
		list  []Waiters
		known bool
		want  uint64
	}{
		{nil, true, 0}, {many[:1], true, 1}, {many[:maxFutexes], true, maxFutexes}, {many, true, ^uint64(0)},
		{many[:1], false, ^uint64(0)}, {nil, true, 0}, {nil, false, ^uint64(0)},
	} {
		r.Futexes(c.list, c.known)
		if n := r.state.word(offFutexes).Load(); n != c.want {
			t.Errorf("%d of them, known %v: %d", len(c.list), c.known, n)
		}
	}
}
