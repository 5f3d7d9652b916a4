package explain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"dettrace/internal/archive"
	"dettrace/internal/compare"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/sched"
	"dettrace/internal/settings"
	"dettrace/internal/vary"
)

// Program makes the runs by `dettrace run --vary`.
type Program struct {
	Self    string      // our binary
	Flags   []string    // of run, paths absolute; without those of inputs and --vary
	Inputs  []run.Input // as they are
	Command []string
	Dir     string        // for files between us and the runs; the caller's to remove
	Only    []string      // guest paths (globs) that count; none: all
	Jobs    chan struct{} // as many runs at once as it has room
	Begun   func()        // told of each run, by several goroutines; may be nil
	runs    atomic.Int64
	// orders are the decisions of schedules by seed. Whole schedules are varied
	// one after the other, and before parts of them.
	orders map[uint64][]sched.Decision
}

// Sample is what a run under a plan left.
type Sample struct {
	Plan   vary.Plan
	Status int
	Reason string
	// Files are digests of content, type and link by path, as in the run without
	// variation, and modes by path and modeOf.
	Files   map[string]string
	Metered []vary.Metered
	Tail    string // end of standard error
	dir     string
}

// The names of the standard streams among the files of a Sample.
const (
	Stdout = "(stdout)"
	Stderr = "(stderr)"
)

// modeOf follows a path where its mode is meant.
const modeOf = " (mode)"

func (s *Sample) failed() bool { return s.Status != 0 || s.Reason != "" }

// metered finds what was counted of a source.
func (s *Sample) metered(source string) (m vary.Metered) {
	for _, x := range s.Metered {
		if x.Source == source {
			return x
		}
	}
	return m
}

// Run makes one run; keep leaves the changed files for a closer look, trace a
// trace.
func (p *Program) Run(ctx context.Context, plan vary.Plan, keep, trace bool) (*Sample, error) {
	s := &Sample{Plan: plan, dir: filepath.Join(p.Dir, strconv.FormatInt(p.runs.Add(1), 10))}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return nil, err
	}
	if !keep && !trace {
		defer os.RemoveAll(s.dir) // the whole directory goes in the end
	}
	args, err := p.orderFlags(s)
	if err != nil {
		return nil, err
	}
	args = append(args, "--save", s.file("save"), "--messages", s.file("messages"), "--no-default-input")
	if trace {
		args = append(args, "--trace", s.file("trace"))
	}
	for _, in := range p.Inputs {
		args = append(args, "--input="+settings.InputArg(in.Host, in.Guest))
	}
	args = append(append(append(args, p.Flags...), "--"), p.Command...)
	out, err := os.Create(s.file("stdout"))
	if err != nil {
		return nil, err
	}
	defer out.Close() // written without a buffer
	errs, err := os.Create(s.file("stderr"))
	if err != nil {
		return nil, err
	}
	defer errs.Close() // written without a buffer
	p.Jobs <- struct{}{}
	defer func() { <-p.Jobs }()
	if p.Begun != nil {
		p.Begun()
	}
	r := rerun.Run{Path: p.Self, Args: args, Report: s.file("report"), Stdout: out, Stderr: errs}
	status, rep, err := r.Do(ctx)
	b, rerr := os.ReadFile(s.file("stderr"))
	if rerr != nil {
		return nil, rerr
	}
	s.Tail = strings.ToValidUTF8(string(b[max(0, len(b)-2000):]), "\ufffd")
	if err != nil {
		return nil, rerun.Explained(err, s.Tail)
	}
	s.Status, s.Reason, s.Metered = status, rep.Exit.Reason, rep.Varied
	return s, errors.Join(p.meterOrder(s), p.digests(s))
}

func (s *Sample) file(name string) string { return filepath.Join(s.dir, name) }

