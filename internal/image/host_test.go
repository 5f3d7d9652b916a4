package image

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHostFilter makes a small host in a directory.
func TestHostFilter(t *testing.T) {
	d := t.TempDir()
	for _, f := range []string{
		"usr/bin/tool", "usr/bin/secret", "usr/closed/f", "etc/passwd", "var/lib/dpkg/status", "var/log/syslog",
		"var/cache/c", "home/me/f", "tmp/f", "work/f", "usr/lost+found/f", "opt/var/log/kept",
	} {
		write(t, d+"/"+f, "x")
	}
	must(t, os.Chmod(d+"/usr/bin/secret", 0o640))
	must(t, os.Chmod(d+"/usr/closed", 0o711))
	must(t, os.Symlink("usr/bin", d+"/bin"))
	must(t, os.Symlink("usr/bin", d+"/mybin"))
	must(t, os.Symlink("/run", d+"/var/run"))
	must(t, unix.Mkfifo(d+"/usr/pipe", 0o666))
	must(t, os.Link(d+"/usr/bin/tool", d+"/usr/bin/tool2"))

	hl, err := openHost(d, Options{Epoch: testEpoch, KeepMtime: true})
	must(t, err)
	t.Cleanup(func() { must(t, hl.Close()) })
	for p, want := range map[string]string{
		"/": "bin etc opt usr var", "usr": "bin", "usr/bin": "tool tool2", "var": "lib run", "opt/var": "log",
	} {
		if got := names(t, mustGet(t, hl, p)); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
	for _, p := range []string{"usr/bin/secret", "usr/closed", "usr/pipe", "usr/lost+found", "var/log", "home", "work", "mybin"} {
		if _, err := get(hl, p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", p, err)
		}
	}
	a, b := mustGet(t, hl, "usr/bin/tool").Meta(), mustGet(t, hl, "usr/bin/tool2").Meta()
	if a.Nlink != 1 || a.Ino == b.Ino || a.Mtime != testEpoch {
		t.Errorf("%+v %+v", a, b)
	}
	if hl.Portable() {
		t.Error("portable")
	}
	must(t, hl.Verify())
	// What was hidden and is shown now is a change.
	must(t, os.Chmod(d+"/usr/bin/secret", 0o644))
	if err := hl.Verify(); !errors.Is(err, ErrChanged) {
		t.Errorf("verify: %v", err)
	}
}

// TestHostReal reads the host that runs the test.
func TestHostReal(t *testing.T) {
	l := open(t, "host", Options{})
	for c := range strings.FieldsSeq(names(t, mustGet(t, l, "/"))) {
		if !hostTop(c) {
			t.Errorf("%s is shown", c)
		}
	}
	if content(t, mustGet(t, l, "etc/passwd")) == "" {
		t.Error("no passwd")
	}
	for _, p := range []string{"proc", "dev", "tmp", "root", "etc/shadow"} {
		if _, err := get(l, p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", p, err)
		}
	}
	must(t, l.Verify())
}

// TestKernelMount uses a mount that every host has.
func TestKernelMount(t *testing.T) {
	fd, err := openat(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY)
	must(t, err)
	defer unix.Close(fd)
	if !kernelMount(fd, "proc") {
		t.Error("/proc is shown")
	}
	if kernelMount(fd, "etc") {
		t.Error("/etc is not shown")
	}
}

// asUserEnv names the directory in the process that runs as a plain user.
const asUserEnv = "DETTRACE_TEST_AS_USER"

// TestUnprivileged runs itself again as a plain user: unreadable files of a
// directory are present but cannot be opened, and the host looks the same.
func TestUnprivileged(t *testing.T) {
	if d := os.Getenv(asUserEnv); d != "" {
		checkUnprivileged(t, d)
		return
	}
	if os.Getuid() != 0 {
		d := t.TempDir()
		makeUnprivileged(t, d)
		checkUnprivileged(t, d)
		return
	}
	d, err := os.MkdirTemp("/tmp", "dettrace-image-test-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(d)) })
	makeUnprivileged(t, d)
	// The test binary lies in a directory of root's.
	exe, err := os.Executable()
	must(t, err)
	b, err := os.ReadFile(exe)
	must(t, err)
	must(t, os.WriteFile(d+"/test", b, 0o755))
	must(t, os.Chmod(d, 0o755))
	cmd := exec.Command(d+"/test", "-test.run=^TestUnprivileged$|^TestHost|^TestVerify$|^TestTar")
	cmd.Dir = d
	cmd.Env = append(os.Environ(), asUserEnv+"="+d, "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func makeUnprivileged(t *testing.T, d string) {
	write(t, d+"/tree/open", "x")
	write(t, d+"/tree/secret", "x")
	write(t, d+"/tree/closed/f", "x")
	must(t, os.Chmod(d+"/tree/secret", 0))
	must(t, os.Chmod(d+"/tree/closed", 0))
	t.Cleanup(func() { must(t, os.Chmod(d+"/tree/closed", 0o755)) })
}

func checkUnprivileged(t *testing.T, d string) {
	l := open(t, "dir:"+d+"/tree", Options{})
	if got := names(t, mustGet(t, l, "/")); got != "closed open secret" {
		t.Errorf("names %q", got)
	}
	if got := content(t, mustGet(t, l, "open")); got != "x" {
		t.Errorf("content %q", got)
	}
	if _, err := mustGet(t, l, "secret").Open(); !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "/secret") {
		t.Errorf("open: %v", err)
	}
	if _, err := mustGet(t, l, "closed").ReadDir(); !errors.Is(err, unix.EACCES) {
		t.Errorf("readdir: %v", err)
	}
	if _, err := get(l, "closed/f"); !errors.Is(err, unix.EACCES) {
		t.Errorf("lookup: %v", err)
	}
	must(t, l.Verify())
}
