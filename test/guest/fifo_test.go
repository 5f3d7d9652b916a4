package guest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// FIFOs that are there before the run: the call that opens one may be the first
// that looks it up, and must not sleep in the kernel.
func TestFifo(t *testing.T) {
	bin, native := compile(t, "fifo"), t.TempDir()
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "fifos.tar")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 9 {
		for _, d := range []string{dir, native} {
			if err := unix.Mkfifo(filepath.Join(d, fmt.Sprint(i)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Typeflag: tar.TypeFifo, Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(bin, "fifo"), native).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(out))
	for _, from := range [][]string{{"-i", dir + ":/p"}, {"--image", image}} {
		at := "/p"
		if from[0] == "--image" {
			at = "/"
		}
		args := append(from, "-i", bin+":/b", "--", "/b/fifo", at)
		if got := strings.Join(twice(t, args...), "\n"); got != want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", from[0], got, want)
		}
	}
	// Events and time are the same whether the first open comes by a fast path or a
	// stop, and whether it is the first look.
	for _, first := range []string{"", "ls -l /p >/dev/null; "} {
		script := first + `for i in 1 2 3 4 5 6; do cat /etc/passwd >/dev/null; done; cat /p/0 & echo x > /p/0; wait; date +%s.%N`
		var out [3]string
		for i, how := range [][]string{{"--no-fast-paths"}, {"--log", "/dev/null"}, {}} {
			out[i] = sigLab.OK(t, append(how, "-i", dir+":/p", "--", "/bin/sh", "-c", script)...).Stdout
		}
		if out[0] != out[1] || out[0] != out[2] {
			t.Errorf("%q: without fast paths, with the log, with fast paths:\n%s%s%s", first, out[0], out[1], out[2])
		}
	}
}
