package probes

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options select what to run.
type Options struct {
	Section, Name *regexp.Regexp
	Slow          bool
	NativeOnly    bool
	Repeat        int // identical container runs, at least 1
	BatchSize     int
	Progress      io.Writer
}

// Row is the verdict on one probe.
type Row struct {
	Probe
	Skipped                    string
	NativeDiffers, Same, Seeds string // cells of the table
	Problems                   []string
	Gapped                     bool
	native                     Output
}

// OK reports whether the row holds, known gaps included.
func (r Row) OK() bool { return len(r.Problems) == 0 || r.Gapped }

type named struct {
	label string
	set   Setting
}

// Evaluate runs every selected probe natively and in containers.
func (r *Runner) Evaluate(all []Probe, m Machine, o Options) ([]Row, error) {
	var rows []*Row
	groups := map[string][]*Row{}
	var order []string
	for _, p := range all {
		row := &Row{Probe: p}
		if o.Section != nil && !o.Section.MatchString(p.Section) || o.Name != nil && !o.Name.MatchString(p.Name) {
			continue
		}
		rows = append(rows, row)
		switch {
		case p.Needs != "" && !have(p.Needs):
			row.Skipped = "no " + p.Needs + " on this host"
		case p.Slow && !o.Slow:
			row.Skipped = "slow"
		default:
			if groups[p.Section] == nil {
				order = append(order, p.Section)
			}
			groups[p.Section] = append(groups[p.Section], row)
		}
		row.Gapped = p.Gap != "" && p.GapIf(m)
	}
	size := o.BatchSize
	if size == 0 {
		size = 12
	}
	for _, section := range order {
		for batch := range slices.Chunk(groups[section], size) {
			begin := time.Now()
			if err := r.natives(batch); err != nil {
				return nil, err
			}
			native := time.Since(begin)
			if !o.NativeOnly {
				if err := r.containers(batch, o); err != nil {
					return nil, err
				}
			}
			if o.Progress != nil {
				fmt.Fprintf(o.Progress, "%s: %d probes, native %.1fs, container %.1fs\n", section, len(batch),
					native.Seconds(), (time.Since(begin) - native).Seconds())
			}
		}
	}
	out := make([]Row, len(rows))
	for i, row := range rows {
		out[i] = *row
	}
	return out, nil
}

func (row *Row) problem(format string, arg ...any) {
	row.Problems = append(row.Problems, fmt.Sprintf(format, arg...))
}

func probesOf(rows []*Row) []Probe {
	p := make([]Probe, len(rows))
	for i, r := range rows {
		p[i] = r.Probe
	}
	return p
}

// natives proves the first side: what the probe sees does differ.
func (r *Runner) natives(rows []*Row) error {
	var list []*Row
	for _, row := range rows {
		if row.Native == "-" {
			row.NativeDiffers = "not run"
			continue
		}
		list = append(list, row)
	}
	if len(list) == 0 {
		return nil
	}
	defer r.Forget()
	var got []*Batch
	for _, set := range []Setting{{}, {}, {}, {Perturb: 1}, {Perturb: 2}} {
		b, err := r.Native(probesOf(list), set)
		if err != nil {
			return err
		}
		if b.Culprit != "" && b.Outputs[b.Culprit].Status == 0 {
			return fmt.Errorf("native run: %s: %s", b.Culprit, b.Reason)
		}
		got = append(got, b)
	}
	for _, row := range list {
		first := got[0].Outputs[row.Name]
		row.native = first
		for i, b := range got[:3] {
			if o := b.Outputs[row.Name]; o.Status != 0 {
				row.problem("native run %d: status %d: %s", i, o.Status, lastLines(o.Stderr, 3))
			}
		}
		differs := func(from, to int) bool {
			return slices.ContainsFunc(got[from:to], func(b *Batch) bool { return !b.Outputs[row.Name].same(first) })
		}
		switch {
		case differs(1, 3):
			row.NativeDiffers = "runs"
		case differs(3, 5):
			row.NativeDiffers = "perturbed"
		default:
			row.NativeDiffers = "no"
		}
		switch {
		case row.Varies == Runs && row.NativeDiffers != "runs", row.Varies == Perturbed && row.NativeDiffers == "no":
			row.problem("natively the output does not differ: the probe sees nothing: %.200q", first.Stdout)
		}
		if row.NativeDiffers == "no" {
			row.NativeDiffers = row.Varies.String()
		}
	}
	return nil
}

// containers proves the other sides: same in the container, other with
// another seed.
func (r *Runner) containers(rows []*Row, o Options) error {
	kit, undo, err := copyKit(r.Kit.Dir)
	if err != nil {
		return err
	}
	defer undo()
	sets := []named{{"again", Setting{}}}
	for i := 1; i < o.Repeat; i++ {
		sets = append(sets, named{"again", Setting{}})
	}
	sets = append(sets, named{"perturbed", Setting{Perturb: 1, KitDir: kit}}, named{"other user, no fast paths", Setting{Perturb: 2, KitDir: kit, NoFast: true}})
	for len(rows) > 0 {
		// The first run finds the probes that end their container; what was
		// behind them goes on in another.
		var first *Batch
		var rest []*Row
		for {
			first, err = r.Container(probesOf(rows), Setting{})
			if err != nil {
				return err
			}
			if first.Culprit == "" {
				break
			}
			i := slices.IndexFunc(rows, func(row *Row) bool { return row.Name == first.Culprit })
			if i < 0 {
				for _, row := range rows {
					if _, ok := first.Outputs[row.Name]; !ok || len(first.Outputs) == len(rows) {
						row.problem("container: %s", first.Reason)
						row.Same = "no run"
					}
				}
				return nil
			}
			rows[i].problem("ends the container: %s", first.Reason)
			rows[i].Same = "no run"
			rest = append(slices.Clone(rows[i+1:]), rest...)
			rows = slices.Clone(rows[:i])
			if len(rows) == 0 {
				break
			}
		}
		if len(rows) > 0 {
			if err := r.compare(rows, first, sets); err != nil {
				return err
			}
		}
		rows = rest
	}
	return nil
}

