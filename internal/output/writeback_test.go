package output

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// project makes an input with files, a directory, links and a read-only file.
func project(t *testing.T) (string, []Target) {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(dir+"/d/sub", 0o755))
	must(os.WriteFile(dir+"/a", []byte("old"), 0o664))
	must(os.Chmod(dir+"/a", 0o664))
	must(os.WriteFile(dir+"/d/f", []byte("f"), 0o644))
	must(os.WriteFile(dir+"/d/sub/g", []byte("g"), 0o644))
	must(os.Symlink("d", dir+"/ln"))
	return dir, []Target{{Guest: "/build/src", Host: dir}}
}

func TestWriteBack(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	for name, c := range map[string]struct {
		entries []entry
		want    []string
	}{
		"modify keeps the mode": {
			[]entry{{name: "build/src/a", body: "new", mode: 0o664}},
			[]string{"a -rw-rw-r-- new", "d drwxr-xr-x", "d/f -rw-r--r-- f", "d/sub drwxr-xr-x", "d/sub/g -rw-r--r-- g", "ln Lrwxrwxrwx -> d"},
		},
		"add, delete, hard link": {
			[]entry{
				{name: "./build/src/", kind: tar.TypeDir, mode: 0o755},
				{name: "build/src/.wh.a"},
				{name: "./build/src/d/", kind: tar.TypeDir, mode: 0o755},
				{name: "build/src/d/.wh.sub"},
				{name: "./build/src/n/", kind: tar.TypeDir, mode: 0o775},
				{name: "build/src/n/x", body: "X", mode: 0o4755},
				{name: "build/src/n/y", kind: tar.TypeLink, link: "build/src/n/x"},
				{name: "build/src/n/z", kind: tar.TypeFifo},
			},
			[]string{"d drwxr-xr-x", "d/f -rw-r--r-- f", "ln Lrwxrwxrwx -> d", "n drwxrwxr-x", "n/x -rwxr-xr-x X", "n/y -rwxr-xr-x X"},
		},
		"a directory becomes a file and a symlink a directory": {
			[]entry{
				{name: "build/src/d", body: "flat"},
				{name: "./build/src/ln/", kind: tar.TypeDir, mode: 0o755},
				{name: "build/src/ln/x", body: "X"},
			},
			[]string{"a -rw-rw-r-- old", "d -rw-r--r-- flat", "ln drwxr-xr-x", "ln/x -rw-r--r-- X"},
		},
		"files behind what is left out": {
			[]entry{
				{name: "build/src/p", kind: tar.TypeFifo},
				{name: "build/src/q", body: "Q"},
				{name: "build/src/r", kind: tar.TypeLink, link: "build/src/p"},
				{name: "build/src/s", body: "S"},
				{name: "build/src/t", kind: tar.TypeLink, link: "build/src/s"},
			},
			[]string{"a -rw-rw-r-- old", "d drwxr-xr-x", "d/f -rw-r--r-- f", "d/sub drwxr-xr-x", "d/sub/g -rw-r--r-- g", "ln Lrwxrwxrwx -> d", "q -rw-r--r-- Q", "s -rw-r--r-- S", "t -rw-r--r-- S"},
		},
		"an opaque directory": {
			[]entry{
				{name: "./build/src/d/", kind: tar.TypeDir, mode: 0o700},
				{name: "build/src/d/.wh..wh..opq"},
				{name: "build/src/d/n", body: "N"},
			},
			[]string{"a -rw-rw-r-- old", "d drwx------", "d/n -rw-r--r-- N", "ln Lrwxrwxrwx -> d"},
		},
		"everything deleted": {[]entry{{name: "build/.wh.src"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir, inputs := project(t)
			n, err := WriteBack(pack(t, c.entries...), inputs, Options{})
			if err != nil || n == 0 {
				t.Errorf("%d, %v", n, err)
			}
			check(t, dir, c.want...)
		})
	}
}

func TestWriteBackFileAndNested(t *testing.T) {
	dir, _ := project(t)
	single := t.TempDir() + "/conf"
	if err := os.WriteFile(single, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	nested := t.TempDir()
	inputs := []Target{{"/build/src", dir}, {"/build/src/d/in", nested}, {"/etc/conf", single}}
	_, err := WriteBack(pack(t,
		entry{name: "build/src/d/in/x", body: "X"},
		entry{name: "build/src/d/inner", body: "I"},
		entry{name: "etc/conf", body: "new", mode: 0o600},
	), inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	check(t, nested, "x -rw-r--r-- X")
	check(t, filepath.Dir(single), "conf -rw------- new")
	if b, err := os.ReadFile(dir + "/d/inner"); err != nil || string(b) != "I" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestWriteBackHostile: nothing on the host changes.
func TestWriteBackHostile(t *testing.T) {
	victim := outside(t)
	for name, c := range map[string]struct {
		entries []entry
		message string
	}{
		"dot dot":           {[]entry{{name: "build/src/a", body: "x"}, {name: "build/src/../../x"}}, "not a clean path"},
		"elsewhere":         {[]entry{{name: "build/src/a", body: "x"}, {name: "etc/passwd"}}, "not below an input"},
		"whiteout of ..":    {[]entry{{name: "build/src/d/.wh..."}}, "whiteout of no name"},
		"whiteout of .":     {[]entry{{name: "build/src/.wh.."}}, "whiteout of no name"},
		"whiteout outside":  {[]entry{{name: "build/.wh.other"}}, "not below an input"},
		"broken stream":     {[]entry{{name: "build/src/a", body: "x"}, {name: "build/src/" + strings.Repeat("n", 300), body: "x"}, {name: "../x"}}, "not a clean path"},
		"whiteout no name":  {[]entry{{name: "build/src/.wh."}}, "whiteout of no name"},
		"root is a file":    {[]entry{{name: "build/src", body: "x"}}, "became something else"},
		"hard link outside": {[]entry{{name: "build/src/h", kind: tar.TypeLink, link: victim + "/victim"}}, "not in the same input"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, inputs := project(t)
			before := list(t, dir)
			_, err := WriteBack(pack(t, c.entries...), inputs, Options{})
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want %q", err, c.message)
			}
			check(t, dir, before...)
		})
	}
}

// TestWriteBackThroughSymlink: the host's tree changed under us so that a
// path now leads through a link; the error says what was done and what not.
func TestWriteBackThroughSymlink(t *testing.T) {
	victim := outside(t)
	dir, inputs := project(t)
	if err := os.Symlink(victim, dir+"/out"); err != nil {
		t.Fatal(err)
	}
	n, err := WriteBack(pack(t,
		entry{name: "build/src/a", body: "new", mode: 0o664},
		entry{name: "build/src/out/victim", body: "x"},
		entry{name: "build/src/z", body: "z"},
	), inputs, Options{})
	var partial *PartialError
	if n != 1 || !errors.As(err, &partial) || partial.Applied != 1 || partial.Total != 3 || partial.Path != "/build/src/out/victim" || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%d, %v", n, err)
	}
	check(t, dir, "a -rw-rw-r-- new", "d drwxr-xr-x", "d/f -rw-r--r-- f", "d/sub drwxr-xr-x", "d/sub/g -rw-r--r-- g", "ln Lrwxrwxrwx -> d", "out Lrwxrwxrwx -> "+victim)
}
