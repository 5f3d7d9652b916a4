package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/effective"
	"dettrace/internal/image"
	"dettrace/internal/report"
	"dettrace/internal/run"
	"dettrace/internal/vary"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fake is a container that reads the file "in" and says what it holds.
type fake struct {
	dir    string
	doors  []string
	newest int64
	err    error
	meddle func()
	runs   int
}

func (f *fake) Finish(bool) (detfs.Summary, error) {
	return detfs.Summary{Layers: make([]detfs.LayerSummary, 2)}, nil
}

func (f *fake) Learned(bool, []string) ([]detfs.Learned, error) {
	l, err := image.Open("input:"+f.dir, image.Options{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	top, err := l.Root()
	if err != nil {
		return nil, err
	}
	n, err := top.Lookup("in")
	if err != nil {
		return nil, err
	}
	file, err := n.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	obs, err := l.Observed()
	return []detfs.Learned{{}, {Observations: obs, Newest: f.newest}}, err
}

func (f *fake) Glob(string) ([]string, error)              { return nil, nil }
func (f *fake) WriteTar(io.Writer, detfs.TarRequest) error { return nil }

func (f *fake) run(_ context.Context, s run.Spec) (run.Result, error) {
	f.runs++
	b, err := os.ReadFile(filepath.Join(f.dir, "in"))
	if err != nil {
		return run.Result{}, err
	}
	_, _ = s.Stdout.Write(b)
	if s.Record != nil {
		src := s.Record(f)
		if _, err := src.Finish(true); err != nil {
			return run.Result{}, err
		}
		if _, err := src.Learned(true, nil); err != nil {
			return run.Result{}, err
		}
	}
	if f.meddle != nil {
		f.meddle()
	}
	return run.Result{Report: report.Report{DoorsUsed: f.doors, Inputs: make([]report.Image, 1)}}, f.err
}

// TestNeverStored: what a run must not be stored for.
func TestNeverStored(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*fake, *run.Spec)
		stored bool
	}{
		{"plain", func(*fake, *run.Spec) {}, true},
		{"door used", func(f *fake, _ *run.Spec) { f.doors = []string{"network"} }, false},
		{"door open, not used", func(_ *fake, s *run.Spec) { s.Allow = []string{"network"} }, true},
		{"timeout or changed input", func(f *fake, _ *run.Spec) { f.err = errors.New("changed") }, false},
		{"read file written to just now", func(f *fake, _ *run.Spec) { f.newest = 1 << 62 }, false},
		{"secret", func(_ *fake, s *run.Spec) { s.Secrets = []string{"TOKEN"} }, false},
		{"terminal", func(_ *fake, s *run.Spec) {
			tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
			must(t, err)
			s.Stdin = tty
		}, false},
		{"archive that changes", func(f *fake, s *run.Spec) {
			tar := filepath.Join(f.dir, "image.tar")
			must(t, os.WriteFile(tar, []byte("1"), 0o600))
			s.Image = "tar:" + tar
			f.meddle = func() { must(t, os.WriteFile(tar, []byte("22"), 0o600)) }
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{dir: t.TempDir()}
			must(t, os.WriteFile(filepath.Join(f.dir, "in"), []byte("text"), 0o644))
			var out bytes.Buffer
			s := run.Spec{Image: "dir:" + f.dir, Inputs: []run.Input{{Host: f.dir, Guest: "/in"}}, Command: []string{"x"}, Stdout: &out}
			tt.change(f, &s)
			c, err := Open(t.TempDir(), 0)
			must(t, err)
			var told []string
			o := Options{Told: func(s string) { told = append(told, s) }}
			_, err = c.Run(t.Context(), s, o, f.run)
			if err != f.err {
				t.Fatal(err)
			}
			if n := len(c.List()); (n == 1) != tt.stored {
				t.Errorf("%d stored: %q", n, told)
			}
			if !tt.stored {
				if last := told[len(told)-1]; !strings.HasPrefix(last, "not stored: ") && !strings.HasPrefix(last, "not used: ") {
					t.Errorf("told %q", told)
				}
				return
			}
			if _, err := c.Run(t.Context(), s, o, f.run); err != nil || f.runs != 1 || out.String() != "texttext" {
				t.Errorf("second: %v, %d runs, %q, told %q", err, f.runs, out.String(), told)
			}
			must(t, os.WriteFile(filepath.Join(f.dir, "in"), []byte("TEXT"), 0o644))
			if _, err := c.Run(t.Context(), s, o, f.run); err != nil || f.runs != 2 || out.String() != "texttextTEXT" {
				t.Errorf("third: %v, %d runs, %q, told %q", err, f.runs, out.String(), told)
			}
		})
	}
}

