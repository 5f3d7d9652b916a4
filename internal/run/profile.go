package run

import (
	"fmt"
	"maps"
	"slices"

	"dettrace/internal/report"
)

// profile is what was measured of the run, or nil.
func (c *container) profile(o outcome) *report.Profile {
	if !c.spec.Profile || c.kern == nil {
		return nil
	}
	name := callNames()
	p := &report.Profile{GuestNS: o.profile.Guest.NS, Stops: []report.Span{}, Requests: []report.Span{}}
	for _, s := range o.profile.Stops {
		what := s.Reason
		if s.Call >= 0 {
			what += " " + name(s.Call)
		}
		p.Stops = append(p.Stops, report.Span{Name: what, Count: s.Count, NS: s.NS})
	}
	for _, what := range slices.Sorted(maps.Keys(c.summary.Requests)) {
		s := c.summary.Requests[what]
		p.Requests = append(p.Requests, report.Span{Name: what, Count: s.Count, NS: s.NS})
	}
	p.Sort()
	return p
}

// printProfile is for --timing.
func (c *container) printProfile(o outcome) {
	p := c.profile(o)
	if p == nil || c.spec.Diag == nil {
		return
	}
	c.say("profile:")
	_ = p.WriteText(c.spec.Diag, 25) // as for all messages there
	fmt.Fprintln(c.spec.Diag)
}
