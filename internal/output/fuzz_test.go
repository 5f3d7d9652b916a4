package output

import (
	"archive/tar"
	"bytes"
	"os"
	"testing"
)

// fuzzSeeds are streams near to what detfs writes.
func fuzzSeeds() [][]byte {
	var seeds [][]byte
	for _, names := range [][]string{{"o"}, {"./o/", "o/a", "o/.wh.b"}, {"o/", "o/.wh..wh..opq", "o/l", "o/l/x"}} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, n := range names {
			h := &tar.Header{Name: n, Mode: 0o755, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
			switch n[len(n)-1] {
			case '/':
				h.Typeflag = tar.TypeDir
			case 'l':
				h.Typeflag, h.Linkname = tar.TypeSymlink, ".."
			}
			_ = w.WriteHeader(h) // a seed that is not written is no seed
		}
		_ = w.Close()
		seeds = append(seeds, buf.Bytes())
	}
	return seeds
}

// FuzzStream: whatever the stream, nothing beside the target changes.
func FuzzStream(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 1<<16 {
			return
		}
		top := t.TempDir()
		for _, d := range []string{"/a", "/b/in", "/b/safe"} {
			if err := os.MkdirAll(top+d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(top+"/b/safe/x", []byte("safe"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Extract(bytes.NewReader(stream), Target{"/o", top + "/a/o"}, Options{}); err != nil {
			check(t, top+"/a")
		}
		_, _ = WriteBack(bytes.NewReader(stream), []Target{{"/o", top + "/b/in"}}, Options{}) // its error says what it did
		names, err := os.ReadDir(top)
		if err != nil || len(names) != 2 {
			t.Fatalf("%v, %v", names, err)
		}
		check(t, top+"/b/safe", "x -rw------- safe")
		if names, err = os.ReadDir(top + "/b"); err != nil || len(names) != 2 {
			t.Fatalf("%v, %v", names, err)
		}
		unlock(top) // or a plain user could not clean up
	})
}

// unlock makes every directory below dir removable.
func unlock(dir string) {
	names, _ := os.ReadDir(dir)
	for _, n := range names {
		if n.IsDir() {
			_ = os.Chmod(dir+"/"+n.Name(), 0o700)
			unlock(dir + "/" + n.Name())
		}
	}
}
