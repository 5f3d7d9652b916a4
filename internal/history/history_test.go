package history

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dettrace/internal/trace"
)

// story builds a trace record by record.
type story struct {
	buf bytes.Buffer
	w   *trace.Writer
	now int64
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{}
	w, err := trace.NewWriter(&s.buf)
	if err != nil {
		t.Fatal(err)
	}
	s.w = w
	s.add(trace.Record{Kind: trace.Start, Version: trace.Version, Workdir: "/w"})
	return s
}

func (s *story) add(r trace.Record) {
	s.now += 1000
	r.Time = s.now
	if r.TID == 0 {
		r.TID = r.PID
	}
	s.w.Write(&r)
}

func (s *story) born(pid, parent int, argv ...string) {
	s.add(trace.Record{PID: pid, Kind: trace.Birth, Parent: parent})
	if len(argv) > 0 {
		s.add(trace.Record{PID: pid, Kind: trace.Exec, Argv: argv, File: &trace.File{Path: "/bin/" + argv[0]}})
	}
}

func (s *story) bytes(pid int, op trace.Op, path string, ino uint64, off, n int64) {
	s.add(trace.Record{PID: pid, Kind: trace.Call, Name: string(op), Op: op, Result: n, File: &trace.File{Path: path, Ino: ino, Off: off, Len: n}})
}

func (s *story) truncate(pid int, path string, ino uint64, to int64) {
	s.add(trace.Record{PID: pid, Kind: trace.Call, Name: "ftruncate", Op: trace.Truncate, File: &trace.File{Path: path, Ino: ino, Off: to}})
}

func (s *story) rename(pid int, from, to string) {
	s.add(trace.Record{PID: pid, Kind: trace.Call, Name: "rename", File: &trace.File{Path: from}, Other: &trace.File{Path: to}})
}

