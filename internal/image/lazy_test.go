package image

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const testEpoch = 1_600_000_000_000_000_000

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file with its parents.
func write(t testing.TB, p, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(t, os.WriteFile(p, []byte(content), 0o644))
}

func open(t testing.TB, ref string, o Options) Layer {
	t.Helper()
	if o.Epoch == 0 {
		o.Epoch = testEpoch
	}
	l, err := Open(ref, o)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// get looks a path up without following links.
func get(l Layer, p string) (Node, error) {
	n, err := l.Root()
	if err != nil {
		return nil, err
	}
	for _, c := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		if n, err = n.Lookup(c); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func mustGet(t testing.TB, l Layer, p string) Node {
	t.Helper()
	n, err := get(l, p)
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return n
}

func content(t testing.TB, n Node) string {
	t.Helper()
	f, err := n.Open()
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, n.Meta().Size+1))
	must(t, err)
	return string(b)
}

func names(t testing.TB, n Node) string {
	t.Helper()
	list, err := n.ReadDir()
	must(t, err)
	var out []string
	for _, e := range list {
		out = append(out, e.Name)
		c, err := n.Lookup(e.Name)
		must(t, err)
		if c.Meta().Ino != e.Ino || c.Meta().Mode&0o170000 != e.Type {
			t.Errorf("%s: entry %+v, node %+v", e.Name, e, c.Meta())
		}
	}
	return strings.Join(out, " ")
}

func TestDirTree(t *testing.T) {
	d := t.TempDir()
	write(t, d+"/b", "bee")
	write(t, d+"/a/x", "1")
	must(t, os.Symlink("../b", d+"/a/link"))
	must(t, os.Link(d+"/b", d+"/a/other"))
	l := open(t, "dir:"+d, Options{})
	root := mustGet(t, l, "/")
	if got := names(t, root); got != "a b" {
		t.Errorf("names %q", got)
	}
	if got := content(t, mustGet(t, l, "b")); got != "bee" {
		t.Errorf("content %q", got)
	}
	m, o := mustGet(t, l, "b").Meta(), mustGet(t, l, "a/other").Meta()
	if m != o || m.Nlink != 2 || m.Mtime != testEpoch || m.Ino != pathIno("/a/other") {
		t.Errorf("hard links: %+v %+v", m, o)
	}
	if got, err := mustGet(t, l, "a/link").Readlink(); got != "../b" || err != nil {
		t.Errorf("link %q %v", got, err)
	}
	if _, err := get(l, "a/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	for _, bad := range []string{"", ".", "..", "a/x", "a\x00", strings.Repeat("x", 300)} {
		if _, err := root.Lookup(bad); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("lookup %q: %v", bad, err)
		}
	}
	must(t, l.Verify())
	obs, err := l.Observed()
	must(t, err)
	var got []string
	for _, o := range obs {
		got = append(got, o.Kind+" "+o.Path)
	}
	want := []string{"list /", "stat /", "stat /a", "link /a/link", "stat /a/link", "missing /a/none", "stat /a/other", "read /b", "stat /b"}
	if !slices.Equal(got, want) {
		t.Errorf("observed\n%q, want\n%q", got, want)
	}
}

