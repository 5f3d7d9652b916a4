package run

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dettrace/internal/kernel"
)

// One thread computes; each row is what a tick sees of it.
func TestSpinWatch(t *testing.T) {
	type see struct {
		resumes      uint64
		user, system int64
	}
	tests := []struct {
		name  string
		sees  []see
		steps []int
		fails bool
		alone bool
	}{
		{"calls all the time", []see{{1, 0, 0}, {2, 5, 0}, {3, 9, 0}, {4, 30, 0}}, nil, false, false},
		{"computes", []see{{1, 0, 0}, {1, 0, 0}, {1, 1, 0}, {1, 1, 0}, {1, 2, 0}, {1, 3, 0}, {1, 4, 0}, {1, 7, 0}, {1, 9, 0}}, []int{12, 12, 12, 27}, false, false},
		{"is in the kernel", []see{{1, 0, 0}, {1, 0, 0}, {1, 1, 1}, {1, 2, 2}, {1, 2, 2}}, []int{12}, false, false},
		{"does not run", []see{{1, 0, 0}, {1, 7, 0}, {1, 7, 0}, {1, 7, 0}}, nil, false, false},
		{"begins anew", []see{{1, 0, 0}, {1, 0, 0}, {1, 8, 0}, {2, 8, 0}, {2, 8, 0}, {2, 9, 0}}, []int{24, 12}, false, false},
		{"limit", []see{{1, 0, 0}, {1, 0, 0}, {1, 50, 0}, {1, 99, 0}, {1, 100, 0}}, []int{150}, true, false},
		{"alone", []see{{1, 0, 0}, {1, 0, 0}, {1, 1, 0}, {1, 2, 0}, {1, 12, 0}, {1, 49, 0}, {1, 50, 0}, {1, 99, 0}, {1, 100, 0}}, []int{12, 50, 100}, false, true},
		{"alone for others", []see{{1, 0, 0}, {1, 0, 0}, {1, 1, 0}, {1, 12, 0}, {2, 12, 0}, {2, 12, 0}, {2, 13, 0}}, []int{12, 12}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var now see
			var steps []int
			last, alone := uint64(0), uint64(0)
			w := &spinWatch{
				pulse: func() (int, uint64) { return 3, now.resumes },
				cpu:   func(int) (int64, int64, bool) { return now.user, now.system, true },
				nudge: func(n uint64, s int, anyway bool) {
					steps = append(steps, s)
					if tt.alone && !anyway {
						alone = n
					}
				},
				alone: func(n uint64) bool { return n == alone },
				limit: time.Second,
			}
			if tt.alone {
				w.limit = 0
			}
			var err error
			for _, now = range tt.sees {
				ticks := w.skip + 1 // as one who sleeps meanwhile
				if now.resumes != last {
					ticks = 1
				}
				last = now.resumes
				if err = w.tick(ticks); err != nil {
					break
				}
			}
			if !slices.Equal(steps, tt.steps) {
				t.Errorf("looks of %v steps, want %v", steps, tt.steps)
			}
			if errors.Is(err, ErrSpin) != tt.fails {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A timeout tells of the thread that has the turn if it has run for long, and is the same since.
func TestTimeoutError(t *testing.T) {
	c := &container{kern: &kernel.Kernel{}}
	if err := c.timeoutError(); err != ErrTimeout {
		t.Errorf("nobody ran: %v", err)
	}
	for _, tt := range []struct {
		ran  longRun
		long bool
	}{
		{longRun{0, 2 * time.Second}, true},
		{longRun{0, long / 2}, false},
		{longRun{1, 2 * time.Second}, false},
	} {
		c.ran.Store(&tt.ran)
		err := c.timeoutError()
		if !errors.Is(err, ErrTimeout) || strings.Contains(err.Error(), "no system call for 2s") != tt.long {
			t.Errorf("%+v: %v", tt.ran, err)
		}
	}
}

// Who watches a thread sleeps until there may be something to see.
func TestSpinPause(t *testing.T) {
	for _, tt := range []struct {
		w     spinWatch
		ticks int
		doze  bool
	}{
		{spinWatch{}, 1, false},
		{spinWatch{calls: true}, 2, false},
		{spinWatch{skip: 1}, 1, false},
		{spinWatch{skip: spinDoze}, spinDoze + 1, true},
	} {
		if ticks, doze := tt.w.pause(); ticks != tt.ticks || doze != tt.doze {
			t.Errorf("skip %d, calls %v: %d, %v", tt.w.skip, tt.w.calls, ticks, doze)
		}
	}
}
