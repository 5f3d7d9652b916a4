package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"dettrace/internal/compare"
	"dettrace/internal/eventlog"
	"dettrace/internal/explain"
	"dettrace/internal/junit"
	"dettrace/internal/rerun"
)

// Line is the result in one line.
func (r Result) Line() string {
	switch r.Result {
	case Same:
		return fmt.Sprintf("same: %d runs, %s", len(r.Runs), r.Digest)
	case BuildFailed:
		return fmt.Sprintf("build-failed: %d runs, all with %s", len(r.Runs), r.Runs[0].how())
	}
	d := r.Difference
	return fmt.Sprintf("different: run %d (%s) and run %d (%s)", d.A+1, r.Runs[d.A].Host, d.B+1, r.Runs[d.B].Host)
}

func (o Outcome) how() string {
	if o.Reason != "" {
		return o.Reason
	}
	return fmt.Sprintf("status %d", o.Status)
}

// Text writes the result for people.
func (r Result) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.Line())
	if tail := r.Runs[0].Tail; r.Result == BuildFailed && tail != "" {
		fmt.Fprintf(&b, "\nits output ends with:\n%s\n", strings.TrimRight(tail, "\n"))
	}
	if d := r.Difference; d != nil {
		if d.Status {
			fmt.Fprintf(&b, "\nexit: %s -> %s\n", r.Runs[d.A].how(), r.Runs[d.B].how())
		}
		for _, list := range [][]compare.Difference{d.Output, d.Files} {
			if len(list) > 0 {
				b.WriteByte('\n')
			}
			if err := compare.Text(&b, list, false); err != nil {
				return err
			}
		}
		if d.Event != nil {
			fmt.Fprintln(&b, "\nfirst event that differs:")
			if err := Event(&b, d.Event); err != nil {
				return err
			}
		} else {
			fmt.Fprintf(&b, "\n%d more pairs of runs, with event logs, did not differ\n", again)
		}
	}
	r.elsewhere(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// Elsewhere reports that the command is the same inside and that it would
// differ, or does, elsewhere.
func (r Result) Elsewhere() bool {
	return r.Outside != nil && r.Outside.Result != "same" || r.Against != nil && r.Against.Result != "same"
}

func (r Result) elsewhere(b *strings.Builder) {
	if o := r.Outside; o != nil {
		fmt.Fprintf(b, "outside: %s with %s varied\n", o.Result, o.Vary)
		if o.Status != o.Base {
			fmt.Fprintf(b, "  status %d -> %d\n", o.Base, o.Status)
		}
		places(b, o.Places)
		if o.Result != "same" {
			fmt.Fprintln(b, "  dettrace explain names the sources")
		}
	}
	a := r.Against
	if a == nil {
		return
	}
	fmt.Fprintf(b, "against: %s, %d equal\n", a.Result, len(a.Matched))
	for _, m := range a.Missing {
		fmt.Fprintf(b, "  %s: the command did not make it\n", m)
	}
	for _, d := range a.Differ {
		why := "no source that was varied"
		if len(d.Sources) > 0 {
			why = strings.Join(d.Sources, ", ")
			if !d.Exact {
				why = "perhaps " + why + ", which reaches the file"
			}
		}
		fmt.Fprintf(b, "  %s: %s: %s\n", d.Path, strings.Join(d.Kinds, ", "), why)
	}
}

func places(b *strings.Builder, list []explain.Place) {
	for _, p := range list {
		fmt.Fprintf(b, "  %s: %s, from byte %d\n", p.Path, strings.Join(p.Kinds, ", "), p.Offset)
	}
}

// Event writes a difference of two logs side by side: - is of the first, + of
// the second.
func Event(w io.Writer, e *eventlog.Difference) error {
	var b strings.Builder
	for _, l := range e.Before {
		fmt.Fprintf(&b, "    %s\n", l)
	}
	for _, side := range []struct {
		mark, line string
		pid        int
		argv       []string
		after      []string
	}{{"-", e.A, e.PidA, e.ProcA, e.AfterA}, {"+", e.B, e.PidB, e.ProcB, e.AfterB}} {
		line := side.line
		if line == "" {
			line = "(end of the log)"
		}
		fmt.Fprintf(&b, "  %s %s\n", side.mark, line)
		if side.argv != nil {
			fmt.Fprintf(&b, "      process %d: %s\n", side.pid, rerun.Quote(side.argv))
		}
		for _, l := range side.after {
			fmt.Fprintf(&b, "    %s %s\n", side.mark, l)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the result.
func (r Result) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// JUnit writes a test suite with a case for each run.
func (r Result) JUnit(w io.Writer, command string) error {
	s := junit.Suite{Name: "dettrace verify " + command}
	for i, o := range r.Runs {
		c := junit.Case{Class: "host", Name: o.Host}
		switch {
		case r.Difference != nil && i == r.Difference.B:
			var text strings.Builder
			if err := r.Text(&text); err != nil {
				return err
			}
			c.Failure = junit.Fail("different from run 1", text.String())
		case r.Result == BuildFailed:
			c.Failure = junit.Fail(r.Line(), "")
		}
		s.Cases = append(s.Cases, c)
	}
	return s.Write(w)
}
