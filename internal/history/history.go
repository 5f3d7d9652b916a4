// Package history answers questions about a run from its trace: who wrote a
// file or a byte of it, and what they had read before.
package history

import (
	"cmp"
	"io"
	"path"
	"slices"

	"dettrace/internal/trace"
)

// History is what a trace says about processes, files and bytes.
type History struct {
	Workdir string
	Procs   []*Process // in order of birth
	live    map[int]*Process
	files   map[id]*file
	names   map[string]id // the last file at each path
	changed map[string]id // those that the run left behind
}

// Process is one process of the run, from birth to exit.
type Process struct {
	PID    int
	Parent *Process
	Born   int64 // logical ns since the start of the run
	Died   int64 // -1: not before the run ended
	Status int
	Execs  []Program
	reads  []read
	seen   map[id]bool
}

// Program is what a process executes from an event on; a child that has not
// executed anything has its parent's.
type Program struct {
	N    uint64 // number of the event in the trace
	Time int64
	Exe  string
	Argv []string
}

// id is a file whatever its name: an inode of the tree, or a named stream.
type id struct {
	ino  uint64
	name string
}

type read struct {
	n    uint64
	time int64
	file id
	path string
	op   trace.Op
}

// file is what was done to the bytes of one file.
type file struct {
	path   string // where it was last seen
	writes []write
}

// write is a change of a range of bytes; len < 0: truncated at off.
type write struct {
	n        uint64
	time     int64
	proc     *Process
	call     string
	off, len int64
	from     *trace.File // copied from there
	mapped   bool        // perhaps: through a mapping
}

func idOf(f *trace.File) id {
	if f.Ino != 0 {
		return id{ino: f.Ino}
	}
	return id{name: f.Path}
}

// Load reads a trace. An incomplete one gives what it has, and trace.ErrIncomplete.
func Load(r io.Reader) (*History, error) {
	h := &History{live: map[int]*Process{}, files: map[id]*file{}, names: map[string]id{}, changed: map[string]id{}}
	err := trace.Scan(r, func(rec *trace.Record) bool {
		h.add(rec)
		return true
	})
	return h, err
}

func (h *History) add(r *trace.Record) {
	p := h.live[r.PID]
	switch r.Kind {
	case trace.Start:
		h.Workdir = r.Workdir
	case trace.Birth:
		if r.PID != r.TID || p != nil {
			return // a thread
		}
		p = &Process{PID: r.PID, Parent: h.live[r.Parent], Born: r.Time, Died: -1, seen: map[id]bool{}}
		h.Procs = append(h.Procs, p)
		h.live[r.PID] = p
	case trace.Exec:
		if p != nil {
			e := Program{N: r.N, Time: r.Time, Argv: r.Argv}
			if r.File != nil {
				e.Exe = r.File.Path
			}
			p.Execs = append(p.Execs, e)
		}
	case trace.Exit:
		if p != nil {
			p.Died, p.Status, p.seen = r.Time, int(r.Result), nil
			delete(h.live, r.PID)
		}
	case trace.Changed:
		if r.File.Ino != 0 {
			h.changed[r.File.Path] = idOf(r.File)
		}
	case trace.Call:
		if p != nil && r.Result >= 0 {
			h.call(r, p)
		}
	}
}

func (h *History) call(r *trace.Record, p *Process) {
	switch r.Name {
	case "rename", "renameat", "renameat2":
		if r.File != nil && r.Other != nil {
			h.rename(r.File.Path, r.Other.Path)
		}
		return
	case "link", "linkat":
		if r.File != nil && r.Other != nil {
			if f, ok := h.names[r.File.Path]; ok {
				h.names[r.Other.Path] = f
			}
		}
		return
	}
	if r.File == nil {
		return
	}
	if r.File.Ino != 0 {
		h.names[r.File.Path] = idOf(r.File)
	}
	switch r.Op {
	case trace.Read, trace.MapRead:
		p.read(r, r.File, r.Op)
	case trace.MapWrite:
		p.read(r, r.File, r.Op)
		h.write(r, p, r.File.Len)
	case trace.Write:
		if r.Other != nil {
			p.read(r, r.Other, trace.Read)
		}
		h.write(r, p, r.File.Len)
	case trace.Truncate:
		h.write(r, p, -1)
	}
}

func (h *History) rename(from, to string) {
	f, ok := h.names[from]
	if !ok {
		return
	}
	delete(h.names, from)
	h.names[to] = f
	if h.files[f] != nil {
		h.files[f].path = to
	}
}

func (p *Process) read(r *trace.Record, f *trace.File, op trace.Op) {
	key := idOf(f)
	if p.seen[key] || f.Len == 0 && op == trace.Read {
		return
	}
	p.seen[key] = true
	p.reads = append(p.reads, read{r.N, r.Time, key, f.Path, op})
}

func (h *History) write(r *trace.Record, p *Process, n int64) {
	if n == 0 {
		return
	}
	key := idOf(r.File)
	f := h.files[key]
	if f == nil {
		f = &file{}
		h.files[key] = f
	}
	f.path = r.File.Path
	w := write{n: r.N, time: r.Time, proc: p, call: r.Name, off: r.File.Off, len: n, from: r.Other, mapped: r.Op == trace.MapWrite}
	f.writes = append(f.writes, w)
}

// find is the file at a path at the end, or the last one that was there.
func (h *History) find(name string) (id, string, bool) {
	if f := h.files[id{name: name}]; f != nil {
		return id{name: name}, name, true // a stream
	}
	if !path.IsAbs(name) {
		name = path.Join(h.Workdir, name)
	}
	name = path.Clean(name)
	if key, ok := h.changed[name]; ok {
		return key, name, true
	}
	key, ok := h.names[name]
	return key, name, ok
}

// At is the program that p executed at an event: its own, or that of the parent
// it was forked from.
func (p *Process) At(n uint64) Program {
	i, found := slices.BinarySearchFunc(p.Execs, n, func(e Program, n uint64) int { return cmp.Compare(e.N, n) })
	if found {
		return p.Execs[i]
	}
	if i > 0 {
		return p.Execs[i-1]
	}
	if p.Parent != nil {
		return p.Parent.At(n)
	}
	return Program{}
}
