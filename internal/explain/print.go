package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"dettrace/internal/report"
	"dettrace/internal/rerun"
)

// JSON writes the report.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)\n", r.Result, rerun.Quote(r.Command), report.Plural(int(r.Runs), "run"))
	if r.Result == BuildFailed && r.Tail != "" {
		fmt.Fprintf(&b, "\nits output ends with:\n%s\n", strings.TrimRight(r.Tail, "\n"))
	}
	if len(r.Sources) > 0 && r.Result != BuildFailed {
		b.WriteByte('\n')
		for _, e := range r.Sources {
			fmt.Fprintf(&b, "%-13s %s\n", e.Source, e.says())
		}
	}
	for _, j := range r.Joint {
		fmt.Fprintf(&b, "%s: only together, %s\n", strings.Join(j.Sources, " + "), list(j.Files))
	}
	for i := range r.Causes {
		fmt.Fprintf(&b, "\n%d. %s\n", i+1, r.Causes[i].Headline())
		r.Causes[i].text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// says is an effect in one line.
func (e *Effect) says() string {
	var parts []string
	if e.Fails {
		parts = append(parts, fmt.Sprintf("makes the command fail with status %d", e.Status))
	}
	if d := e.Direct(); len(d) > 0 {
		parts = append(parts, "reaches "+list(d))
	}
	for _, f := range e.Reaches {
		if by := e.Through[f]; by != "" {
			parts = append(parts, f+" through "+by)
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, "; ")
}

const maxListed = 4

func list(files []string) string {
	if len(files) <= maxListed {
		return strings.Join(files, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(files[:maxListed], ", "), len(files)-maxListed)
}

// Headline says what the cause is.
func (c *Cause) Headline() string {
	if c.Use == nil {
		return c.Source
	}
	s := fmt.Sprintf("%s: %s, no. %d of %d", c.Source, c.Use.What, c.Use.N+1, max(c.Events, c.Use.N+1))
	if c.With {
		s += ", with those before it"
	}
	if c.Who != nil {
		s += fmt.Sprintf(", by process %d: %s", c.Use.PID, rerun.Quote(c.Who))
	}
	return s
}

func (c *Cause) text(b *strings.Builder) {
	for i, w := range c.Flow {
		if i == 6 && len(c.Flow) > 7 {
			fmt.Fprintf(b, "   ... %d more\n", len(c.Flow)-i)
			break
		}
		word := "then"
		if i == 0 {
			word = "first"
		}
		gone := ""
		if w.Deleted {
			gone = " (gone at the end)"
		}
		fmt.Fprintf(b, "   %-5s written into %s at offset %d%s by process %d: %s\n", word, w.Path, w.Offset, gone, w.PID, rerun.Quote(w.Command))
	}
	for i, p := range c.Places {
		if i == 6 && len(c.Places) > 7 {
			fmt.Fprintf(b, "   ... %d more\n", len(c.Places)-i)
			break
		}
		fmt.Fprintf(b, "   differs: %s: %s", p.Path, strings.Join(p.Kinds, ", "))
		if p.Offset > 0 {
			fmt.Fprintf(b, ", from byte %d", p.Offset)
		}
		b.WriteByte('\n')
	}
}
