package detfs

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A tar of changes is a file of the host's, and may be any.
func TestResumeForged(t *testing.T) {
	for name, list := range map[string][]tar.Header{
		"root replaced":        {{Name: ".wh..wh..opq", Typeflag: tar.TypeReg}},
		"root is a file":       {{Name: ".", Typeflag: tar.TypeReg}},
		"link to a directory":  {{Name: "new/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "new/loop", Typeflag: tar.TypeLink, Linkname: "new"}},
		"link to the root":     {{Name: "loop", Typeflag: tar.TypeLink, Linkname: "/"}},
		"of an unknown kind":   {{Name: "odd", Typeflag: 'Z'}},
		"below a regular file": {{Name: "new", Typeflag: tar.TypeReg}, {Name: "new/below", Typeflag: tar.TypeReg}},
		"below nothing":        {{Name: "no/where", Typeflag: tar.TypeReg}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "changes.tar")
			out, err := os.Create(file)
			must(t, err)
			w := tar.NewWriter(out)
			for _, h := range list {
				must(t, w.WriteHeader(&h))
			}
			must(t, w.Close())
			must(t, out.Close())
			tt := newTree(t, Config{})
			var errno syscall.Errno
			if err := tt.resume(file); !errors.As(err, &errno) {
				t.Fatalf("resume: %v", err)
			}
			if _, err := tt.changeList(); err != nil {
				t.Errorf("changes: %v", err)
			}
		})
	}
}
