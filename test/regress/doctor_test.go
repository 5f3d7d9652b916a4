package regress

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/internal/doctor"
)

// TestDoctorInChroot is a host that refuses user namespaces: the inside of a chroot.
// The doctor itself must work there, and say so.
func TestDoctorInChroot(t *testing.T) {
	out, status := inChroot(t, "", "doctor", "--json")
	if status != 1 {
		t.Fatalf("exit status %d, want 1\n%s", status, out)
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

// TestRunInChroot: a run is refused there, with the reason and what mends it, and
// nothing of the command is done.
func TestRunInChroot(t *testing.T) {
	command := []string{"--image", "host", "--", "/bin/dettrace", "version"}
	for _, c := range []struct {
		name        string
		mounts      string
		args        []string
		status      int
		says, hints string
	}{
		{"run", "/proc /dev/null", []string{"run"}, 125, "sandbox: make namespaces: operation not permitted", "user namespaces are forbidden here: the kernel refuses them inside a plain chroot (use pivot_root)"},
		{"shell", "/proc /dev/null", []string{"shell"}, 125, "sandbox: make namespaces: operation not permitted", "user namespaces are forbidden here: "},
		{"keep", "/proc /dev/null", []string{"run", "--on-failure", "keep"}, 125, "sandbox: make namespaces: operation not permitted", "user namespaces are forbidden here: "},
		{"verify", "/proc /dev/null", []string{"verify"}, 2, "make namespaces: operation not permitted", "user namespaces are forbidden here: "},
		{"no devices", "/proc", []string{"run"}, 125, "sandbox: make namespaces: operation not permitted", "user namespaces are forbidden here: "},
		{"no proc", "/dev/null", []string{"run"}, 125, "readlink /proc/self/exe: no such file or directory", "mount -t proc proc /proc"},
		{"verify without proc", "/dev/null", []string{"verify"}, 2, "readlink /proc/self/exe: no such file or directory", "mount -t proc proc /proc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, status := inChroot(t, c.mounts, append(c.args, command...)...)
			if status != c.status || !strings.Contains(string(out), c.says+"\n") || !strings.Contains(string(out), "dettrace: hint: "+c.hints) {
				t.Errorf("status %d, want %d, %q and %q\n%s", status, c.status, c.says, c.hints, out)
			}
		})
	}
}

// inChroot runs dettrace as root of a chroot that has nothing else but some paths of
// the host, and gives its output and exit status. Nothing may stay there.
func inChroot(t *testing.T, mounts string, args ...string) ([]byte, int) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"tmp", "dev", "bin", "proc"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, l.Kit.Dettrace, filepath.Join(root, "bin/dettrace"))
	const script = `for path in $MOUNTS; do
	test -e "$0$path" || : >"$0$path"
	mount --rbind $path "$0$path" || exit 99
done
exec chroot "$0" /bin/dettrace "$@"`
	cmd := exec.Command("unshare", append([]string{"--map-root-user", "--mount", "sh", "-c", script, root}, args...)...)
	cmd.Env = []string{"TMPDIR=/tmp", "PATH=" + os.Getenv("PATH"), "MOUNTS=" + mounts}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(root, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("%v left %v, %v", args, left, err)
	}
	return out, cmd.ProcessState.ExitCode()
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
