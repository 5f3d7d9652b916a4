package syscalls

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// how says when a call stops: always, never, or on some arguments.
func (f Filter) how() string {
	switch {
	case f.AlwaysAllows(), f.Default == Deny && len(f.Rules) == 0:
		return "never"
	case len(f.Rules) == 0:
		return "always"
	}
	return "some"
}

func (r *Row) errnoName() string {
	if r.Errno == 0 {
		return ""
	}
	return unix.ErrnoName(r.Errno)
}

// WriteText prints the table for people, one line per call.
func WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "NR\tCALL\tCLASS\tSTOPS\tERRNO\tNOTE")
	for _, g := range groups() {
		r := &g.rows[0]
		fmt.Fprintf(tw, "%s\t%s\t%v\t%s\t%s\t%s\n", g.number(), g.name(), r.Class, r.Filter.how(), r.errnoName(), r.Note)
	}
	return tw.Flush()
}

// jsonRow is the JSON form of a row; its field names are an interface.
type jsonRow struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Class  string `json:"class"`
	Stops  string `json:"stops"` // "always", "some" or "never"
	Event  bool   `json:"event"`
	Errno  string `json:"errno,omitempty"`
	Note   string `json:"note"`
}

// WriteJSON prints the table as an array of objects, one per number.
func WriteJSON(w io.Writer) error {
	var rows []jsonRow
	for _, r := range Table() {
		rows = append(rows, jsonRow{r.Nr, r.Name, r.Class.String(), r.Filter.how(), r.Event, r.errnoName(), r.Note})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(rows)
}

// group is a run of rows that print as one line: a row, or the numbers that no
// call has.
type group struct{ rows []Row }

func groups() []group {
	var gs []group
	for _, r := range Table() {
		if n := len(gs); n > 0 && !r.Assigned() && !gs[n-1].rows[0].Assigned() {
			gs[n-1].rows = append(gs[n-1].rows, r)
			continue
		}
		gs = append(gs, group{[]Row{r}})
	}
	return gs
}

func (g group) number() string {
	first, last := g.rows[0].Nr, g.rows[len(g.rows)-1].Nr
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func (g group) name() string {
	if !g.rows[0].Assigned() {
		return "(unassigned)"
	}
	return g.rows[0].Name
}

// WriteMarkdown prints docs/syscalls.md.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(markdownHead)
	count := map[Class]int{}
	for _, r := range Table() {
		if r.Assigned() {
			count[r.Class]++
		}
	}
	b.WriteString("| class | calls | who does the work |\n| --- | --- | --- |\n")
	for c := Native; c <= Refuse; c++ {
		fmt.Fprintf(&b, "| %v | %d | %s |\n", c, count[c], c.meaning())
	}
	b.WriteString("\n| number | call | class | stops | event | errno | what it would let in, and what is done |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, g := range groups() {
		r := &g.rows[0]
		event := ""
		if r.Event {
			event = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %v | %s | %s | %s | %s |\n",
			g.number(), markdownName(g), r.Class, r.Filter.how(), event, r.errnoName(), strings.ReplaceAll(r.Note, "*", `\*`))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownName(g group) string {
	if g.rows[0].Assigned() {
		return "`" + g.name() + "`"
	}
	return g.name()
}

func (c Class) meaning() string {
	switch c {
	case Native:
		return "the kernel, which is deterministic here: a fresh kernel view, and one running thread at a time"
	case Emulate:
		return "the supervisor answers; the kernel never sees the call"
	case Adjust:
		return "the kernel; arguments are checked before, or results corrected after"
	case Schedule:
		return "the kernel or the supervisor; a call that must wait parks its thread, and another one gets the turn"
	}
	return "nobody: a clean errno, and a line in the run's report"
}

const markdownHead = `# System calls

<!-- Generated from internal/syscalls by "go generate ./internal/syscalls"; do not edit. -->

Every system call number of x86-64 has a row here, and the filter that decides what may happen is compiled from the
same rows. Each row says what the call would let into the container and what is done about it:

- *eliminated*: the source is gone, it cannot be seen any more;
- *normalised*: the host's value is replaced by one that is the same everywhere;
- *ordered*: what may happen in several orders happens in one, that of the run queue;
- *assumed stable*: nothing is done, and the row says what is assumed;
- refused: the errno that a kernel without the feature, or without the privilege, gives.

A call without any of these words lets nothing in. "Stops" says whether a use of the call reaches the supervisor:
always, never, or only with some arguments. An event moves the logical clock, uses up the thread's turn and has a line
in the event log. The errno is the answer of a refused call, or, in other classes, that to uses that are not supported.

System calls through int 0x80 or with x32 numbers, and numbers above the last row, get ENOSYS and are reported.

`