// A file that is written and looked at is never newer than the moment that
// comes after, and one that is written then is.
func TestSettled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	changed := func() int64 {
		must(t, os.WriteFile(file, []byte("x"), 0o644))
		var st unix.Stat_t
		must(t, unix.Stat(file, &st))
		return st.Ctim.Nano()
	}
	for range 20 {
		for range 10 {
			changed()
		}
		before := changed()
		at, err := settled()
		must(t, err)
		if after := changed(); before > at || after <= at {
			t.Errorf("%d ns before, %d ns after", at-before, after-at)
		}
	}
}

// Every setting that a result depends on changes the key; others do not.
func TestKey(t *testing.T) {
	c, err := Open(t.TempDir(), 0)
	must(t, err)
	base := func() run.Spec {
		return run.Spec{
			Image: "host", Inputs: []run.Input{{Host: "/a", Guest: "/build/src"}}, Workdir: "/w", Command: []string{"a", "b"},
			Env: []string{"A=1", "B=2"}, CPUs: 1, Hostname: "h", Outputs: []run.Output{{Guest: "/o", Host: "/h"}},
		}
	}
	key := func(change func(*run.Spec)) string {
		s := base()
		change(&s)
		p, _, err := c.parts(&s, "empty")
		must(t, err)
		return effective.Hash(p)
	}
	same := key(func(*run.Spec) {})
	for name, change := range map[string]func(*run.Spec){
		"image": func(s *run.Spec) { s.Image = "dir:/x" }, "place of input": func(s *run.Spec) { s.Inputs[0].Guest = "/b" },
		"keep": func(s *run.Spec) { s.Inputs[0].KeepMtime = true }, "follow": func(s *run.Spec) { s.Inputs[0].Follow = true },
		"workdir": func(s *run.Spec) { s.Workdir = "/" }, "command": func(s *run.Spec) { s.Command = []string{"a b"} },
		"env": func(s *run.Spec) { s.Env[0] = "A=2" }, "order": func(s *run.Spec) { s.Env = []string{"B=2", "A=1"} },
		"epoch": func(s *run.Spec) { s.EpochNS = 1 }, "seed": func(s *run.Spec) { s.Seed = 1 }, "schedule": func(s *run.Spec) { s.ScheduleSeed = 1 },
		"vary": func(s *run.Spec) { s.Vary = vary.Plan{} }, "varied": func(s *run.Spec) { s.Vary = vary.Plan{{Source: vary.Time, Seed: 1}} },
		"strict":   func(s *run.Spec) { s.Strict = true },
		"declared": func(s *run.Spec) { s.Vary, s.DeclaredEnv = vary.Plan{}, []string{"A"} },
		"own":      func(s *run.Spec) { s.Own = []string{"/o"} },
		"CPU":      func(s *run.Spec) { s.CPUModel = "x86-64-v1" },
		"cpus":     func(s *run.Spec) { s.CPUs = 2 }, "hostname": func(s *run.Spec) { s.Hostname = "x" }, "user": func(s *run.Spec) { s.User = "1" },
		"allow": func(s *run.Spec) { s.Allow = []string{"network"} }, "memory": func(s *run.Spec) { s.Memory = 1 }, "pids": func(s *run.Spec) { s.Pids = 1 },
		"outputs": func(s *run.Spec) { s.Outputs = nil }, "on failure": func(s *run.Spec) { s.OutputOnFailure = true },
		"write back": func(s *run.Spec) { s.WriteBack = true }, "save": func(s *run.Spec) { s.Save = "/x" }, "commit": func(s *run.Spec) { s.Commit = "x" },
	} {
		if key(change) == same {
			t.Errorf("%s: same key", name)
		}
	}
	for name, change := range map[string]func(*run.Spec){
		"host place of input":  func(s *run.Spec) { s.Inputs[0].Host = "/elsewhere" },
		"host place of output": func(s *run.Spec) { s.Outputs[0].Host = "/elsewhere" },
		"timeout":              func(s *run.Spec) { s.Timeout = 1 },
		"state dir":            func(s *run.Spec) { s.StateDir = "/x" },
		"report":               func(s *run.Spec) { s.Report = "/x" },
	} {
		if key(change) != same {
			t.Errorf("%s: another key", name)
		}
	}
}