func (s *story) load(t *testing.T) *History {
	t.Helper()
	s.add(trace.Record{Kind: trace.End})
	if err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Load(&s.buf)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// pieces are the answer's segments, for comparing: offset, length, pid.
func pieces(t *testing.T, h *History, name string, off int64) [][3]int64 {
	t.Helper()
	a, err := h.Why(name, off)
	if err != nil {
		t.Fatal(err)
	}
	var out [][3]int64
	for _, s := range a.Segments {
		out = append(out, [3]int64{s.Off, s.Len, int64(s.Writer.PID)})
	}
	return out
}

func TestWhyBytes(t *testing.T) {
	s := newStory(t)
	s.born(2, 0, "sh")
	s.born(3, 2, "cc")
	s.bytes(3, trace.Write, "/w/o", 7, 0, 100)
	s.bytes(3, trace.Write, "/w/o", 7, 100, 50) // joined with the first
	s.born(4, 2, "patch")
	s.bytes(4, trace.Write, "/w/o", 7, 40, 20) // splits it
	s.truncate(4, "/w/o", 7, 120)
	s.bytes(4, trace.Write, "/w/o", 7, 130, 10) // behind a hole
	s.rename(2, "/w/o", "/w/final")
	s.add(trace.Record{Kind: trace.Changed, Change: "added", File: &trace.File{Path: "/w/final", Ino: 7}})
	h := s.load(t)
	want := [][3]int64{{0, 40, 3}, {40, 20, 4}, {60, 60, 3}, {130, 10, 4}}
	if d := cmp.Diff(want, pieces(t, h, "final", Whole)); d != "" {
		t.Error(d)
	}
	for off, pid := range map[int64]int64{0: 3, 39: 3, 40: 4, 59: 4, 60: 3, 119: 3, 139: 4} {
		if got := pieces(t, h, "/w/final", off); len(got) != 1 || got[0][2] != pid {
			t.Errorf("byte %d: %v, want pid %d", off, got, pid)
		}
	}
	if got := pieces(t, h, "/w/final", 125); got != nil {
		t.Errorf("a byte of the hole: %v", got)
	}
	var unknown error
	if _, unknown = h.Why("nothing", Whole); unknown == nil {
		t.Error("an unknown file was found")
	}
}

func TestWhyInputs(t *testing.T) {
	s := newStory(t)
	s.born(2, 0, "make")
	s.born(3, 2, "cc1")
	s.bytes(3, trace.Read, "/w/a.c", 0, 0, 10)
	s.bytes(3, trace.Write, "/tmp/x.s", 8, 0, 30)
	s.add(trace.Record{PID: 3, Kind: trace.Exit})
	s.born(3, 2) // the number again, and nothing executed yet
	s.bytes(3, trace.Read, "/w/before-exec", 11, 0, 1)
	s.add(trace.Record{PID: 3, Kind: trace.Exec, Argv: []string{"as"}})
	s.bytes(3, trace.Read, "/tmp/x.s", 8, 0, 30)
	s.bytes(3, trace.Write, "pipe:1", 0, 0, 5)
	s.born(5, 2, "cat")
	s.bytes(5, trace.Read, "pipe:1", 0, 0, 5)
	s.bytes(5, trace.Write, "/w/a.o", 9, 0, 20)
	s.bytes(5, trace.Read, "/w/later", 10, 0, 1)
	h := s.load(t)
	a, err := h.Why("a.o", 3)
	if err != nil {
		t.Fatal(err)
	}
	seg := a.Segments[0]
	if seg.Writer.Argv[0] != "cat" || seg.Writer.Parent.Argv[0] != "make" {
		t.Errorf("writer %+v", seg.Writer)
	}
	if len(seg.Inputs) != 1 || seg.Inputs[0].Path != "pipe:1" || seg.Inputs[0].Makers[0].Argv[0] != "as" {
		t.Errorf("inputs %+v", seg.Inputs)
	}
	// The pipe's writer read what the dead process with its number had written,
	// and not what it read before its exec.
	p, err := h.Why("pipe:1", 0)
	if err != nil {
		t.Fatal(err)
	}
	in := p.Segments[0].Inputs
	if len(in) != 1 || in[0].Path != "/tmp/x.s" || in[0].Makers[0].Argv[0] != "cc1" {
		t.Errorf("inputs of the pipe %+v", in)
	}
	src, err := h.Why("a.c", Whole)
	if err == nil {
		t.Errorf("a file without inode number was found: %+v", src)
	}
}

func TestWhyUntouchedAndCopies(t *testing.T) {
	s := newStory(t)
	s.born(2, 0, "cp")
	s.bytes(2, trace.Read, "/w/in", 5, 0, 10)
	s.add(trace.Record{PID: 2, Kind: trace.Call, Name: "copy_file_range", Op: trace.Write, Result: 10,
		File: &trace.File{Path: "/w/out", Ino: 6, Len: 10}, Other: &trace.File{Path: "/w/in", Ino: 5, Off: 2, Len: 10}})
	s.add(trace.Record{PID: 2, Kind: trace.Call, Name: "mmap", Op: trace.MapWrite, File: &trace.File{Path: "/w/out", Ino: 6, Len: 4096}})
	h := s.load(t)
	a, err := h.Why("in", Whole)
	if err != nil || !a.Untouched || len(a.Segments) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	a, err = h.Why("out", 1)
	if err != nil || len(a.Segments) != 2 || a.Segments[0].From.Off != 2 || !a.Segments[1].Mapped {
		t.Fatalf("%+v, %v", a, err)
	}
	var text strings.Builder
	if err := a.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"copied from /w/in at 2 by", "mapped, and perhaps written, by", "pid 2: cp", "/w/out (gone at the end of the run)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestIncomplete(t *testing.T) {
	s := newStory(t)
	s.born(2, 0, "sh")
	s.bytes(2, trace.Write, "/w/x", 5, 0, 1)
	if err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := Load(bytes.NewReader(s.buf.Bytes()))
	if !errors.Is(err, trace.ErrIncomplete) {
		t.Errorf("error %v", err)
	}
	if got := pieces(t, h, "x", 0); len(got) != 1 {
		t.Errorf("what is there is lost: %v", got)
	}
	if _, err := Load(bytes.NewReader(s.buf.Bytes()[:s.buf.Len()/2])); !errors.Is(err, trace.ErrIncomplete) {
		t.Errorf("a cut file: %v", err)
	}
	if _, err := Load(strings.NewReader("no trace")); err == nil || errors.Is(err, trace.ErrIncomplete) {
		t.Errorf("not a trace: %v", err)
	}
}

func TestCommandLine(t *testing.T) {
	for want, argv := range map[string][]string{
		"sh -c 'a b' ''":   {"sh", "-c", "a b", ""},
		`x 'it'\''s'`:      {"x", "it's"},
		`printf "a\nb"`:    {"printf", "a\nb"},
		"gcc -o x.o -DA=1": {"gcc", "-o", "x.o", "-DA=1"},
	} {
		if got := CommandLine(argv); got != want {
			t.Errorf("%q: %s, want %s", argv, got, want)
		}
	}
	if got := CommandLine([]string{strings.Repeat("x", 1000)}); len(got) > maxCommand+3 {
		t.Errorf("%d bytes", len(got))
	}
}
