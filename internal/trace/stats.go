package trace

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// Stats counts the records of a trace.
type Stats struct {
	Records   int           `json:"records"`
	LogicalNS int64         `json:"logical_time_ns"` // until the last record
	Calls     []CallStats   `json:"calls"`           // most frequent first
	Processes []ProcStats   `json:"processes"`       // in order of birth
	Files     []FileTraffic `json:"files"`           // most bytes first

	calls map[string]*CallStats
	procs map[int]*ProcStats
	files map[string]*FileTraffic
	order []*ProcStats
}

// CallStats is about one system call.
type CallStats struct {
	Call   string `json:"call"`
	Count  int    `json:"count"`
	Errors int    `json:"errors"`
	NS     int64  `json:"logical_ns"` // from entry to exit, waiting included
}

// ProcStats is about one process.
type ProcStats struct {
	PID    int      `json:"pid"`
	Argv   []string `json:"argv"` // of its last exec
	BornNS int64    `json:"born_ns"`
	Calls  int      `json:"calls"`
	Read   int64    `json:"read_bytes"`
	Write  int64    `json:"written_bytes"`
}

// FileTraffic is about one file.
type FileTraffic struct {
	Path  string `json:"path"`
	Read  int64  `json:"read_bytes"`
	Write int64  `json:"written_bytes"`
}

// Add counts r.
func (s *Stats) Add(r *Record) {
	if s.calls == nil {
		s.calls, s.procs, s.files = map[string]*CallStats{}, map[int]*ProcStats{}, map[string]*FileTraffic{}
	}
	s.Records++
	s.LogicalNS = max(s.LogicalNS, r.Time+r.Dur)
	p := s.procs[r.PID]
	if r.PID != 0 && (p == nil || r.Kind == Birth && r.PID == r.TID) {
		p = &ProcStats{PID: r.PID, BornNS: r.Time}
		if parent := s.procs[r.Parent]; parent != nil {
			p.Argv = parent.Argv
		}
		s.procs[r.PID] = p
		s.order = append(s.order, p)
	}
	switch r.Kind {
	case Exec:
		p.Argv = r.Argv
	case Call:
		c := s.calls[r.Name]
		if c == nil {
			c = &CallStats{Call: r.Name}
			s.calls[r.Name] = c
		}
		c.Count++
		c.NS += r.Dur
		p.Calls++
		if r.Failed() {
			c.Errors++
			return
		}
		s.traffic(p, r.File, r.Op)
		if r.Other != nil && r.Op == Write {
			s.traffic(p, r.Other, Read)
		}
	}
}

func (s *Stats) traffic(p *ProcStats, f *File, op Op) {
	if f == nil || op != Read && op != Write {
		return
	}
	t := s.files[f.Path]
	if t == nil {
		t = &FileTraffic{Path: f.Path}
		s.files[f.Path] = t
	}
	if op == Read {
		t.Read += f.Len
		p.Read += f.Len
		return
	}
	t.Write += f.Len
	p.Write += f.Len
}

// Sort fills the lists; nothing may be added after it.
func (s *Stats) Sort() {
	s.Calls, s.Processes, s.Files = []CallStats{}, []ProcStats{}, []FileTraffic{}
	for _, name := range slices.Sorted(maps.Keys(s.calls)) {
		s.Calls = append(s.Calls, *s.calls[name])
	}
	slices.SortStableFunc(s.Calls, func(a, b CallStats) int { return cmp.Compare(b.Count, a.Count) })
	for _, p := range s.order {
		s.Processes = append(s.Processes, *p)
	}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		s.Files = append(s.Files, *s.files[name])
	}
	slices.SortStableFunc(s.Files, func(a, b FileTraffic) int { return cmp.Compare(b.Read+b.Write, a.Read+a.Write) })
}

// topFiles is how many files the text names.
const topFiles = 20

// Text writes s for people.
func (s *Stats) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%d events in %d.%09d s of logical time\n\n", s.Records, s.LogicalNS/1e9, s.LogicalNS%1e9)
	fmt.Fprintln(t, "count\terrors\tseconds\t call")
	for _, c := range s.Calls {
		fmt.Fprintf(t, "%d\t%d\t%d.%06d\t %s\n", c.Count, c.Errors, c.NS/1e9, c.NS%1e9/1e3, c.Call)
	}
	fmt.Fprintln(t, "\npid\tcalls\tread\twritten\t command")
	for _, p := range s.Processes {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t %s\n", p.PID, p.Calls, p.Read, p.Write, quoted(p.Argv))
	}
	fmt.Fprintln(t, "\nread\twritten\t file")
	for i, f := range s.Files {
		if i == topFiles {
			fmt.Fprintf(t, "\t\t and %d more (--json lists them)\n", len(s.Files)-topFiles)
			break
		}
		fmt.Fprintf(t, "%d\t%d\t %s\n", f.Read, f.Write, f.Path)
	}
	return t.Flush()
}
