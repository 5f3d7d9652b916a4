package trace

import (
	"fmt"
	"strconv"
	"strings"
)

// Text is r as one line for people.
func (r *Record) Text() string {
	var b strings.Builder
	if r.Kind != Start && r.Kind != Changed && r.Kind != End {
		fmt.Fprintf(&b, "%d.%09d %d/%d ", r.Time/1e9, r.Time%1e9, r.PID, r.TID)
	}
	switch r.Kind {
	case Start:
		fmt.Fprintf(&b, "start %s", quoted(r.Argv))
	case Birth:
		b.WriteString("birth")
		if r.Parent != 0 {
			fmt.Fprintf(&b, " of a child of %d", r.Parent)
		}
	case Exec:
		b.WriteString("exec " + quoted(r.Argv))
	case Exit:
		fmt.Fprintf(&b, "exit with status %d", r.Result)
	case Signal:
		b.WriteString("signal " + r.Name)
	case Changed:
		fmt.Fprintf(&b, "%s %s", r.Change, r.File.text())
	case End:
		fmt.Fprintf(&b, "end with status %d", r.Result)
	default:
		fmt.Fprintf(&b, "%s(%s) = ", r.Name, r.Args)
		switch {
		case r.Errno != "":
			b.WriteString("-1 " + r.Errno)
		case r.Result > 1<<20 || r.Result < 0:
			b.WriteString("0x" + strconv.FormatUint(uint64(r.Result), 16))
		default:
			b.WriteString(strconv.FormatInt(r.Result, 10))
		}
		if r.File != nil {
			b.WriteString(" <" + r.File.text() + ">")
		}
		if r.Other != nil {
			b.WriteString(" <" + r.Other.text() + ">")
		}
	}
	return b.String()
}

// text is the path and, if bytes were moved, which.
func (f *File) text() string {
	p := f.Path
	if strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		p = strconv.Quote(p)
	}
	if f.Len == 0 {
		return p
	}
	return fmt.Sprintf("%s %d+%d", p, f.Off, f.Len)
}

func quoted(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = strconv.Quote(a)
	}
	return "[" + strings.Join(words, ", ") + "]"
}
