package hunt

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Quote writes a command line as a shell reads it.
func Quote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		safe := a != "" && strings.IndexFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,@%+", r))
		}) < 0
		if out[i] = a; !safe {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

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
		fmt.Fprintf(&b, "it fails in the default order already: %s\n\nrepeat:  %s\n", f.Outcome.How(), Quote(p.Line(0)))
	default:
		fmt.Fprintf(&b, "schedule seed %d fails: %s (%d tried)\n\nrepeat:  %s\n", f.Seed, f.Outcome.How(), len(f.Tried), Quote(p.Line(f.Seed)))
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
			fmt.Fprintf(&b, "repeat:  %s\n", Quote(p.LineOf(saved)))
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

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes a test suite with a case for each schedule.
func (f Finding) JUnit(w io.Writer, p *Program) error {
	s := junitSuite{Name: "dettrace hunt " + Quote(p.Command)}
	trials := append([]Trial{{Seed: 0, Failed: f.Found && f.Seed == 0, Outcome: f.Default}}, f.Tried...)
	for _, t := range trials {
		c := junitCase{Class: "schedule", Name: fmt.Sprintf("seed %d", t.Seed)}
		if t.Failed {
			s.Failures++
			c.Failure = &junitFailure{Message: t.Outcome.How(), Text: printable(Quote(p.Line(t.Seed)) + "\n\n" + t.Outcome.Tail)}
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printable drops the characters that XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}
