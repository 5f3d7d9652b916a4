package hunt

import (
	"bytes"
	"context"
	"dettrace/internal/junit"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"dettrace/internal/sched"
	"dettrace/internal/schedule"
)

// fake fails from seed 7 on, and replayed when decisions 3 and 11 are there.
func fake(runs *atomic.Int64) Run {
	return func(_ context.Context, seed uint64, s *schedule.File) (Outcome, error) {
		runs.Add(1)
		if s != nil {
			has := func(event uint64) bool {
				return slices.ContainsFunc(s.Decisions, func(d sched.Decision) bool { return d.Event == event })
			}
			if has(3) && has(11) {
				return Outcome{Status: 1}, nil
			}
			return Outcome{}, nil
		}
		o := Outcome{}
		for i := range 20 {
			o.Schedule.Decisions = append(o.Schedule.Decisions, sched.Decision{Event: uint64(i)})
		}
		if seed >= 7 {
			o.Status = 1
		}
		return o, nil
	}
}

func TestHuntFindsTheFirstAndShrinks(t *testing.T) {
	for _, jobs := range []int{1, 2, 8} {
		var runs atomic.Int64
		var seen []uint64
		f, err := Hunt(t.Context(), Options{Schedules: 50, First: 1, Jobs: jobs, Shrinks: 200}, fake(&runs), func(t Trial) { seen = append(seen, t.Seed) })
		if err != nil {
			t.Fatal(err)
		}
		if !f.Found || f.Seed != 7 || len(f.Tried) != 7 || !slices.Equal(seen, []uint64{1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("%d jobs: found %v, seed %d, tried %v", jobs, f.Found, f.Seed, seen)
		}
		var events []uint64
		for _, d := range f.Shrunk.Decisions {
			events = append(events, d.Event)
		}
		if !slices.Equal(events, []uint64{3, 11}) || !f.Complete || f.Before != 20 {
			t.Errorf("%d jobs: shrunk to %v, complete %v, of %d", jobs, events, f.Complete, f.Before)
		}
	}
}

func TestHuntBounds(t *testing.T) {
	var runs atomic.Int64
	f, err := Hunt(t.Context(), Options{Schedules: 6, First: 1, Jobs: 2, Shrinks: 9}, fake(&runs), func(Trial) {})
	if err != nil || f.Found || len(f.Tried) != 6 || runs.Load() != 7 {
		t.Errorf("found %v, tried %d, runs %d, %v", f.Found, len(f.Tried), runs.Load(), err)
	}
	runs.Store(0)
	f, err = Hunt(t.Context(), Options{Schedules: 6, First: 7, Jobs: 1, Shrinks: 4}, fake(&runs), func(Trial) {})
	if err != nil || f.Complete || f.Shrinks != 4 || f.Shrunk == nil {
		t.Errorf("complete %v, %d runs, %v", f.Complete, f.Shrinks, err)
	}
}

func TestHuntDiffer(t *testing.T) {
	run := func(_ context.Context, seed uint64, s *schedule.File) (Outcome, error) {
		if s == nil && seed == 3 {
			return Outcome{Status: 2, Output: "b"}, nil
		}
		return Outcome{Status: 2, Output: "a"}, nil
	}
	f, err := Hunt(t.Context(), Options{Schedules: 9, First: 1, Jobs: 1, Differ: true}, run, func(Trial) {})
	if err != nil || f.Seed != 3 {
		t.Errorf("seed %d, %v", f.Seed, err)
	}
	// A command that fails in any order needs no schedule.
	f, err = Hunt(t.Context(), Options{Schedules: 9, First: 1, Jobs: 1}, run, func(Trial) {})
	if err != nil || !f.Found || f.Seed != 0 || len(f.Tried) != 0 {
		t.Errorf("found %v, seed %d, %v", f.Found, f.Seed, err)
	}
}

// What is left of a schedule still gives another result than the default order, and not
// only the same status.
func TestHuntDifferShrinks(t *testing.T) {
	needed := sched.Decision{Thread: 1, Event: 5, Plan: &sched.Plan{Switch: true}}
	run := func(_ context.Context, seed uint64, s *schedule.File) (Outcome, error) {
		var o Outcome
		if seed == 1 {
			for i := range 8 {
				o.Schedule.Decisions = append(o.Schedule.Decisions, sched.Decision{Thread: 1, Event: uint64(i), Plan: needed.Plan})
			}
		}
		if seed == 1 || s != nil && slices.Contains(s.Decisions, needed) {
			o.Output = "another"
		}
		return o, nil
	}
	f, err := Hunt(t.Context(), Options{Schedules: 9, First: 1, Jobs: 1, Differ: true, Shrinks: 99}, run, func(Trial) {})
	if err != nil || f.Seed != 1 || f.Shrunk == nil || !slices.Equal(f.Shrunk.Decisions, []sched.Decision{needed}) {
		t.Errorf("seed %d, shrunk %+v, %v", f.Seed, f.Shrunk, err)
	}
}

func TestHuntTrouble(t *testing.T) {
	broken := errors.New("no image")
	run := func(_ context.Context, seed uint64, s *schedule.File) (Outcome, error) {
		if seed == 2 {
			return Outcome{}, broken
		}
		return Outcome{}, nil
	}
	if _, err := Hunt(t.Context(), Options{Schedules: 9, First: 1, Jobs: 3}, run, func(Trial) {}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	once := func(_ context.Context, seed uint64, s *schedule.File) (Outcome, error) {
		return Outcome{Status: int(seed)}, nil // replayed, it does not fail
	}
	if _, err := Hunt(t.Context(), Options{Schedules: 9, First: 1, Jobs: 1, Shrinks: 9}, once, func(Trial) {}); !errors.Is(err, ErrNotRepeated) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	cancel(stop)
	wait := func(ctx context.Context, seed uint64, s *schedule.File) (Outcome, error) {
		if seed == 0 {
			return Outcome{}, nil
		}
		<-ctx.Done()
		return Outcome{}, context.Cause(ctx)
	}
	if _, err := Hunt(ctx, Options{Schedules: 9, First: 1, Jobs: 2}, wait, func(Trial) {}); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestOutputs(t *testing.T) {
	p := &Program{Flags: []string{"--env=A=b c"}, Command: []string{"./it's"}}
	f := Finding{Found: true, Seed: 2, Tried: []Trial{{Seed: 1}, {Seed: 2, Failed: true, Outcome: Outcome{Status: 139, Tail: "a\x00<b>\n"}}}}
	var b bytes.Buffer
	if err := f.JUnit(&b, p); err != nil {
		t.Fatal(err)
	}
	var s junit.Suite
	if err := xml.Unmarshal(b.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Tests != 3 || s.Failures != 1 || s.Cases[2].Failure == nil || s.Cases[2].Failure.Message != "signal 11" {
		t.Errorf("%s", &b)
	}
	b.Reset()
	if err := f.Text(&b, p, ""); err != nil || !strings.Contains(b.String(), `dettrace run --schedule-seed 2 '--env=A=b c' -- './it'\''s'`) {
		t.Errorf("%v\n%s", err, &b)
	}
}
