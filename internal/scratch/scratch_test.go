package scratch

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMain lets the test binary be the helper, and a process that dies.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == Command:
		os.Exit(Main(nil))
	case os.Getenv("SCRATCH_TEST_DIE") != "":
		d, err := make2()
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(d.Path)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	os.Exit(m.Run())
}

// make2 makes two directories with files.
func make2() (*Dir, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d, err := New(self, "one-")
	if err != nil {
		return nil, err
	}
	other, err := d.Also(os.Getenv("SCRATCH_TEST_OTHER"), "two-")
	if err == nil {
		err = os.MkdirAll(filepath.Join(other, "a", "b"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(d.Path, "file"), []byte("x"), 0o600)
	}
	return d, err
}

func left(t *testing.T, dirs ...string) (names []string) {
	t.Helper()
	for _, d := range dirs {
		list, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestClose(t *testing.T) {
	tmp, other := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("SCRATCH_TEST_OTHER", other)
	d, err := make2()
	if err != nil {
		t.Fatal(err)
	}
	if n := left(t, tmp, other); len(n) != 2 {
		t.Errorf("%q", n)
	}
	d.Close()
	if n := left(t, tmp, other); len(n) != 0 {
		t.Errorf("left: %q", n)
	}
}

// TestKilled: nothing stays of a process that was killed with SIGKILL.
func TestKilled(t *testing.T) {
	tmp, other := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "SCRATCH_TEST_DIE=1", "TMPDIR="+tmp, "SCRATCH_TEST_OTHER="+other)
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	path, err := io.ReadAll(out)
	if err != nil || filepath.Dir(string(path)) != tmp {
		t.Errorf("%q, %v", path, err)
	}
	// The helper closes it last.
	if said, err := io.ReadAll(errs); err != nil || len(said) > 0 {
		t.Errorf("%s, %v", said, err)
	}
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("%v", err)
	}
	if n := left(t, tmp, other); len(n) != 0 {
		t.Errorf("left: %q", n)
	}
}