// tree opens what the run changed, under the names of the run without
// variation.
func (p *Program) tree(s *Sample) (*compare.Tree, error) {
	t, err := compare.Open(s.file("save"))
	if err != nil {
		return nil, err
	}
	back := s.Plan.Of(vary.BuildPath)
	for i := range t.Files {
		t.Files[i].Path = back.MovedBack(t.Files[i].Path)
		if t.Files[i].Hard {
			t.Files[i].Link = back.MovedBack(t.Files[i].Link)
		}
	}
	archive.Sort(t.Files)
	if len(p.Only) > 0 {
		if err := t.Only(p.Only); err != nil {
			_ = t.Close() // only read: nothing can be lost
			return nil, err
		}
	}
	return t, nil
}

// digests fills Files. Times and owners do not count: elsewhere they always
// differ, and where they reach an archive its content shows it.
func (p *Program) digests(s *Sample) error {
	t, err := p.tree(s)
	if err != nil {
		return err
	}
	defer t.Close() // only read: nothing can be lost
	s.Files = map[string]string{}
	for _, f := range t.Files {
		s.Files[f.Path+modeOf] = f.Mode.String()
		f.UID, f.GID, f.ModTime, f.Mode = 0, 0, 0, f.Mode.Type()
		if s.Files[f.Path], err = archive.Digest([]archive.File{f}); err != nil {
			return err
		}
	}
	for _, stream := range []string{Stdout, Stderr} {
		b, err := os.ReadFile(s.file(strings.Trim(stream, "()")))
		if err != nil {
			return err
		}
		s.Files[stream] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return nil
}

// Place is where a file differs, for people and programs.
type Place struct {
	Path   string   `json:"path"` // with members: "a.deb!data.tar.xz!data.tar!./usr/bin/a"
	Kinds  []string `json:"kinds"`
	Offset int64    `json:"offset"` // of the first byte that differs
}

// fraction is the kind of a member of an archive whose time is another one of the same
// second. An event takes time, so whatever makes a build do more of them reaches it.
const fraction = "fraction of time"

// of reports whether the place is one of those that files name.
func (p *Place) of(files []string) bool {
	file := fileOf(p.Path)
	for _, k := range p.Kinds {
		if k == compare.Mode && file == p.Path {
			file += modeOf
		}
		if slices.Contains(files, file) {
			return true
		}
		file = fileOf(p.Path)
	}
	return false
}

// places says where the files of two samples differ, in the innermost members.
func (p *Program) places(a, b *Sample) ([]Place, error) {
	x, err := p.tree(a)
	if err != nil {
		return nil, err
	}
	defer x.Close() // only read: nothing can be lost
	y, err := p.tree(b)
	if err != nil {
		return nil, err
	}
	defer y.Close() // only read: nothing can be lost
	diffs, err := compare.Trees(x, y, compare.Options{IgnoreTimes: true, IgnoreOwners: true, NoText: true})
	if err != nil {
		return nil, err
	}
	var out []Place
	for _, d := range diffs {
		// An archive whose members differ may differ itself, in its mode.
		own := slices.DeleteFunc(slices.Clone(d.Kinds), func(k string) bool { return k == compare.Content })
		if len(d.Members) > 0 && len(own) > 0 {
			out = append(out, Place{d.Path, own, 0})
		}
		for _, l := range d.Leaves() {
			kinds := slices.Clone(l.Kinds)
			if i := slices.Index(kinds, compare.Time); i >= 0 && l.Fraction {
				kinds[i] = fraction
			}
			out = append(out, Place{l.Path, kinds, l.Offset})
		}
	}
	for _, stream := range []string{"stdout", "stderr"} {
		off, err := streamOffset(a.file(stream), b.file(stream))
		if err != nil {
			return nil, err
		}
		if off >= 0 {
			out = append(out, Place{"(" + stream + ")", []string{compare.Content}, off})
		}
	}
	return out, nil
}

func streamOffset(a, b string) (int64, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return 0, err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return 0, err
	}
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int64(i), nil
		}
	}
	if len(x) == len(y) {
		return -1, nil
	}
	return int64(min(len(x), len(y))), nil
}