// Every field of run.Spec is part of the key or listed here, with the reason
// why no stored result depends on it.
func TestKeyKnowsEveryField(t *testing.T) {
	inKey := "Image Inputs Workdir Own Command Env HostEnvNames EpochNS Seed ScheduleSeed Schedule Vary DeclaredEnv Strict CPUs Hostname User Allow Stdin Memory Pids Outputs OutputOnFailure WriteBack Save"
	inKey += " CPUModel"
	inKey += " Commit"
	noEffect := map[string]string{
		"SaveSchedule": "always runs", "Log": "always runs", "Trace": "always runs", "Store": "place", "CommitStore": "place", "Config": "part of the image, and taken into the fields above", "Profile": "always runs",
		"Stdout": "place", "Stderr": "place", "Diag": "place", "Force": "place", "StateDir": "place", "HostOrder": "mechanism", "Report": "place", "InputList": "place",
		"Timeout": "a run that it ends is not stored", "SpinLimit": "a run that it ends is not stored", "Interrupt": "a run that it ends is not stored",
		"NoFastPaths": "mechanism", "Digests": "mechanism", "Record": "mechanism", "Accept": "ends a run, changes none", "Verbose": "messages", "Progress": "messages", "Columns": "messages", "Secrets": "never stored", "Terminal": "never stored", "Resume": "comes with a terminal", "Keep": "always runs", "Signals": "a door: once used, never stored",
	}
	for f := range reflect.TypeFor[run.Spec]().Fields() {
		if _, ok := noEffect[f.Name]; !ok && !slices.Contains(strings.Fields(inKey), f.Name) {
			t.Errorf("new field run.Spec.%s: if a result depends on it, add it to Cache.parts, else to this list", f.Name)
		}
	}
}

func TestObservations(t *testing.T) {
	in := []detfs.Learned{{Observations: []image.Observation{
		{Path: "/a\tb\n\xff\\", Kind: image.Link, Text: "x\ty\n"}, {Path: "/b", Kind: image.Read, Digest: "sha256:00"},
	}}, {}, {Observations: []image.Observation{{Path: "/", Kind: image.Missing}}}}
	out, err := parseObservations(appendObservations(nil, in))
	must(t, err)
	for i := range in {
		if !reflect.DeepEqual(out[i], in[i].Observations) {
			t.Errorf("%d: %q", i, out[i])
		}
	}
}

// The runs not used for longest go first, and blobs that others need stay.
func TestPrune(t *testing.T) {
	f := &fake{dir: t.TempDir()}
	c, err := Open(t.TempDir(), 0)
	must(t, err)
	do := func(command string) {
		_, err := c.Run(t.Context(), run.Spec{Image: "dir:" + f.dir, Inputs: []run.Input{{Host: f.dir, Guest: "/in"}}, Command: []string{command}, Stdout: io.Discard}, Options{}, f.run)
		must(t, err)
	}
	must(t, os.WriteFile(filepath.Join(f.dir, "in"), bytes.Repeat([]byte("x"), 1000), 0o644))
	for _, command := range []string{"a", "b", "c"} {
		do(command)
	}
	do("a") // used last
	size, err := c.size()
	must(t, err)
	s, err := c.Prune(size - 1)
	must(t, err)
	if s.Removed != 1 || s.Left != 2 {
		t.Fatalf("%+v", s)
	}
	f.runs = 0
	do("a")
	do("c")
	if f.runs != 0 {
		t.Error("the wrong one was removed")
	}
	do("b")
	if f.runs != 1 {
		t.Error("the oldest is still there")
	}
	if s, err = c.Clear(); err != nil || s.Removed != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if size, err = c.size(); err != nil || size != 0 {
		t.Errorf("%d bytes left", size)
	}
}
