package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// told is a line of --progress json.
type told struct {
	Phase     string `json:"phase"`
	Processes int    `json:"processes"`
	Stops     uint64 `json:"stops"`
	Image     string `json:"image"`
	Files     int64  `json:"files"`
	Bytes     int64  `json:"bytes"`
}

// untilTold starts dettrace with args, waits until a line of its progress is one that
// is wanted, and interrupts it. It must end as an interrupted run does.
func untilTold(t *testing.T, dir string, wanted func(told) bool, args ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"dettrace"}, args...)
	cmd.Env = append(os.Environ(), asDettrace+"=1")
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	lines := bufio.NewScanner(io.TeeReader(stderr, &all))
	for found := false; !found && lines.Scan(); {
		var s told
		found = json.Unmarshal(lines.Bytes(), &s) == nil && wanted(s)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(all.String(), "dettrace: error: interrupted\n") {
		t.Errorf("stderr:\n%s", &all)
	}
}

// TestProgressTold: a long run says how far it is.
func TestProgressTold(t *testing.T) {
	untilTold(t, t.TempDir(), func(s told) bool { return s.Phase == "run" && s.Processes == 1 && s.Stops > 0 },
		"run", "--progress", "json", "--", "sh", "-c", "while :; do :; done")
}

// TestProgressOfImages: so do an import, and a run that becomes an image, which end
// when they are interrupted and leave nothing behind.
func TestProgressOfImages(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static program")
	}
	dir := t.TempDir()
	b, err := os.ReadFile(busybox)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "root", "bin"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "root", "bin", "busybox"), b, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "root", "large"), nil, 0o644)
	}
	if err == nil {
		err = os.Truncate(filepath.Join(dir, "root", "large"), 1<<40) // all of it a hole, and hours to hash
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		wanted func(told) bool
		args   []string
	}{
		{"import", func(s told) bool { return s.Image == "i" && s.Bytes > 1<<20 }, []string{"image", "import", "--max-size", "2T", "root", "i"}},
		{"commit", func(s told) bool { return s.Phase == "commit" && s.Files > 0 && s.Bytes > 1<<20 }, []string{"run", "--image", "root", "--commit", "i", "--", "/bin/busybox", "true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := filepath.Join(dir, c.name)
			t.Setenv("DETTRACE_STORE", store)
			i := 1
			if c.args[0] == "image" {
				i = 2
			}
			untilTold(t, dir, c.wanted, append(append(append([]string{}, c.args[:i]...), "--progress", "json"), c.args[i:]...)...)
			left, err := os.ReadDir(filepath.Join(store, "tmp"))
			if err != nil || len(left) != 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}
