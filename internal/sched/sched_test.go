package sched

import (
	"slices"
	"testing"
)

// A lone thread gives up the turn too, and gets it back with a new quantum:
// what the parked threads wait for may have come meanwhile.
func TestQuantumAlone(t *testing.T) {
	s := New(0, 2)
	th := s.Add("a")
	for turn := range 3 {
		if s.Next() != th {
			t.Fatalf("turn %d: the only thread does not have it", turn)
		}
		n := 1
		for !s.Event(1) {
			n++
		}
		if n > 3 {
			t.Fatalf("turn %d: not asked to give up in %d events", turn, n)
		}
		s.Yield()
	}
}

// A due timer asks for the turn even before the quantum is used up.
func TestTimerPreempts(t *testing.T) {
	s := New(0, 100)
	s.Add("a")
	s.Next()
	s.AddTimer(5, "x")
	if s.Event(4) {
		t.Error("asked to give up before the timer was due")
	}
	if !s.Event(1) {
		t.Error("not asked to give up at the timer's moment")
	}
}

func TestParkDeadline(t *testing.T) {
	tests := []struct {
		name    string
		wakeAt  int64 // 0: nobody wakes
		expired bool
		at      int64
	}{
		{"deadline", 0, true, 50},
		{"woken", 20, false, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(0, 10)
			th := s.Add("a")
			s.Next()
			s.Park(th, 50)
			if s.Next() != nil {
				t.Fatal("a parked thread got the turn")
			}
			if tt.wakeAt > 0 {
				s.Event(tt.wakeAt)
				s.Wake(th)
			} else if !s.Jump() {
				t.Fatal("Jump found no timer")
			}
			s.Due()
			if s.Next() != th || th.Expired() != tt.expired || s.Now() != tt.at {
				t.Errorf("expired %v at %d, want %v at %d", th.Expired(), s.Now(), tt.expired, tt.at)
			}
			if s.Jump() {
				t.Error("a timer of the finished park is left")
			}
		})
	}
}

// A deadline that passed before the park ends it at the next Due.
func TestParkPast(t *testing.T) {
	s := New(100, 10)
	th := s.Add("a")
	s.Next()
	s.Park(th, 0)
	s.Due()
	if th.State() != Ready || !th.Expired() || s.Now() != 100 {
		t.Errorf("state %d, expired %v, now %d", th.State(), th.Expired(), s.Now())
	}
}

// Wake of a thread that is not parked changes nothing.
func TestWakeOthers(t *testing.T) {
	s := New(0, 10)
	a, b, c := s.Add("a"), s.Add("b"), s.Add("c")
	s.Next()
	s.Exit(c)
	s.Wake(a)
	s.Wake(b)
	s.Wake(c)
	s.Exit(c)
	if a.State() != Running || b.State() != Ready || c.State() != Dead || s.Live() != 2 {
		t.Errorf("states %d %d %d, %d live", a.State(), b.State(), c.State(), s.Live())
	}
	s.Exit(a)
	if s.Next() != b {
		t.Error("b does not follow a")
	}
	s.Exit(b)
	if s.Next() != nil || s.Jump() || s.Live() != 0 {
		t.Error("something is left after the last exit")
	}
}

// Equal moments fire in order of registration, whatever was stopped between.
func TestTimerOrder(t *testing.T) {
	s := New(0, 10)
	var all []*Timer
	for i := range 100 {
		all = append(all, s.AddTimer(int64(i%3), i))
	}
	for i := 0; i < 100; i += 7 {
		if !s.StopTimer(all[i]) || s.StopTimer(all[i]) {
			t.Fatal("StopTimer does not say whether it stopped")
		}
	}
	if s.StopTimer(nil) {
		t.Fatal("no timer was stopped")
	}
	s.Event(10)
	var want []int
	for m := range 3 {
		for i := m; i < 100; i += 3 {
			if i%7 != 0 {
				want = append(want, i)
			}
		}
	}
	var got []int
	for _, tm := range s.Due() {
		got = append(got, tm.Data.(int))
	}
	if !slices.Equal(got, want) {
		t.Errorf("fired %v\nwant  %v", got, want)
	}
}

// The clock never goes back, and Jump does not move it past a due timer.
func TestJump(t *testing.T) {
	s := New(10, 1)
	if s.Jump() {
		t.Error("Jump without a timer")
	}
	s.AddTimer(5, "past")
	if !s.Jump() || s.Now() != 10 {
		t.Errorf("now %d after a jump to a moment that has passed", s.Now())
	}
}

// A turn among many ready threads must not cost more the more there are.
func BenchmarkYield10k(b *testing.B) {
	s := New(0, 1)
	for i := range 10000 {
		s.Add(i)
	}
	for b.Loop() {
		s.Next()
		s.Yield()
	}
}

// No period divides the turns: a loop of p events gives up the turn at each of
// its places, which a polling thread that holds a lock in most of them needs.
func TestTurnsHaveNoPeriod(t *testing.T) {
	for p := 1; p <= 64; p++ {
		at, seen := 0, make(map[int]bool)
		for n := uint64(1); n <= 2000; n++ {
			l := turnLimit(n, 1000)
			if l < 500 || l >= 1500 {
				t.Fatalf("turn %d: %d events", n, l)
			}
			at = (at + l) % p
			seen[at] = true
		}
		if len(seen) != p {
			t.Errorf("period %d: given up at %d places only", p, len(seen))
		}
	}
}