func (r *Runner) compare(rows []*Row, first *Batch, sets []named) error {
	for _, row := range rows {
		row.Same = "same"
		row.judge(first.Outputs[row.Name])
	}
	if first.Changes == "" {
		r.NoReport = first.Reason
	}
	for _, s := range sets {
		b, err := r.Container(probesOf(rows), s.set)
		if err != nil {
			return err
		}
		if b.Culprit != "" {
			rows[max(0, slices.IndexFunc(rows, func(row *Row) bool { return row.Name == b.Culprit }))].problem("%s: ends the container: %s", s.label, b.Reason)
		}
		agree := true
		for _, row := range rows {
			got, ok := b.Outputs[row.Name]
			if !ok {
				continue
			}
			if want := first.Outputs[row.Name]; !got.same(want) {
				row.Same = "DIFFERS"
				row.problem("%s: %s", s.label, difference(want, got))
				agree = false
			}
		}
		if b.Culprit == "" && agree && first.Changes != "" && b.Changes != first.Changes {
			for _, row := range rows {
				row.problem("%s: the changed files of this batch differ: %q, want %q", s.label, b.Changes, first.Changes)
				break
			}
		}
	}
	if !slices.ContainsFunc(rows, func(row *Row) bool { return row.Seeded }) {
		return nil
	}
	b, err := r.Container(probesOf(rows), Setting{Seed: 2})
	if err != nil {
		return err
	}
	for _, row := range rows {
		got, ok := b.Outputs[row.Name]
		if !row.Seeded {
			continue
		}
		row.Seeds = "differs"
		if !ok || got.same(first.Outputs[row.Name]) {
			row.Seeds = "SAME"
			row.problem("another seed gives the same output: %.100q", got.Stdout)
		}
	}
	return nil
}

// refusing are the errors that say "not here".
var refusing = []string{"ENOSYS", "EPERM", "EACCES", "EOPNOTSUPP", "ENODEV"}

// judge checks what one container run says by itself.
func (row *Row) judge(o Output) {
	if o.Status != 0 {
		row.problem("wrong answer, status %d: %s", o.Status, lastLines(o.Stderr, 4))
	}
	if row.MaxWall != 0 && o.Wall > row.MaxWall {
		row.problem("took %v", o.Wall.Round(time.Millisecond))
	}
	if row.Varies == Host && row.native.Stdout == o.Stdout && row.Native != "-" {
		row.problem("shows the host's value: %.200q", o.Stdout)
	}
	if row.Refused {
		for line := range strings.Lines(o.Stdout) {
			f := strings.Fields(line)
			if len(f) < 2 || !slices.Contains(refusing, f[len(f)-1]) {
				row.problem("not refused: %s", strings.TrimSpace(line))
			}
		}
	}
}

// difference shows the first place where two outputs differ.
func difference(a, b Output) string {
	if a.Status != b.Status {
		return fmt.Sprintf("status %d, then %d: %s", a.Status, b.Status, lastLines(b.Stderr, 3))
	}
	what, x, y := "stdout", a.Stdout, b.Stdout
	if x == y {
		what, x, y = "stderr", a.Stderr, b.Stderr
	}
	i := 0
	for i < len(x) && i < len(y) && x[i] == y[i] {
		i++
	}
	line := strings.Count(x[:i], "\n")
	cut := func(s string) string {
		l := strings.Split(s, "\n")
		if line < len(l) {
			if c := i - (strings.LastIndexByte(s[:i], '\n') + 1); c > 60 {
				return fmt.Sprintf("...%.120q", l[line][c-60:])
			}
			return fmt.Sprintf("%.120q", l[line])
		}
		return "nothing"
	}
	return fmt.Sprintf("%s line %d: %s, then %s", what, line+1, cut(x), cut(y))
}

// Print writes the table: line, probe, native differs, container same, seed
// differs; then the problems.
func Print(w io.Writer, rows []Row) {
	section := ""
	ok, gaps, bad, skipped := 0, 0, 0, 0
	for _, r := range rows {
		if r.Section != section {
			section = r.Section
			fmt.Fprintf(w, "\n## %s\n\n| line | probe | native differs | container same | seed differs |\n|---|---|---|---|---|\n", section)
		}
		same := r.Same
		switch {
		case r.Skipped != "":
			same = "skipped: " + r.Skipped
			skipped++
		case len(r.Problems) == 0:
			ok++
		case r.Gapped:
			same += " (known gap)"
			gaps++
		default:
			if same == "same" {
				same = "same, WRONG"
			}
			bad++
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.Line, r.Name, r.NativeDiffers, same, r.Seeds)
	}
	fmt.Fprintf(w, "\n%d probes hold, %d fail, %d known gaps, %d skipped\n", ok, bad, gaps, skipped)
	for _, r := range rows {
		for _, p := range r.Problems {
			kind := "FAIL"
			if r.Gapped {
				kind = "gap "
			}
			fmt.Fprintf(w, "%s %s: %s\n", kind, r.Name, p)
		}
		if r.Gapped && len(r.Problems) > 0 {
			fmt.Fprintf(w, "     %s: %s\n", r.Name, r.Gap)
		}
	}
}
