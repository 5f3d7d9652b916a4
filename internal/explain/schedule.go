package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"dettrace/internal/output"
	"dettrace/internal/sched"
	"dettrace/internal/schedule"
	"dettrace/internal/vary"
)

// The events of the schedule are the decisions of its policy, in order: those
// that deviate from first come, first served. Any subset of them is a schedule
// (sched.Replay), so a range of events is a file with these.

// orderFlags are the flags of a run under the plan: the schedule is kept, and
// where only some of its events are varied it is replayed with these.
func (p *Program) orderFlags(s *Sample) ([]string, error) {
	c := s.Plan.Of(vary.Schedule)
	if c == nil {
		return []string{"--vary", s.Plan.String()}, nil
	}
	flags := []string{"--save-schedule", s.file("schedule")}
	if c.Ranges == nil {
		return append(flags, "--vary", s.Plan.String()), nil
	}
	rest := slices.DeleteFunc(slices.Clone(s.Plan), func(x vary.Choice) bool { return x.Source == vary.Schedule })
	part := schedule.File{}
	for i, d := range p.orders[c.Seed] {
		if c.Hits(uint64(i)) {
			part.Decisions = append(part.Decisions, d)
		}
	}
	if err := output.SaveFunc(s.file("order"), output.Options{}, part.Write); err != nil {
		return nil, err
	}
	return append(flags, "--schedule", s.file("order"), "--vary", rest.String()), nil
}

// ordered reports that the caller has given an order of threads: ranges of
// another one would be none of it.
func (p *Program) ordered() bool {
	return slices.ContainsFunc(p.Flags, func(f string) bool { return strings.HasPrefix(f, "--schedule") })
}

// meterOrder counts the events of the schedule of a sample.
func (p *Program) meterOrder(s *Sample) error {
	c := s.Plan.Of(vary.Schedule)
	if c == nil || p.ordered() {
		return nil
	}
	f, err := os.Open(s.file("schedule"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a run that was ended early
	}
	if err != nil {
		return err
	}
	defer f.Close() // only read: nothing can be lost
	kept, err := schedule.Read(f)
	if err != nil {
		return err
	}
	if c.Ranges == nil {
		if p.orders == nil {
			p.orders = map[uint64][]sched.Decision{}
		}
		p.orders[c.Seed] = kept.Decisions
	}
	all := p.orders[c.Seed]
	m := vary.Metered{Source: vary.Schedule, Seed: c.Seed, Events: uint64(len(all))}
	for _, w := range kept.Switches {
		i := slices.IndexFunc(all, func(d sched.Decision) bool { return reflect.DeepEqual(d, w.Decision) })
		if i < 0 {
			continue
		}
		u := vary.Use{N: uint64(i), TimeNS: w.At, What: w.String()}
		// "sh (pid 3) thread 4": the process whose turn ends.
		if _, rest, ok := strings.Cut(w.From, "pid "); ok {
			if _, err := fmt.Sscanf(rest, "%d", &u.PID); err != nil {
				return fmt.Errorf("schedule: %q names no process", w.From)
			}
		}
		m.Uses = append(m.Uses, u)
	}
	s.Metered = append(s.Metered, m)
	return nil
}
