package regress

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"dettrace/internal/doctor"
)

// TestDoctorInChroot is a host that refuses user namespaces: the inside of a chroot.
// The doctor itself must work there, and say so.
func TestDoctorInChroot(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"tmp", "dev", "bin"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, l.Kit.Dettrace, filepath.Join(root, "bin/dettrace"))
	cmd := exec.Command("/bin/dettrace", "doctor", "--json")
	cmd.Env = []string{"TMPDIR=/tmp"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v, want exit status 1\n%s", err, out)
	}
	var r doctor.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if r.Ready {
		t.Errorf("ready: %s", out)
	}
	missing := map[string]bool{}
	for _, c := range r.Checks {
		if c.Status == doctor.Missing {
			missing[c.Name] = c.Fix != ""
		}
	}
	for _, name := range []string{"user namespaces", "/dev/fuse", "container"} {
		if !missing[name] {
			t.Errorf("%s: not missing, or without advice\n%s", name, out)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
