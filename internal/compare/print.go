package compare

import (
	"fmt"
	"io"
	"strings"
)

// Leaves are the innermost differences below x with their whole paths:
// "a.deb!data.tar.xz!data.tar!./usr/bin/a".
func (x Difference) Leaves() []Difference {
	if len(x.Members) == 0 {
		return []Difference{x}
	}
	var out []Difference
	for _, m := range x.Members {
		for _, l := range m.Leaves() {
			l.Path = x.Path + "!" + l.Path
			out = append(out, l)
		}
	}
	return out
}

// Text writes differences for people: a line for each file and, indented, what
// is known of it and of its members. stat leaves it at the first lines.
func Text(w io.Writer, diffs []Difference, stat bool) error {
	var b strings.Builder
	for _, x := range diffs {
		x.text(&b, "", stat)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (x Difference) text(b *strings.Builder, indent string, stat bool) {
	name := x.Path
	if name == "" {
		name = "(the file)"
	}
	fmt.Fprintf(b, "%s%s: %s", indent, name, strings.Join(x.Kinds, ", "))
	if x.Has(Content) {
		fmt.Fprintf(b, " (from byte %d", x.Offset)
		if x.SizeA != x.SizeB {
			fmt.Fprintf(b, ", %d -> %d bytes", x.SizeA, x.SizeB)
		}
		b.WriteByte(')')
	}
	b.WriteByte('\n')
	if stat {
		return
	}
	for _, n := range x.Notes {
		fmt.Fprintf(b, "%s  %s\n", indent, n)
	}
	if x.Trouble != "" {
		fmt.Fprintf(b, "%s  not opened: %s\n", indent, x.Trouble)
	}
	for l := range strings.Lines(x.Text) {
		fmt.Fprintf(b, "%s  %s\n", indent, strings.TrimSuffix(l, "\n"))
	}
	for _, m := range x.Members {
		m.text(b, indent+"  ", false)
	}
}

// Has reports whether the difference is of a kind.
func (x Difference) Has(kind string) bool {
	for _, k := range x.Kinds {
		if k == kind {
			return true
		}
	}
	return false
}
