package history

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"

	"dettrace/internal/hint"
	"dettrace/internal/trace"
)

// Answer says where a file's bytes come from.
type Answer struct {
	File string `json:"file"` // guest path, or the name of a stream
	// Exists: it is there at the end of the run, changed by it.
	Exists bool `json:"exists"`
	// Untouched: the run read it and did not write it.
	Untouched bool      `json:"untouched"`
	Segments  []Segment `json:"segments"` // by offset; none for a file that nobody wrote
}

// Segment are bytes that one call wrote.
type Segment struct {
	Off    int64        `json:"off"`
	Len    int64        `json:"len"`
	Event  uint64       `json:"event"`
	TimeNS int64        `json:"time_ns"` // logical, since the start of the run
	Call   string       `json:"call"`
	Mapped bool         `json:"mapped,omitempty"` // through a shared mapping: these bytes may have been written
	From   *trace.File  `json:"copied_from,omitempty"`
	Writer *ProcessInfo `json:"writer"`
	Inputs []Input      `json:"inputs"` // what the writer had read before
}

// ProcessInfo names a process at a moment.
type ProcessInfo struct {
	PID    int          `json:"pid"`
	Exe    string       `json:"exe"`
	Argv   []string     `json:"argv"`
	BornNS int64        `json:"born_ns"`
	Parent *ProcessInfo `json:"parent,omitempty"`
}

// Input is something that was read.
type Input struct {
	Path  string   `json:"path"`
	Op    trace.Op `json:"op"`
	Event uint64   `json:"event"`
	// Makers are those who wrote it in this run, before it was read.
	Makers []*ProcessInfo `json:"makers,omitempty"`
}

// Whole asks for all bytes of a file.
const Whole = -1

// Why tells who wrote the byte at off, or with Whole who wrote which bytes.
func (h *History) Why(name string, off int64) (*Answer, error) {
	key, p, ok := h.find(name)
	if !ok {
		return nil, hint.With(fmt.Errorf("%s: the run neither read nor wrote such a file", name), h.near(p))
	}
	_, exists := h.changed[p]
	a := &Answer{File: p, Exists: exists, Segments: []Segment{}}
	f := h.files[key]
	if f == nil {
		a.Untouched = true // as it was in the image or input
		return a, nil
	}
	for _, s := range f.final() {
		if off != Whole && (off < s.off || off >= s.off+s.len) {
			continue
		}
		a.Segments = append(a.Segments, h.segment(s))
	}
	return a, nil
}

func (h *History) segment(w write) Segment {
	return Segment{
		Off: w.off, Len: w.len, Event: w.n, TimeNS: w.time, Call: w.call, Mapped: w.mapped, From: w.from,
		Writer: w.proc.info(w.n), Inputs: h.inputs(w.proc, w.n),
	}
}

// final is what the writes have left: disjoint ranges by offset, and after
// them what may have been written through mappings.
func (f *file) final() []write {
	var out, mapped []write
	for _, w := range f.writes {
		switch {
		case w.mapped:
			mapped = append(mapped, w)
			continue
		case w.len < 0:
			out = without(out, w.off, math.MaxInt64)
			continue
		}
		out = append(without(out, w.off, w.off+w.len), w)
	}
	slices.SortFunc(out, func(a, b write) int { return int(min(max(a.off-b.off, -1), 1)) })
	return append(join(out), mapped...)
}

// without takes the bytes [from, to) out of ranges.
func without(ws []write, from, to int64) []write {
	out := make([]write, 0, len(ws)+1)
	for _, w := range ws {
		end := w.off + w.len
		if end <= from || w.off >= to {
			out = append(out, w)
			continue
		}
		if w.off < from {
			left := w
			left.len = from - w.off
			out = append(out, left)
		}
		if end > to {
			right := w
			right.off, right.len = to, end-to
			out = append(out, right)
		}
	}
	return out
}

// join makes one of neighbours that a process wrote one after the other without
// reading anything else in between.
func join(ws []write) []write {
	var out []write
	for _, w := range ws {
		if k := len(out) - 1; k >= 0 {
			last := &out[k]
			if last.proc == w.proc && last.call == w.call && last.off+last.len == w.off && last.from == nil && w.from == nil &&
				last.proc.readsBefore(last.n) == w.proc.readsBefore(w.n) {
				last.len += w.len
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

// readsBefore counts the files that p had read before an event.
func (p *Process) readsBefore(n uint64) int {
	i, _ := slices.BinarySearchFunc(p.reads, n, func(r read, n uint64) int {
		if r.n < n {
			return -1
		}
		return 1
	})
	return i
}

// inputs is what p had read before event n, since its last exec.
func (h *History) inputs(p *Process, n uint64) []Input {
	var from uint64
	for _, e := range p.Execs {
		if e.N < n {
			from = e.N
		}
	}
	out := []Input{}
	for _, r := range p.reads[:p.readsBefore(n)] {
		if r.n < from {
			continue
		}
		in := Input{Path: r.path, Op: r.op, Event: r.n}
		if f := h.files[r.file]; f != nil {
			in.Makers = f.makers(r.n, p)
		}
		out = append(out, in)
	}
	return out
}

// makers are the processes but reader that wrote a file before event n.
func (f *file) makers(n uint64, reader *Process) []*ProcessInfo {
	var out []*ProcessInfo
	seen := map[*Process]bool{reader: true}
	for _, w := range f.writes {
		if w.n < n && w.len > 0 && !seen[w.proc] {
			seen[w.proc] = true
			out = append(out, w.proc.info(w.n))
		}
	}
	return out
}

func (p *Process) info(n uint64) *ProcessInfo {
	prog := p.At(n)
	i := &ProcessInfo{PID: p.PID, Exe: prog.Exe, Argv: prog.Argv, BornNS: p.Born}
	if p.Parent != nil {
		i.Parent = p.Parent.info(n)
	}
	return i
}

// near names a file of the same base name, for a hint.
func (h *History) near(name string) string {
	var found []string
	for _, m := range []map[string]id{h.changed, h.names} {
		for _, p := range slices.Sorted(maps.Keys(m)) {
			if path.Base(p) == path.Base(name) {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return "dettrace trace lists the files of the run"
	}
	return "there is " + found[0]
}
