package history

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// fewInputs is how many inputs are listed without All.
const fewInputs = 12

// Text writes the answer for people. With all set every input is listed, else
// those from outside the build's own directories only as a count.
func (a *Answer) Text(w io.Writer, all bool) error {
	var b strings.Builder
	b.WriteString(a.File)
	if !a.Exists && len(a.Segments) > 0 && strings.HasPrefix(a.File, "/") {
		b.WriteString(" (gone at the end of the run)")
	}
	b.WriteByte('\n')
	if a.Untouched {
		b.WriteString("  not written in this run: it is as the image or the input has it\n")
	}
	for _, g := range a.groups() {
		g.text(&b, all)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// groups are the segments by who wrote them and how, each in order of its first.
func (a *Answer) groups() []*group {
	type key struct {
		born   int64
		pid    int
		mapped bool
		from   string
	}
	var out []*group
	index := map[key]*group{}
	for i := range a.Segments {
		s := &a.Segments[i]
		k := key{s.Writer.BornNS, s.Writer.PID, s.Mapped, ""}
		if s.From != nil {
			k.from = s.From.Path + " " + strconv.FormatInt(s.From.Off-s.Off, 10)
		}
		g := index[k]
		if g == nil {
			g = &group{Segment: *s}
			index[k] = g
			out = append(out, g)
		}
		g.ranges = append(g.ranges, fmt.Sprintf("%d to %d", s.Off, s.Off+s.Len-1))
		if s.Event > g.Event { // the last write has the longest list
			g.Event, g.TimeNS, g.Inputs = s.Event, s.TimeNS, s.Inputs
		}
	}
	return out
}

// group are the segments of one writer; the embedded one is its first, with
// event and inputs of its last.
type group struct {
	Segment
	ranges []string
}

// fewRanges is how many ranges of bytes a line names.
const fewRanges = 8

func (s *group) text(b *strings.Builder, all bool) {
	ranges := s.ranges
	if n := len(ranges); n > fewRanges && !all {
		ranges = append(ranges[:fewRanges:fewRanges], fmt.Sprintf("and %d ranges more", n-fewRanges))
	}
	how := "written by"
	switch {
	case s.Mapped:
		how = "mapped, and perhaps written, by"
	case s.From != nil:
		how = fmt.Sprintf("copied from %s at %d by", s.From.Path, s.From.Off)
	}
	fmt.Fprintf(b, "  bytes %s: %s\n    %s\n", strings.Join(ranges, ", "), how, s.Writer.line())
	fmt.Fprintf(b, "    %s, event %d, at %s s\n", s.Call, s.Event, Seconds(s.TimeNS))
	for p := s.Writer.Parent; p != nil; p = p.Parent {
		fmt.Fprintf(b, "    child of %s\n", p.line())
	}
	if len(s.Inputs) == 0 {
		b.WriteString("    it had read nothing before\n")
		return
	}
	b.WriteString("    it had read before\n")
	shown, hidden := 0, 0
	for _, in := range s.Inputs {
		if !all && len(in.Makers) == 0 && (systemFile(in.Path) || shown >= fewInputs) {
			hidden++
			continue
		}
		shown++
		b.WriteString("      " + in.Path)
		for i, m := range in.Makers {
			if i == 0 {
				b.WriteString(", written in this run by ")
			} else {
				b.WriteString(" and ")
			}
			b.WriteString(m.line())
		}
		b.WriteByte('\n')
	}
	if hidden > 0 {
		fmt.Fprintf(b, "      and %d more (--all lists them)\n", hidden)
	}
}

// systemFile reports a file that says little about the one in question:
// libraries, locales and settings.
func systemFile(p string) bool {
	for _, dir := range []string{"/usr/", "/lib", "/etc/", "/proc/", "/sys/", "/bin/"} {
		if strings.HasPrefix(p, dir) {
			return true
		}
	}
	return false
}

// maxCommand is the length of a command line, in bytes, that is still shown whole.
const maxCommand = 160

func (p *ProcessInfo) line() string { return fmt.Sprintf("pid %d: %s", p.PID, CommandLine(p.Argv)) }

// CommandLine writes arguments as one would type them, cut at a length.
func CommandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`|&;<>()*?[]#~!{}") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		if strings.ContainsAny(a, "\n\x1b\r") {
			words[i] = strconv.Quote(a)
		}
	}
	line := strings.Join(words, " ")
	if len(line) > maxCommand {
		line = strings.ToValidUTF8(line[:maxCommand], "") + "..."
	}
	return line
}

// Seconds writes ns as seconds.
func Seconds(ns int64) string { return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9) }
