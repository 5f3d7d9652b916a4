package run

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	pipe := sight{"sh (thread 3)", 'S', 0, "read", "anon_pipe_read"}
	tests := []struct {
		name   string
		see    sight
		moves  bool // the thread makes stops
		fail   bool
		noteAt bool
	}{
		{"sleeps in a pipe", pipe, false, true, false},
		{"sleeps now and then", pipe, true, false, false},
		{"waits for the server", sight{"sh", 'S', 0, "read", "request_wait_answer"}, false, false, false},
		{"page fault", sight{"sh", 'S', -1, "", "folio_wait_bit_common"}, false, false, false},
		{"disk", sight{"sh", 'D', 0, "read", "io_schedule"}, false, false, false},
		{"stopped", sight{"sh", 't', 0, "read", "ptrace_stop"}, false, false, false},
		{"wchan hidden", sight{"sh", 'S', 0, "read", "0"}, false, false, false},
		{"spins", sight{"sh", 'R', -1, "", "0"}, false, false, true},
		{"gone", sight{nr: -1}, false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := uint64(1)
			notes := 0
			g := &guard{
				pulse: func() (int, uint64) {
					if tt.moves {
						n++
					}
					return 3, n
				},
				look: func(int) sight { return tt.see },
				note: func(string) { notes++ },
			}
			var err error
			for range 3*stuckTicks + 1 {
				if err = g.tick(); err != nil {
					break
				}
			}
			if (err != nil) != tt.fail || err != nil && !errors.Is(err, ErrStuck) {
				t.Errorf("error %v, want one: %v", err, tt.fail)
			}
			if err != nil && !strings.Contains(err.Error(), "sh (thread 3) in read") {
				t.Errorf("error %q names neither thread nor call", err)
			}
			if (notes == 1) != tt.noteAt || notes > 1 {
				t.Errorf("%d notes", notes)
			}
		})
	}
}

// Nobody has the turn (all threads wait for a timer): nothing to look at.
func TestGuardIdle(t *testing.T) {
	g := &guard{pulse: func() (int, uint64) { return 0, 7 }, look: func(int) sight { panic("looked at nobody") }}
	for range 3 * stuckTicks {
		if err := g.tick(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLookAtSelf(t *testing.T) {
	s := lookAt(os.Getpid())
	if s.state == 0 || !strings.Contains(s.who, "thread ") || strings.Contains(s.who, "?") {
		t.Errorf("%+v", s)
	}
	if s := lookAt(1 << 30); s.state != 0 || s.stuck() {
		t.Errorf("of no thread: %+v", s)
	}
}

func TestStatState(t *testing.T) {
	for in, want := range map[string]byte{"7 (a) S 1": 'S', "7 (a) R) b) t 1": 't', "": 0, "7 (a)": 0, "7 (a) ": 0} {
		if got := statState(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
