package output

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

var when = time.Unix(1767225600, 5000)

// entry is a tar entry in shorthand.
type entry struct {
	name, body, link string
	kind             byte
	mode             int64
}

func pack(t *testing.T, entries ...entry) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o644
		}
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.body)), Linkname: e.link,
			ModTime: when, Uid: 4711, Gid: 4711, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

// list shows a tree: "path mode content|-> target", sorted.
func list(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := filepath.Walk(root, func(p string, info os.FileInfo, err error) error {
		if err != nil || p == root {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		line := rel + " " + info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += " " + string(b)
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(out)
	return out
}

func check(t *testing.T, root string, want ...string) {
	t.Helper()
	if got := strings.Join(list(t, root), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("tree is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// outside makes a directory that must not change.
func outside(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "victim"), []byte("safe"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, dir, "victim -rw-r--r-- safe") })
	return dir
}

func TestExtract(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	dir := t.TempDir()
	var skipped []string
	err := Extract(pack(t,
		entry{name: "./build/src/o/", kind: tar.TypeDir, mode: 0o2755},
		entry{name: "build/src/o/a", body: "A", mode: 0o4755},
		entry{name: "build/src/o/dev", kind: tar.TypeChar},
		entry{name: "build/src/o/dev2", kind: tar.TypeLink, link: "build/src/o/dev"},
		entry{name: "build/src/o/fifo", kind: tar.TypeFifo},
		entry{name: "build/src/o/hard", kind: tar.TypeLink, link: "build/src/o/a"},
		entry{name: "build/src/o/ln", kind: tar.TypeSymlink, link: "/etc/passwd"},
		entry{name: "./build/src/o/ro/", kind: tar.TypeDir, mode: 0o555},
		entry{name: "build/src/o/ro/f", body: "F", mode: 0o444},
	), Target{Guest: "/build/src/o", Host: dir + "/x/y"}, Options{Skip: func(s Skipped) { skipped = append(skipped, s.Path+": "+s.Why) }})
	if err != nil {
		t.Fatal(err)
	}
	check(t, dir,
		"x drwxr-x---",
		"x/y drwxr-x---",
		"x/y/a -rwxr-x--- A", "x/y/hard -rwxr-x--- A", "x/y/ln Lrwxrwxrwx -> /etc/passwd",
		"x/y/ro dr-xr-x---", "x/y/ro/f -r--r----- F")
	want := "/build/src/o: set-id bits dropped\n/build/src/o/a: set-id bits dropped\n/build/src/o/dev: device\n" +
		"/build/src/o/dev2: link to something left out\n/build/src/o/fifo: fifo"
	if got := strings.Join(skipped, "\n"); got != want {
		t.Errorf("skipped\n%s\nwant\n%s", got, want)
	}
	for _, p := range []string{"x/y", "x/y/a", "x/y/ro", "x/y/ro/f", "x/y/ln"} {
		var st syscall.Stat_t
		if err := syscall.Lstat(filepath.Join(dir, p), &st); err != nil {
			t.Fatal(err)
		}
		if st.Mtim.Sec != when.Unix() || st.Mtim.Nsec != 5000 || int(st.Uid) != os.Getuid() {
			t.Errorf("%s: mtime %d.%d uid %d", p, st.Mtim.Sec, st.Mtim.Nsec, st.Uid)
		}
	}
	if err := os.Chmod(dir+"/x/y/ro", 0o700); err != nil { // or a plain user could not clean up
		t.Fatal(err)
	}
	a, _ := os.Stat(dir + "/x/y/a")
	hard, _ := os.Stat(dir + "/x/y/hard")
	if !os.SameFile(a, hard) {
		t.Error("hard link became a copy")
	}
}

// TestExtractHostile: each tar is refused as a whole and leaves nothing.
func TestExtractHostile(t *testing.T) {
	root := entry{name: "./o/", kind: tar.TypeDir, mode: 0o755}
	victim := outside(t)
	for name, c := range map[string]struct {
		entries []entry
		message string
	}{
		"dot dot":              {[]entry{root, {name: "o/../../victim", body: "x"}}, "not a clean path"},
		"only dot dot":         {[]entry{root, {name: "o/.."}}, "not a clean path"},
		"empty part":           {[]entry{root, {name: "o//x"}}, "not a clean path"},
		"absolute":             {[]entry{root, {name: victim + "/victim", body: "x"}}, "is not below"},
		"twice absolute":       {[]entry{root, {name: "//o/x"}}, "not a clean path"},
		"elsewhere":            {[]entry{root, {name: "other"}}, "is not below"},
		"longer name":          {[]entry{root, {name: "other", body: "x"}}, "is not below"},
		"no root":              {[]entry{{name: "o/x", body: "x"}}, "comes before"},
		"symlink then through": {[]entry{root, {name: "o/s", kind: tar.TypeSymlink, link: victim}, {name: "o/s/victim", body: "x"}}, ""},
		"inner symlink":        {[]entry{root, {name: "o/d", kind: tar.TypeDir, mode: 0o755}, {name: "o/s", kind: tar.TypeSymlink, link: "d"}, {name: "o/s/x", body: "x"}}, ""},
		"symlink replaced":     {[]entry{root, {name: "o/s", kind: tar.TypeSymlink, link: victim + "/victim"}, {name: "o/s", body: "x"}}, "file exists"},
		"target is symlink":    {[]entry{{name: "o", kind: tar.TypeSymlink, link: victim}, {name: "o/victim", body: "x"}}, ""},
		"dir over symlink":     {[]entry{root, {name: "o/s", kind: tar.TypeSymlink, link: victim}, {name: "o/s", kind: tar.TypeDir}}, "file exists"},
		"hard link outside":    {[]entry{root, {name: "o/h", kind: tar.TypeLink, link: victim + "/victim"}}, "is not below"},
		"hard link dot dot":    {[]entry{root, {name: "o/h", kind: tar.TypeLink, link: "o/../x"}}, "not a clean path"},
		"hard link via link":   {[]entry{root, {name: "o/s", kind: tar.TypeSymlink, link: victim}, {name: "o/h", kind: tar.TypeLink, link: "o/s/victim"}}, ""},
		"device as output":     {[]entry{{name: "o", kind: tar.TypeBlock}}, "neither file, directory nor symlink"},
		"nothing":              {nil, "not in the guest"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := Extract(pack(t, c.entries...), Target{"/o", dir + "/new/o"}, Options{})
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want %q", err, c.message)
			}
			check(t, dir)
		})
	}
}

func TestExtractTruncated(t *testing.T) {
	whole := pack(t, entry{name: "o", body: strings.Repeat("x", 10000)}).Bytes()
	for _, n := range []int{0, 100, 600, 5000} {
		dir := t.TempDir()
		if err := Extract(bytes.NewReader(whole[:n]), Target{"/o", dir + "/o"}, Options{}); err == nil {
			t.Errorf("%d bytes: no error", n)
		}
		check(t, dir)
	}
}

func TestExistingTarget(t *testing.T) {
	dir := t.TempDir()
	victim := outside(t)
	target := Target{"/o", dir + "/o"}
	put := func(opts Options, e ...entry) error { return Extract(pack(t, e...), target, opts) }
	if err := os.Symlink(victim+"/victim", target.Host); err != nil {
		t.Fatal(err)
	}
	if err := put(Options{}, entry{name: "o", body: "new"}); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a symlink at the target: %v", err)
	}
	check(t, dir, "o Lrwxrwxrwx -> "+victim+"/victim")
	if err := put(Options{Force: true}, entry{name: "o/", kind: tar.TypeDir, mode: 0o755}, entry{name: "o/x", body: "1"}); err != nil {
		t.Error(err)
	}
	check(t, dir, "o drwxr-xr-x", "o/x -rw-r--r-- 1")
	if err := put(Options{Force: true}, entry{name: "o", body: "file"}); err != nil {
		t.Error(err)
	}
	check(t, dir, "o -rw-r--r-- file")
}

