package lock

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dettrace/internal/detfs"
	"dettrace/internal/image"
	"dettrace/internal/report"
	"dettrace/internal/run"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLines(t *testing.T) {
	for _, o := range []image.Observation{
		{Path: "/", Kind: image.Stat, Text: "dir mode=0755"},
		{Path: "/a b\tc\n|\xff\\", Kind: image.Link, Text: "| x\ny"},
		{Path: "/x", Kind: image.Missing},
		{Path: "/x", Kind: image.Attrs},
		{Path: "/x", Kind: image.Read, Digest: "sha256:00"},
	} {
		got, err := parseLine(line(o))
		if err != nil || got != o {
			t.Errorf("%q -> %q -> %q, %v", o, line(o), got, err)
		}
	}
}

// A lock that was written and read again says nothing of an unchanged build,
// and names every change of a changed one.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "b"), []byte("b"), 0o644))
	spec := run.Spec{
		Image: "sha256:1", Inputs: []run.Input{{Host: dir, Guest: "/src"}}, Command: []string{"make"}, Env: []string{"A=1", "TOKEN=secret"},
		Secrets: []string{"TOKEN"}, Outputs: []run.Output{{Guest: "/o"}},
	}
	open := func() (run.Layers, error) { return run.OpenLayers(&spec, nil, nil) }
	layers, err := open()
	must(t, err)
	defer layers.Close()
	top, err := layers[1].Root()
	must(t, err)
	for _, name := range []string{"a", "b", "missing"} {
		n, err := top.Lookup(name)
		if name == "missing" {
			continue
		}
		must(t, err)
		f, err := n.Open()
		must(t, err)
		must(t, f.Close())
	}
	obs, err := layers[1].Observed()
	must(t, err)
	outputs := []report.Output{{Path: "/o", Type: "file", Mode: "0644", Size: 1, Digest: "sha256:aa"}}
	file := File{Builds: map[string]*Build{"x": Of(&spec, []detfs.Learned{{Digest: "sha256:1"}, {Digest: image.ObservedDigest(obs), Observations: obs}}, outputs)}}
	var b bytes.Buffer
	must(t, file.Write(&b))
	if strings.Contains(b.String(), "=secret") || strings.Contains(b.String(), `"secret"`) {
		t.Errorf("secret in\n%s", b.String())
	}
	text := b.String()
	read, err := Read(&b)
	must(t, err)
	l := read.Builds["x"]
	check := func() []string {
		d, err := l.Check(&spec, open)
		must(t, err)
		return d
	}
	if d := check(); len(d) > 0 {
		t.Fatalf("unchanged: %q", d)
	}
	if d := l.CheckOutputs(outputs); len(d) > 0 {
		t.Errorf("same outputs: %q", d)
	}
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "missing"), nil, 0o644))
	spec.Seed, spec.Image, spec.Env = 3, "sha256:2", []string{"A=2", "TOKEN=other!", "NEW=1"}
	got := strings.Join(check(), "\n")
	for _, want := range []string{"seed: is 3, in the lock 0", "environment A: is 2, in the lock 1", "environment NEW: is new", "image: is sha256:2, in the lock sha256:1", "/src/a: other content", "/src/missing: was missing"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "TOKEN") {
		t.Errorf("the secret's value counts: %s", got)
	}
	changed := slices.Clone(outputs)
	changed[0].Digest = "sha256:bb"
	changed = append(changed, report.Output{Path: "/p"})
	if d := l.CheckOutputs(changed); len(d) != 2 {
		t.Errorf("%q", d)
	}
	if d := l.CheckOutputs(nil); len(d) != 1 || d[0] != "/o: was not made" {
		t.Errorf("%q", d)
	}
	// Edited by hand.
	edited, err := Read(strings.NewReader(strings.Replace(text, "read /b sha256:", "read /b sha256:0", 1)))
	must(t, err)
	if _, err := edited.Builds["x"].Check(&spec, open); err == nil || !strings.Contains(err.Error(), "does not have the digest") {
		t.Errorf("edited list: %v", err)
	}
	for _, bad := range []string{"", "{}", `{"schema":2}`, `{"schema":1,"builds":{"x":null}}`, `{"schema":1,"unknown":1}`} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}
