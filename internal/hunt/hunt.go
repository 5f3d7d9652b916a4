// Package hunt looks for an order of threads in which a command fails: it tries
// the schedules of many seeds, and shrinks the first that fails to the fewest
// decisions that still make it fail. How a run is made is the caller's; the
// result does not depend on how many are made at once.
package hunt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"dettrace/internal/schedule"
)

// Outcome is what a run showed.
type Outcome struct {
	Status   int           `json:"status"`           // as the shell sees it
	Reason   string        `json:"reason,omitempty"` // deadlock, timeout
	Output   string        `json:"output"`           // digest of standard output and error
	Changes  string        `json:"changes"`          // digest of the changed files
	Tail     string        `json:"tail"`             // the end of standard error
	Schedule schedule.File `json:"-"`                // what was decided
}

// Run runs the command once: with the schedule of seed, or with s if it is not
// nil; seed 0 is the default order. An error means that the run itself failed.
type Run func(ctx context.Context, seed uint64, s *schedule.File) (Outcome, error)

// Options say what to look for.
type Options struct {
	Schedules int    // seeds to try
	First     uint64 // the first of them, not 0
	Jobs      int    // runs at once
	Differ    bool   // another result than the default order's is a failure
	Shrinks   int    // most runs for shrinking; 0: do not shrink
}

// Finding is the result of a hunt.
type Finding struct {
	Tried    []Trial        `json:"tried"` // in order of seeds, up to the first failure
	Default  Outcome        `json:"default"`
	Found    bool           `json:"found"`
	Seed     uint64         `json:"seed,string"` // 0: the default order fails
	Outcome  Outcome        `json:"outcome"`
	Before   int            `json:"decisions"` // of the seed's schedule
	Shrunk   *schedule.File `json:"shrunk,omitempty"`
	Shrinks  int            `json:"shrink_runs"`
	Complete bool           `json:"shrunk_completely"` // no decision can be left out
}

// Trial is one schedule that was tried.
type Trial struct {
	Seed    uint64  `json:"seed,string"`
	Failed  bool    `json:"failed"`
	Outcome Outcome `json:"outcome"`
}

// Hunt looks for a schedule that fails. Each result is told to progress, in
// order of seeds.
func Hunt(ctx context.Context, o Options, run Run, progress func(Trial)) (Finding, error) {
	var f Finding
	def, err := run(ctx, 0, nil)
	if err != nil {
		return f, fmt.Errorf("default order: %w", err)
	}
	f.Default = def
	if !o.Differ && def.Status != 0 {
		f.Found, f.Outcome, f.Complete = true, def, true
		return f, nil
	}
	failed := func(x Outcome) bool {
		if o.Differ {
			return !x.same(def)
		}
		return x.Status != 0
	}
	err = search(ctx, o, run, func(t Trial) bool {
		t.Failed = failed(t.Outcome)
		f.Tried = append(f.Tried, t)
		progress(t)
		if t.Failed {
			f.Found, f.Seed, f.Outcome = true, t.Seed, t.Outcome
		}
		return t.Failed
	})
	if err != nil || !f.Found || o.Shrinks == 0 {
		f.Before = len(f.Outcome.Schedule.Decisions)
		return f, err
	}
	return f, f.shrink(ctx, o.Shrinks, run, failed)
}

// same reports equal results, whatever the schedules.
func (o Outcome) same(p Outcome) bool {
	return o.Status == p.Status && o.Reason == p.Reason && o.Output == p.Output && o.Changes == p.Changes
}

// alike reports failures of one kind.
func (o Outcome) alike(p Outcome) bool { return o.Status == p.Status && o.Reason == p.Reason }

// search runs the seeds in order, Jobs at a time, and gives their results to
// take in order of seeds, until one is taken.
func search(ctx context.Context, o Options, run Run, take func(Trial) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		out Outcome
		err error
	}
	results := make([]chan result, o.Schedules)
	for i := range results {
		results[i] = make(chan result, 1)
	}
	next := make(chan int)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	for range max(min(o.Jobs, o.Schedules), 1) {
		workers.Go(func() {
			for i := range next {
				out, err := run(ctx, o.First+uint64(i), nil)
				results[i] <- result{out, err}
			}
		})
	}
	go func() {
		defer close(next)
		for i := range o.Schedules {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	for i := range o.Schedules {
		select {
		case r := <-results[i]:
			seed := o.First + uint64(i)
			if r.err != nil {
				return fmt.Errorf("schedule seed %d: %w", seed, r.err)
			}
			if take(Trial{Seed: seed, Outcome: r.out}) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// ErrNotRepeated means that a schedule failed and, replayed, did not.
var ErrNotRepeated = errors.New("the failure does not come again when its schedule is replayed")
