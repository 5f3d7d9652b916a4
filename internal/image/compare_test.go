package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/digests"
)

// look asks l for one thing of every kind.
func look(t *testing.T, l Layer) []Observation {
	t.Helper()
	content(t, mustGet(t, l, "/read"))
	mustGet(t, l, "/looked")
	names(t, mustGet(t, l, "/dir"))
	if _, err := mustGet(t, l, "/link").Readlink(); err != nil {
		t.Fatal(err)
	}
	if _, err := mustGet(t, l, "/attr").Xattrs(); err != nil {
		t.Fatal(err)
	}
	if _, err := get(l, "/missing"); err == nil {
		t.Fatal("missing is there")
	}
	obs, err := l.Observed()
	must(t, err)
	return obs
}

func kitchen(t *testing.T) string {
	dir := t.TempDir()
	for _, f := range []string{"read", "looked", "dir/a", "attr", "unread", "sub/unread"} {
		write(t, filepath.Join(dir, f), f+"\n")
	}
	must(t, os.Symlink("target", filepath.Join(dir, "link")))
	must(t, os.Link(filepath.Join(dir, "looked"), filepath.Join(dir, "sub/hard")))
	return dir
}

// Compare finds a change of anything that was learned, and of nothing else.
func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(dir string) error
		found  string // "PATH KIND" of the first difference
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"content of a file read", func(d string) error { return os.WriteFile(d+"/read", []byte("REad\n"), 0o644) }, "/read read"},
		{"content of a file looked at, same size", func(d string) error { return os.WriteFile(d+"/looked", []byte("LOOked\n"), 0o644) }, ""},
		{"its size", func(d string) error { return os.WriteFile(d+"/looked", []byte("longer than it was"), 0o644) }, "/looked stat"},
		{"a mode", func(d string) error { return os.Chmod(d+"/looked", 0o600) }, "/looked stat"},
		{"a time", func(d string) error { return os.Chtimes(d+"/read", time.Unix(7, 0), time.Unix(7, 0)) }, ""},
		{"a new entry in a listed directory", func(d string) error { return os.WriteFile(d+"/dir/b", nil, 0o644) }, "/dir list"},
		{"another type in a listed directory", func(d string) error {
			return os.Remove(d + "/dir/a")
		}, "/dir list"},
		{"a new entry in one that was not", func(d string) error { return os.WriteFile(d+"/sub/b", nil, 0o644) }, ""},
		{"content of a file that was listed", func(d string) error { return os.WriteFile(d+"/dir/a", []byte("DIR/a\n"), 0o644) }, ""},
		{"a target", func(d string) error {
			return os.Rename(mustLink(t, d, "gettar"), d+"/link")
		}, "/link link"},
		{"a name that was missing", func(d string) error { return os.WriteFile(d+"/missing", nil, 0o644) }, "/missing stat"},
		{"a file is gone", func(d string) error { return os.Remove(d + "/read") }, "/read missing"},
		{"an attribute", func(d string) error { return unix.Setxattr(d+"/attr", "user.x", []byte("1"), 0) }, "/attr xattr"},
		{"a file that was not read", func(d string) error { return os.WriteFile(d+"/unread", []byte("x"), 0o600) }, ""},
		{"one more name of a file", func(d string) error { return os.Link(d+"/looked", d+"/sub/third") }, "/looked stat"},
		{"a file becomes a directory", func(d string) error {
			if err := os.Remove(d + "/read"); err != nil {
				return err
			}
			return os.Mkdir(d+"/read", 0o755)
		}, "/read stat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := kitchen(t)
			obs := look(t, open(t, "input:"+dir, Options{}))
			must(t, tt.change(dir))
			now := open(t, "input:"+dir, Options{})
			found, err := Compare(now, testEpoch, obs, 1)
			must(t, err)
			same := len(found) == 0
			var is Observation
			if !same {
				is = found[0].Now
			}
			got := strings.TrimSpace(is.Path + " " + is.Kind)
			if same != (tt.found == "") || !same && got != tt.found && !(is.Path == strings.Fields(tt.found)[0]) {
				t.Fatalf("same %v, %q; want %q", same, got, tt.found)
			}
		})
	}
}

func mustLink(t *testing.T, dir, target string) string {
	t.Helper()
	must(t, os.Symlink(target, dir+"/new"))
	return dir + "/new"
}

// A directory and an archive of it tell the same of the same questions.
func TestObservedOfTar(t *testing.T) {
	dir := kitchen(t)
	must(t, os.RemoveAll(dir+"/sub"))
	tarOf := filepath.Join(t.TempDir(), "a.tar")
	out, err := exec.Command("tar", "--owner", "0", "--group", "0", "-C", dir, "-cf", tarOf, "--mtime", fmt.Sprintf("@%d", int64(testEpoch/1e9)), ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a := look(t, open(t, "tar:"+tarOf, Options{}))
	b := look(t, open(t, "input:"+dir, Options{}))
	if ObservedDigest(a) != ObservedDigest(b) {
		t.Errorf("tar:\n%v\ndirectory:\n%v", a, b)
	}
	if d, err := Compare(open(t, "tar:"+tarOf, Options{}), testEpoch, a, 1); err != nil || len(d) > 0 {
		t.Errorf("the same archive differs: %v, %v", d, err)
	}
}

// A known digest is taken for a file that did not change since, without reading it.
func TestDigestsAreUsed(t *testing.T) {
	const file = "/usr/bin/env" // old enough to be remembered
	var st unix.Stat_t
	must(t, unix.Stat(file, &st))
	known := digests.Open(t.TempDir() + "/digests")
	// A digest that no content has shows where it came from.
	planted := "sha256:" + strings.Repeat("ab", 32)
	known.Put(digests.Stamp{Dev: st.Dev, Ino: st.Ino, Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}, planted)
	for _, cache := range []*digests.Cache{known, nil} {
		l := open(t, "input:"+file, Options{Digests: cache})
		content(t, mustGet(t, l, "/"))
		obs, err := l.Observed()
		must(t, err)
		if used := obs[0].Digest == planted; obs[0].Kind != Read || used != (cache != nil) {
			t.Errorf("cache %v: %v", cache != nil, obs)
		}
	}
}

func FuzzEscapePath(f *testing.F) {
	for _, s := range []string{"/a", "\\", "\\x", "\xff/\\xff", "\\\\x41", "ü\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := EscapePath(s)
		back, err := UnescapePath(e)
		if err != nil || back != s {
			t.Errorf("%q -> %q -> %q, %v", s, e, back, err)
		}
		_, _ = UnescapePath(s) // must not panic
	})
}
