package regress

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dettrace/test/lab"
)

// A guest over its memory ends the run; when is not determined.
func TestMemoryLimit(t *testing.T) {
	r := l.Run(t, "--memory=64M", "--", "sh", "-c", "head -c 200000000 /dev/zero | tail -c 150000000 | wc -c")
	if r.Status != 125 || !strings.Contains(r.Stderr, "more memory than --memory allows (67108864 bytes)") {
		t.Errorf("status %d\n%s", r.Status, r.Stderr)
	}
	l.OK(t, "--memory=64M", "--", "sh", "-c", "head -c 200000000 /dev/zero | tail -c 15000000 | wc -c")
}

// Limits of CPU time count real time in the kernel: they read back, no more.
func TestCPULimit(t *testing.T) {
	out := l.Shell(t, `ulimit -t; ulimit -St 7; ulimit -St; (ulimit -St; ulimit -Ht 5; ulimit -Ht) 2>&1; ulimit -Ht 9; ulimit -Ht; ulimit -Ht 10 2>/dev/null || echo refused`)
	if out = strings.ReplaceAll(out, "\n", " "); !strings.HasPrefix(out, "unlimited 7 7") || !strings.HasSuffix(out, "9 refused") {
		t.Errorf("got %s", out)
	}
}

// A host without room for another process ends the run; the guest's own limits
// are its own affair.
func TestProcessLimit(t *testing.T) {
	const many = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60; do sleep 9 & done`
	for _, tt := range []struct {
		name, script string
		flags        []string
	}{
		{"--pids", many, []string{"--pids", "30"}},
		{"setrlimit", "ulimit -u 30 2>/dev/null || ulimit -p 30; " + many, nil},
	} {
		if r := l.Run(t, append(tt.flags, "--", "sh", "-c", tt.script)...); r.Status != 2 || !strings.Contains(r.Stderr, "Cannot fork") {
			t.Errorf("%s: status %d, want 2 from the shell\n%s", tt.name, r.Status, r.Stderr)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("the rest needs root, to become a user without processes")
	}
	if err := os.Chmod(filepath.Dir(l.Kit.Dettrace), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, allow := range [][]string{nil, {"--allow", "threads-native"}} {
		args := append([]string{"-c", `ulimit -p 60; exec "$@"`, "sh", l.Kit.Dettrace, "run", "--no-default-input", "-w", "/tmp"}, allow...)
		cmd := exec.Command("sh", append(args, "--", "sh", "-c", many)...)
		cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 23457, Gid: 23457}}
		if r := lab.Do(t, cmd); r.Status != 125 || !strings.Contains(r.Stderr, "the host has no room") {
			t.Errorf("%v: status %d, want 125 and the reason\n%s", allow, r.Status, r.Stderr)
		}
	}
}

// RLIMIT_NPROC is about the processes of one user: those of others do not make
// the host's limit the guest's.
func TestProcessLimitOfUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have more than one user inside")
	}
	if err := os.Chmod(filepath.Dir(l.Kit.Dettrace), 0o755); err != nil {
		t.Fatal(err)
	}
	const script = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do sleep 9 & done
		exec setpriv --reuid 1000 --clear-groups sh -c '
			ulimit -u 40 2>/dev/null || ulimit -p 40
			for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1 & done; wait; echo twenty
			while :; do sleep 9 & done'`
	for _, tt := range []struct {
		host, stdout, stderr string
		status               int
	}{
		{"1000", "twenty\n", "Cannot fork", 2},
		{"60", "", "the host has no room", 125},
	} {
		// All users of a namespace share the limit of who made it: here somebody
		// without other processes.
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 3 << 16, Size: 1 << 16}}
		cmd := exec.Command("sh", "-c", `ulimit -p `+tt.host+`; exec "$@"`, "sh", l.Kit.Dettrace, "run", "--no-default-input", "-w", "/tmp", "--", "sh", "-c", script)
		cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
			Credential: &syscall.Credential{},
		}
		if r := lab.Do(t, cmd); r.Status != tt.status || r.Stdout != tt.stdout || !strings.Contains(r.Stderr, tt.stderr) {
			t.Errorf("limit %s: status %d, want %d and %q\n%s%s", tt.host, r.Status, tt.status, tt.stderr, r.Stdout, r.Stderr)
		}
	}
}