// TestSetIsAllOrNothing: a second output that is broken keeps the first away.
func TestSetIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	s := NewSet(Options{})
	if err := s.Add(pack(t, entry{name: "a", body: "A"}), Target{"/a", dir + "/sub/a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(pack(t), Target{"/b", dir + "/b"}); err == nil {
		t.Fatal("an output that is not there")
	}
	s.Close()
	check(t, dir)
}

func TestDeepTree(t *testing.T) {
	dir := t.TempDir()
	entries := []entry{{name: "o/", kind: tar.TypeDir, mode: 0o755}}
	p := "o"
	for range 60 {
		p += "/" + strings.Repeat("d", 100)
		entries = append(entries, entry{name: p + "/", kind: tar.TypeDir, mode: 0o755})
	}
	entries = append(entries, entry{name: p + "/f", body: "deep"})
	s := NewSet(Options{})
	if err := s.Add(pack(t, entries...), Target{"/o", dir + "/o"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	check(t, dir)
}

func TestGlobTargets(t *testing.T) {
	got := GlobTargets("/build/src/out/*/x?", "/h/out", []string{"/build/src/out/a/x1", "/build/src/out/b/x1"})
	if len(got) != 2 || got[0].Host != "/h/out/a/x1" || got[1].Host != "/h/out/b/x1" {
		t.Errorf("%v", got)
	}
	if got = GlobTargets("/*", "/h", []string{"/x"}); got[0].Host != "/h/x" {
		t.Errorf("%v", got)
	}
}

func TestSave(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	dir := t.TempDir()
	p := dir + "/c.tar"
	if err := Save(strings.NewReader("one"), p, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := Save(strings.NewReader("two"), p, Options{}); err == nil {
		t.Error("replaced without force")
	}
	if err := Save(strings.NewReader("three"), p, Options{Force: true}); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := Save(&brokenReader{broken}, p, Options{Force: true}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	check(t, dir, "c.tar -rw-r--r-- three")
}

// TestSaveToDevice: what is no file is written to, and never replaced by one.
func TestSaveToDevice(t *testing.T) {
	dir := t.TempDir()
	fifo := dir + "/fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stdout, err := os.Create(dir + "/stdout")
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", stdout.Fd()), dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{fifo, dir + "/link", fmt.Sprintf("/dev/fd/%d", stdout.Fd())} {
		if err := Save(strings.NewReader("one "), p, Options{}); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	b := make([]byte, 10)
	if n, err := r.Read(b); string(b[:n]) != "one " {
		t.Errorf("from the FIFO: %q, %v", b[:n], err)
	}
	check(t, dir, "fifo prw-------", fmt.Sprintf("link Lrwxrwxrwx -> /proc/self/fd/%d", stdout.Fd()), "stdout -rw-r--r-- one one ")
	if err := Save(strings.NewReader("x"), "/dev/full", Options{Force: true}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("/dev/full: %v", err)
	}
	err = Extract(pack(t, entry{name: "f", body: "x"}), Target{Guest: "/f", Host: fifo}, Options{Force: true})
	if err == nil || !strings.HasSuffix(err.Error(), "fifo: is no file, and is not replaced") {
		t.Errorf("an output: %v", err)
	}
}

type brokenReader struct{ err error }

func (b *brokenReader) Read([]byte) (int, error) { return 0, b.err }
