package trace

import (
	"encoding/json"
	"fmt"
	"io"
)

// Timeline writes records in the Trace Event Format that chrome://tracing and
// Perfetto show: a row for each thread, with its programs and calls. Times are
// logical, in microseconds.
type Timeline struct {
	w       io.Writer
	err     error
	first   bool
	running map[int]*running
	order   []int
	last    int64
}

// running is the program that a process executes.
type running struct {
	name string
	argv []string
	from int64
}

type timelineEvent struct {
	Name string         `json:"name"`
	Ph   string         `json:"ph"`
	PID  int            `json:"pid"`
	TID  int            `json:"tid"`
	TS   float64        `json:"ts"`
	Dur  float64        `json:"dur,omitempty"`
	S    string         `json:"s,omitempty"`
	Args map[string]any `json:"args,omitempty"`
}

// NewTimeline begins a file; Close ends it.
func NewTimeline(w io.Writer) *Timeline {
	t := &Timeline{w: w, first: true, running: map[int]*running{}}
	_, t.err = io.WriteString(w, `{"displayTimeUnit":"ns","traceEvents":[`)
	return t
}

func us(ns int64) float64 { return float64(ns) / 1000 }

func (t *Timeline) event(e timelineEvent) {
	if t.err != nil {
		return
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.err = err
		return
	}
	sep := ",\n"
	if t.first {
		sep, t.first = "\n", false
	}
	_, t.err = fmt.Fprintf(t.w, "%s%s", sep, b)
}

// Add puts r onto the timeline.
func (t *Timeline) Add(r *Record) {
	t.last = max(t.last, r.Time+r.Dur)
	switch r.Kind {
	case Birth:
		if r.PID == r.TID {
			name := "fork"
			if p := t.running[r.Parent]; p != nil {
				name = p.name
			}
			t.begin(r.PID, name, nil, r.Time)
		}
	case Exec:
		t.end(r.PID, r.Time)
		name := "?"
		if len(r.Argv) > 0 {
			name = r.Argv[0]
		}
		t.begin(r.PID, name, r.Argv, r.Time)
	case Exit:
		t.end(r.PID, r.Time)
	case Signal:
		t.event(timelineEvent{Name: r.Name, Ph: "i", S: "t", PID: r.PID, TID: r.TID, TS: us(r.Time)})
	case Call:
		args := map[string]any{"args": r.Args, "result": r.Result, "event": r.N}
		if r.Errno != "" {
			args["errno"] = r.Errno
		}
		if r.File != nil {
			args["file"] = r.File.text()
		}
		t.event(timelineEvent{Name: r.Name, Ph: "X", PID: r.PID, TID: r.TID, TS: us(r.Time), Dur: us(max(r.Dur, 1)), Args: args})
	}
}

func (t *Timeline) begin(pid int, name string, argv []string, at int64) {
	t.running[pid] = &running{name, argv, at}
	t.order = append(t.order, pid)
	t.event(timelineEvent{Name: "process_name", Ph: "M", PID: pid, TID: pid, Args: map[string]any{"name": name}})
}

func (t *Timeline) end(pid int, at int64) {
	p := t.running[pid]
	if p == nil {
		return
	}
	delete(t.running, pid)
	e := timelineEvent{Name: p.name, Ph: "X", PID: pid, TID: pid, TS: us(p.from), Dur: us(max(at-p.from, 1))}
	if p.argv != nil {
		e.Args = map[string]any{"argv": p.argv}
	}
	t.event(e)
}

// Close ends the file; what still runs, ends with the last record.
func (t *Timeline) Close() error {
	for _, pid := range t.order {
		t.end(pid, t.last)
	}
	if t.err == nil {
		_, t.err = io.WriteString(t.w, "\n]}\n")
	}
	return t.err
}
