package explain

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"dettrace/internal/trace"
	"dettrace/internal/vary"
)

// Write is a write whose data differ from those of the run without variation:
// the first to its file.
type Write struct {
	Path    string   `json:"path"` // also of files that are deleted later; "pipe"
	Offset  int64    `json:"offset"`
	PID     int      `json:"pid"`
	Command []string `json:"command"`
	Call    string   `json:"call"`
	TimeNS  int64    `json:"time_ns"`
	Deleted bool     `json:"deleted,omitempty"` // it is none of the files at the end
}

// index is a trace in the form in which two are compared: the writes of each
// process in order. Processes are told apart by their place in the family,
// which does not depend on numbers or on the order of others.
type index struct {
	procs  map[string][]entry
	order  []string // in order of birth
	people []person
	lines  []string // all records, as text
}

// entry is a write.
type entry struct {
	Write
	data string
	n    int // line
}

// person is a process from a time on.
type person struct {
	pid  int
	time int64
	argv []string
}

// readTrace reads the trace of a sample; paths are those of the run without
// variation.
func readTrace(s *Sample, p *Program) (*index, error) {
	f, err := os.Open(s.file("trace"))
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read: nothing can be lost
	x := &index{procs: map[string][]entry{}}
	family := map[int]string{} // by pid, of those that live
	kids := map[string]int{}
	argv := map[int][]string{}
	back := s.Plan.Of(vary.BuildPath)
	err = trace.Scan(f, func(r *trace.Record) bool {
		switch r.Kind {
		case trace.Birth:
			if r.PID != r.TID {
				break
			}
			parent := family[r.Parent]
			kids[parent]++
			family[r.PID] = parent + "/" + strconv.Itoa(kids[parent])
			argv[r.PID] = argv[r.Parent]
			x.order = append(x.order, family[r.PID])
			x.people = append(x.people, person{r.PID, r.Time, argv[r.PID]})
		case trace.Exec:
			argv[r.PID] = r.Argv
			x.people = append(x.people, person{r.PID, r.Time, r.Argv})
		case trace.Call:
			if r.Op == trace.Write && r.File != nil && r.Result > 0 {
				path := back.MovedBack(r.File.Path)
				if strings.HasPrefix(path, "pipe:") {
					path = "pipe"
				}
				who := family[r.PID]
				x.procs[who] = append(x.procs[who], entry{Write{
					Path: path, Offset: r.File.Off, PID: r.PID, Command: argv[r.PID], Call: r.Name, TimeNS: r.Time,
				}, r.Data, len(x.lines)})
			}
		}
		x.lines = append(x.lines, r.Text())
		return true
	})
	if errors.Is(err, trace.ErrIncomplete) {
		err = nil // of a run that failed
	}
	if len(x.people) > 0 && len(x.people[0].argv) == 0 {
		x.people[0].argv = p.Command
	}
	return x, err
}

// who is the command line of a process at a time.
func (x *index) who(pid int, time int64) (argv []string) {
	for _, p := range x.people {
		if p.pid == pid && p.time <= time {
			argv = p.argv
		}
	}
	return argv
}

const contextLines = 8

// flow lists the first write of x that differs from those of base, for each
// file, in time, and the lines of the trace up to the first of all.
func (x *index) flow(base *index) (out []Write, lines []string) {
	type first struct{ entry }
	var firsts []first
	for _, who := range x.order {
		mine, theirs := x.procs[who], base.procs[who]
		seen := map[string]bool{}
		for i, e := range mine {
			if seen[e.Path] || i < len(theirs) && theirs[i].data == e.data && theirs[i].Path == e.Path {
				continue
			}
			seen[e.Path] = true
			firsts = append(firsts, first{e})
		}
	}
	slices.SortStableFunc(firsts, func(a, b first) int { return a.n - b.n })
	done := map[string]bool{}
	for _, e := range firsts {
		if e.Path != "pipe" && done[e.Path] {
			continue
		}
		done[e.Path] = true
		if len(out) == 0 {
			lines = x.lines[max(0, e.n-contextLines+1) : e.n+1]
		}
		out = append(out, e.Write)
	}
	return out, lines
}

// most writes of a flow that are told.
const maxFlow = 40

// follow runs a cause with a trace and says how it gets to the files.
func (f *finder) follow(c *Cause) error {
	s, err := f.p.Run(f.ctx, c.plan, true, true)
	if err != nil {
		return err
	}
	defer os.RemoveAll(s.dir) // the whole directory goes in the end
	x, err := readTrace(s, f.p)
	if err != nil {
		return err
	}
	if c.Use != nil && c.Use.PID != 0 {
		c.Who = x.who(c.Use.PID, c.Use.TimeNS)
	} else if c.Use != nil { // counted by the file system: by time
		c.Use.PID, c.Who = x.at(c.Use.TimeNS)
	}
	if c.Places, err = f.p.places(f.base, s); err != nil {
		return err
	}
	if c.files != nil {
		c.Places = slices.DeleteFunc(c.Places, func(p Place) bool { return !p.of(c.files) })
	}
	c.Flow, c.Lines = x.flow(f.trace)
	if len(c.Flow) > maxFlow {
		c.Flow = c.Flow[:maxFlow]
	}
	for i := range c.Flow {
		w := &c.Flow[i]
		name := strings.TrimPrefix(w.Path, "/")
		_, stays := s.Files[name]
		w.Deleted = strings.HasPrefix(w.Path, "/") && !stays && len(f.p.Only) == 0
	}
	if c.Lines == nil {
		c.Lines = []string{}
	}
	return nil
}

// at is the process that made a call at a time.
func (x *index) at(ns int64) (int, []string) {
	stamp := strconv.FormatInt(ns/1e9, 10) + "." + pad(ns%1e9) + " "
	for _, l := range x.lines {
		rest, ok := strings.CutPrefix(l, stamp)
		if !ok {
			continue
		}
		who, _, _ := strings.Cut(rest, "/")
		if pid, err := strconv.Atoi(who); err == nil {
			return pid, x.who(pid, ns)
		}
	}
	return 0, nil
}

func pad(ns int64) string {
	s := strconv.FormatInt(ns, 10)
	return strings.Repeat("0", 9-len(s)) + s
}