// TestVerify changes the host below a layer that was looked at.
func TestVerify(t *testing.T) {
	rm := func(p string) error { return os.Remove(p) }
	tests := []struct {
		name    string
		do      func(d string) error
		changed bool
	}{
		{"nothing", func(string) error { return nil }, false},
		{"write read file", func(d string) error { return os.WriteFile(d+"/read", []byte("other"), 0o644) }, true},
		{"same size and mtime", func(d string) error {
			st, err := os.Stat(d + "/read")
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(d+"/read", []byte("READ"), 0o644), os.Chtimes(d+"/read", time.Time{}, st.ModTime()))
		}, true},
		{"delete read", func(d string) error { return rm(d + "/read") }, true},
		{"delete seen", func(d string) error { return rm(d + "/seen") }, true},
		{"chmod seen", func(d string) error { return os.Chmod(d+"/seen", 0o600) }, true},
		{"touch seen", func(d string) error { return os.Chtimes(d+"/seen", time.Time{}, time.Unix(1, 0)) }, false},
		{"add missing", func(d string) error { return os.WriteFile(d+"/dir/missing", nil, 0o644) }, true},
		{"add to listed", func(d string) error { return os.WriteFile(d+"/list/new", nil, 0o644) }, true},
		{"delete in listed", func(d string) error { return rm(d + "/list/old") }, true},
		{"add to not listed", func(d string) error { return os.WriteFile(d+"/dir/new", nil, 0o644) }, false},
		{"link", func(d string) error { return errors.Join(rm(d+"/link"), os.Symlink("liar", d+"/link")) }, true},
		{"replace directory", func(d string) error { return errors.Join(os.Rename(d+"/dir", d+"/dir2"), os.Mkdir(d+"/dir", 0o755)) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := t.TempDir()
			for _, f := range []string{"read", "seen", "list/old", "dir/x"} {
				write(t, d+"/"+f, filepath.Base(f))
			}
			must(t, os.Symlink("read", d+"/link"))
			l := open(t, "dir:"+d, Options{})
			content(t, mustGet(t, l, "read"))
			mustGet(t, l, "seen")
			_, err := mustGet(t, l, "link").Readlink()
			must(t, err)
			_, err = mustGet(t, l, "list").ReadDir()
			must(t, err)
			if _, err := get(l, "dir/missing"); err == nil {
				t.Fatal("found")
			}
			must(t, tt.do(d))
			err = l.Verify()
			if errors.Is(err, ErrChanged) != tt.changed || (err != nil) != tt.changed {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

// TestOpenChanged: a file replaced between look-up and open is noticed.
func TestOpenChanged(t *testing.T) {
	d := t.TempDir()
	write(t, d+"/f", "one")
	l := open(t, "dir:"+d, Options{})
	n := mustGet(t, l, "f")
	must(t, os.Remove(d+"/f"))
	write(t, d+"/f", "two")
	if _, err := n.Open(); !errors.Is(err, ErrChanged) {
		t.Errorf("open: %v", err)
	}
	must(t, os.Remove(d+"/f"))
	must(t, os.Symlink("/etc/passwd", d+"/f"))
	if _, err := n.Open(); !errors.Is(err, ErrChanged) {
		t.Errorf("open of a link: %v", err)
	}
}

func TestInput(t *testing.T) {
	top := t.TempDir()
	d := top + "/in"
	write(t, d+"/sub/f", "x")
	write(t, top+"/outside/o", "out")
	must(t, os.Symlink("../sub/f", d+"/sub/inside"))
	must(t, os.Symlink("../../outside", d+"/sub/out"))
	must(t, os.Symlink(top+"/outside/o", d+"/abs"))
	must(t, os.Symlink("..", d+"/loop"))
	must(t, os.Symlink("/does/not/exist", d+"/dead"))

	l := open(t, "input:"+d, Options{})
	for _, p := range []string{"abs", "sub/out", "sub/inside"} {
		if _, err := mustGet(t, l, p).Readlink(); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	got := l.(interface{ Leaving() []string }).Leaving()
	want := []string{"/abs -> " + top + "/outside/o", "/sub/out -> ../../outside"}
	if !slices.Equal(got, want) {
		t.Errorf("leaving %q, want %q", got, want)
	}
	if m := mustGet(t, l, "sub/f").Meta(); m.UID != 0 || m.GID != 0 {
		t.Errorf("owner %+v", m)
	}

	l = open(t, "input:"+d, Options{Follow: true})
	for _, p := range []string{"abs", "sub/out/o"} {
		if got := content(t, mustGet(t, l, p)); got != "out" {
			t.Errorf("%s: %q", p, got)
		}
	}
	if got := names(t, mustGet(t, l, "/")); got != "abs dead loop sub" {
		t.Errorf("names %q", got)
	}
	// The directory above is shown once, and ends where it comes back.
	if n := mustGet(t, l, "loop/in"); names(t, n) != "abs dead loop sub" {
		t.Errorf("below loop: %q", names(t, n))
	}
	if to, err := mustGet(t, l, "loop/in/loop").Readlink(); to != ".." || err != nil {
		t.Errorf("second turn: %q %v", to, err)
	}
	must(t, l.Verify())
}

func TestInputFile(t *testing.T) {
	d := t.TempDir()
	write(t, d+"/f", "single")
	must(t, os.Chtimes(d+"/f", time.Time{}, time.Unix(5, 7)))
	l := open(t, "input:"+d+"/f", Options{KeepMtime: true})
	n := mustGet(t, l, "/")
	if got := content(t, n); got != "single" || n.Meta().Mtime != 5e9+7 || n.Meta().Mode != 0o100644 {
		t.Errorf("%q %+v", got, n.Meta())
	}
	must(t, l.Verify())
	if obs, err := l.Observed(); err != nil || len(obs) != 2 {
		t.Errorf("observed %v %v", obs, err)
	}
	write(t, d+"/f", "changed")
	if err := l.Verify(); !errors.Is(err, ErrChanged) {
		t.Errorf("verify: %v", err)
	}
}

// TestDeep goes deeper than directories are kept open.
func TestDeep(t *testing.T) {
	d := t.TempDir()
	p := strings.Repeat("/d", 3*maxDirs)
	write(t, d+p+"/f", "deep")
	l := open(t, "dir:"+d, Options{})
	f := mustGet(t, l, p+"/f")
	mustGet(t, l, "/d/d")
	if got := content(t, f); got != "deep" {
		t.Errorf("%q", got)
	}
	must(t, l.Verify())
}

// TestDigestSame: where the tree lies and when it was made does not matter.
func TestDigestSame(t *testing.T) {
	var sum [2]string
	for i := range sum {
		d := t.TempDir()
		write(t, d+"/a", "x")
		must(t, os.Chtimes(d+"/a", time.Time{}, time.Unix(int64(i), 0)))
		l := open(t, "dir:"+d, Options{})
		content(t, mustGet(t, l, "a"))
		var err error
		sum[i], err = l.Digest()
		must(t, err)
	}
	if sum[0] != sum[1] || !strings.HasPrefix(sum[0], "sha256:") {
		t.Errorf("%q", sum)
	}
}

func BenchmarkLookup(b *testing.B) {
	d := b.TempDir()
	write(b, d+"/usr/lib/f", "x")
	l := open(b, "dir:"+d, Options{}).(*lazy)
	dir := mustGet(b, l, "usr/lib").(*lnode)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.find(dir, "f"); err != nil {
			b.Fatal(err)
		}
	}
}
