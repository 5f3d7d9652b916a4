package hunt

import (
	"context"
	"slices"

	"dettrace/internal/sched"
	"dettrace/internal/schedule"
)

// shrink leaves out decisions of the schedule that failed as long as it fails in
// the same way, which with Differ is not that of the default order: delta debugging (Zeller, Hildebrandt, Simplifying and Isolating
// Failure-Inducing Input, 2002).
func (f *Finding) shrink(ctx context.Context, most int, run Run, failed func(Outcome) bool) error {
	s := shrinker{ctx: ctx, run: run, most: most, failed: failed, want: f.Outcome, file: schedule.File{Seed: f.Seed}}
	all := f.Outcome.Schedule.Decisions
	f.Before = len(all)
	ok, err := s.fails(all)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNotRepeated
	}
	least, err := s.ddmin(all)
	f.Shrinks, f.Complete = s.runs, s.runs < s.most
	if err != nil {
		return err
	}
	// What the replayed decisions did, in words.
	f.Shrunk = &schedule.File{Seed: f.Seed, Decisions: least, Switches: s.last.Schedule.Switches}
	return nil
}

type shrinker struct {
	ctx    context.Context
	run    Run
	runs   int
	most   int
	failed func(Outcome) bool
	want   Outcome
	file   schedule.File
	last   Outcome // of the least schedule that failed
}

// fails reports whether the failure comes with these decisions alone.
func (s *shrinker) fails(d []sched.Decision) (bool, error) {
	s.runs++
	file := s.file
	file.Decisions = d
	o, err := s.run(s.ctx, 0, &file)
	if err != nil || !s.failed(o) || !o.alike(s.want) {
		return false, err
	}
	s.last = o
	return true, nil
}

// ddmin is the least list it finds: no single decision of it can be left out,
// unless the number of runs was used up.
func (s *shrinker) ddmin(d []sched.Decision) ([]sched.Decision, error) {
	for n := 2; len(d) > 0; {
		n = min(n, len(d))
		rest, err := s.without(d, n)
		switch {
		case err != nil || s.runs >= s.most:
			return d, err
		case rest != nil:
			d, n = rest, max(n-1, 2)
		case n == len(d):
			return d, nil
		default:
			n *= 2
		}
	}
	return d, nil
}

// without leaves out one of n parts of d; nil if all are needed.
func (s *shrinker) without(d []sched.Decision, n int) ([]sched.Decision, error) {
	for i := range n {
		if s.runs >= s.most {
			return nil, nil
		}
		from, to := i*len(d)/n, (i+1)*len(d)/n
		rest := slices.Concat(d[:from], d[to:])
		ok, err := s.fails(rest)
		if err != nil {
			return nil, err
		}
		if ok {
			return rest, nil
		}
	}
	return nil, nil
}
