package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Profile is where the time of a run went, in ns of wall time.
type Profile struct {
	// GuestNS lies between stops: the guest's own work, its system calls, what
	// the file system does for them, and the switches to and fro.
	GuestNS int64 `json:"guest_ns"`
	// SupervisorNS is spent on stops, of which Stops are the kinds: "entry
	// openat", "birth", most time first.
	SupervisorNS int64  `json:"supervisor_ns"`
	Stops        []Span `json:"stops"`
	// FileSystemNS is spent on requests, most of it while the guest waits for
	// them and so part of GuestNS.
	FileSystemNS int64  `json:"file_system_ns"`
	Requests     []Span `json:"requests"`
}

// Span is a kind of work in a Profile.
type Span struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
	NS    int64  `json:"ns"`
}

// Sort adds up the sums and brings the lists into their order.
func (p *Profile) Sort() {
	for _, l := range []struct {
		list []Span
		sum  *int64
	}{{p.Stops, &p.SupervisorNS}, {p.Requests, &p.FileSystemNS}} {
		slices.SortFunc(l.list, func(a, b Span) int {
			return cmp.Or(cmp.Compare(b.NS, a.NS), cmp.Compare(a.Name, b.Name))
		})
		*l.sum = 0
		for _, s := range l.list {
			*l.sum += s.NS
		}
	}
}

// WriteText prints the profile for people: at most most lines of each list.
func (p *Profile) WriteText(w io.Writer, most int) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	ms := func(ns int64) string { return fmt.Sprintf("%.1f ms", float64(ns)/1e6) }
	fmt.Fprintf(tw, "count\ttime\teach\t  what\n")
	sum := func(name string, ns int64, list []Span) {
		n := uint64(0)
		for _, s := range list {
			n += s.Count
		}
		fmt.Fprintf(tw, "%s\t%s\t\t  %s\n", Digits(int64(n)), ms(ns), name)
		for i, s := range list {
			if i == most {
				fmt.Fprintf(tw, "\t\t\t    (%d more)\n", len(list)-most)
				break
			}
			fmt.Fprintf(tw, "%s\t%s\t%.1f us\t    %s\n", Digits(int64(s.Count)), ms(s.NS), float64(s.NS)/1e3/float64(max(s.Count, 1)), s.Name)
		}
	}
	fmt.Fprintf(tw, "\t%s\t\t  guest, with its system calls and the switches\n", ms(p.GuestNS))
	sum("supervisor, by stop", p.SupervisorNS, p.Stops)
	sum("file system, by request; most of it within the guest's time", p.FileSystemNS, p.Requests)
	return tw.Flush()
}
