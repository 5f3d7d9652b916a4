package run

import (
	"fmt"
	"io"

	"dettrace/internal/output"
	"dettrace/internal/sched"
	"dettrace/internal/schedule"
)

// policy is what decides the order of threads; nil is the default order.
func (s *Spec) policy() sched.Policy {
	switch {
	case s.Schedule != nil:
		return sched.NewReplay(s.Schedule.Decisions)
	case s.ScheduleSeed != 0:
		return sched.NewExplorer(s.ScheduleSeed)
	}
	return nil
}

// scheduleSeed is the seed of the schedule, also of one that is replayed.
func (s *Spec) scheduleSeed() uint64 {
	if s.Schedule != nil {
		return s.Schedule.Seed
	}
	return s.ScheduleSeed
}

// saveSchedule writes Spec.SaveSchedule, however the run ended.
func (c *container) saveSchedule() error {
	if c.spec.SaveSchedule == "" || c.kern == nil {
		return nil
	}
	f := schedule.File{Seed: c.spec.scheduleSeed(), Decisions: c.kern.Decisions(), Switches: c.kern.Switches()}
	err := output.SaveFunc(c.spec.SaveSchedule, output.Options{Force: true}, c.masked(func(w io.Writer) error { return f.Write(w) }))
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}
