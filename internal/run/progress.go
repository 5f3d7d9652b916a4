package run

import "dettrace/internal/progress"

// The phases of a run.
const (
	phaseStart   = "start"
	phaseRun     = "run"
	phaseOutputs = "outputs"
	phaseCommit  = "commit"
)

// tellProgress shows how far the run is until the returned function is called.
func (c *container) tellProgress() (stop func()) {
	s := &c.spec
	if s.Progress == "" || s.Progress == progress.None || s.Diag == nil {
		return func() {}
	}
	p := progress.New(s.Diag, s.Progress, s.Columns)
	s.Stdout, s.Stderr, s.Diag = p.Beside(s.Stdout), p.Beside(s.Stderr), p.Beside(s.Diag)
	return p.Follow(func(seconds float64) progress.Sample {
		st := progress.State{Phase: *c.phase.Load(), Seconds: seconds}
		if b := c.filled.Load(); b != nil {
			st.Files, st.Bytes = b.Progress()
		}
		if k := c.shown.Load(); k != nil {
			now, procs, stops := k.Progress()
			st.LogicalNS, st.Processes, st.Stops = now-c.began, procs, stops
		}
		return st
	})
}

// enter says which phase begins.
func (c *container) enter(phase string) { c.phase.Store(&phase) }
