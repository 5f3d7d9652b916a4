package hunt

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"dettrace/internal/junit"
	"dettrace/internal/rerun"
)

// How says in words how a run ended.
func (o Outcome) How() string {
	switch {
	case o.Reason != "":
		return o.Reason
	case o.Status > 128:
		return fmt.Sprintf("signal %d", o.Status-128)
	case o.Status != 0:
		return fmt.Sprintf("status %d", o.Status)
	}
	return "another result"
}

// Text writes the finding for people. saved is the file that holds the shrunk
// schedule, or "".
func (f Finding) Text(w io.Writer, p *Program, saved string) error {
	var b strings.Builder
	switch {
	case !f.Found:
		fmt.Fprintf(&b, "none of %d schedules fails\n", len(f.Tried))
	case f.Seed == 0:
		fmt.Fprintf(&b, "it fails in the default order already: %s\n\nrepeat:  %s\n", f.Outcome.How(), rerun.Quote(p.Line(0)))
	default:
		fmt.Fprintf(&b, "schedule seed %d fails: %s (%d tried)\n\nrepeat:  %s\n", f.Seed, f.Outcome.How(), len(f.Tried), rerun.Quote(p.Line(f.Seed)))
	}
	if s := f.Shrunk; s != nil {
		least := ""
		if !f.Complete {
			least = ", perhaps not the fewest"
		}
		fmt.Fprintf(&b, "shrunk:  %d of its %d decisions are needed%s\n", len(s.Decisions), f.Before, least)
		for _, sw := range s.Switches {
			fmt.Fprintf(&b, "  %s\n", sw)
		}
		if saved != "" {
			fmt.Fprintf(&b, "repeat:  %s\n", rerun.Quote(p.LineOf(saved)))
		}
	}
	if f.Found && f.Outcome.Tail != "" {
		fmt.Fprintf(&b, "\nits output ends with:\n%s\n", strings.TrimRight(f.Outcome.Tail, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the finding with the lines that repeat it.
func (f Finding) JSON(w io.Writer, p *Program, saved string) error {
	out := struct {
		Finding
		Repeat       []string `json:"repeat,omitempty"`
		RepeatShrunk []string `json:"repeat_shrunk,omitempty"`
	}{Finding: f}
	if f.Found {
		out.Repeat = p.Line(f.Seed)
	}
	if f.Shrunk != nil && saved != "" {
		out.RepeatShrunk = p.LineOf(saved)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// JUnit writes a test suite with a case for each schedule.
func (f Finding) JUnit(w io.Writer, p *Program) error {
	s := junit.Suite{Name: "dettrace hunt " + rerun.Quote(p.Command)}
	trials := append([]Trial{{Seed: 0, Failed: f.Found && f.Seed == 0, Outcome: f.Default}}, f.Tried...)
	for _, t := range trials {
		c := junit.Case{Class: "schedule", Name: fmt.Sprintf("seed %d", t.Seed)}
		if t.Failed {
			c.Failure = junit.Fail(t.Outcome.How(), rerun.Quote(p.Line(t.Seed))+"\n\n"+t.Outcome.Tail)
		}
		s.Cases = append(s.Cases, c)
	}
	return s.Write(w)
}
