package perturb

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCopy: files are made in reverse order, and are the same apart from that. tmpfs
// counts inode numbers upwards.
func TestCopy(t *testing.T) {
	top, err := os.MkdirTemp("/dev/shm", "perturb")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	from, to := filepath.Join(top, "from"), filepath.Join(top, "to")
	if err := os.Mkdir(from, 0o755); err != nil {
		t.Fatal(err)
	}
	names := []string{"a", "b", "c", "d"}
	for i, n := range names {
		if err := os.WriteFile(filepath.Join(from, n), []byte(n), 0o600+os.FileMode(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(from, "a"), filepath.Join(from, "z")); err != nil {
		t.Fatal(err)
	}
	room := int64(5)
	if err := Copy(from, to, &room, t.TempDir()); err != nil || room != 1 {
		t.Fatalf("%v, room for %d bytes", err, room)
	}
	stat := func(path string) (st unix.Stat_t) {
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	var made []uint64
	for _, n := range names {
		a, b := stat(filepath.Join(from, n)), stat(filepath.Join(to, n))
		text, err := os.ReadFile(filepath.Join(to, n))
		if err != nil || string(text) != n || a.Mode != b.Mode || a.Nlink != b.Nlink || a.Mtim != b.Mtim {
			t.Errorf("%s: %q, %v, %+v, from %+v", n, text, err, b, a)
		}
		made = append(made, b.Ino)
	}
	slices.Reverse(made[1:]) // a was made as z, the first of all
	if !slices.IsSorted(made) {
		t.Errorf("inode numbers in the order a, d, c, b: %d", made)
	}
	room = 3
	if err := Copy(from, to+"2", &room, t.TempDir()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestEnviron(t *testing.T) {
	h := Hosts(2)[1]
	got := h.Environ([]string{"LANG=C", "HOME=/x", "SOURCE_DATE_EPOCH=1", "TZ=UTC"}, []string{"TZ"})
	for _, want := range []string{"LANG=tr_TR.UTF-8", "HOME=/x", "TZ=UTC"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing: %q", want, got)
		}
	}
	for _, not := range []string{"LANG=C", "SOURCE_DATE_EPOCH=1", "TZ=Asia/Kathmandu"} {
		if slices.Contains(got, not) {
			t.Errorf("%s is there: %q", not, got)
		}
	}
}

// A copy may be made below what is copied: where copies are is not copied.
func TestCopyIntoItself(t *testing.T) {
	from := t.TempDir()
	ours := filepath.Join(from, "tmp", "ours")
	if err := os.MkdirAll(ours, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "tmp/b", "tmp/ours/c"} {
		if err := os.WriteFile(filepath.Join(from, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	to, room := filepath.Join(ours, "copy"), int64(1)
	if err := Copy(from, to, &room, ours); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": true, "tmp/b": true, "tmp/ours": false} {
		if _, err := os.Lstat(filepath.Join(to, name)); (err == nil) != want {
			t.Errorf("%s: %v, wanted there: %v", name, err, want)
		}
	}
}
