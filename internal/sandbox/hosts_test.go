package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
)

// hostCommand runs poorHost below: a host that lacks something.
const hostCommand = "__host"

// spoil takes something away from the host that this process sees. It runs in
// user and mount namespaces of its own.
func spoil(what, dir string) error {
	switch what {
	case "masked proc":
		return maskProc()
	case "no fuse":
		null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""), os.WriteFile("/dev/null", nil, 0o666),
			unix.Mount(fmt.Sprintf("/proc/self/fd/%d", null.Fd()), "/dev/null", "", unix.MS_BIND, ""))
	case "no namespaces":
		return os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
	case "chroot":
		return errors.Join(unix.Mount("/", dir, "", unix.MS_BIND|unix.MS_REC, ""), unix.Chroot(dir), unix.Chdir("/"))
	}
	return errors.New("unknown")
}

// maskProc covers a file of every procfs in sight: the kernel mounts a fresh one
// as long as any is whole (mount_too_revealing() in fs/namespace.c), and a host
// may have more than the one at /proc, a chroot's for instance.
func maskProc() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	blank := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for _, line := range strings.Split(string(mounts), "\n") {
		head, tail, _ := strings.Cut(line, " - ")
		if at := strings.Fields(head); strings.HasPrefix(tail, "proc ") {
			err := unix.Mount("/dev/null", blank.Replace(at[4])+"/cpuinfo", "", unix.MS_BIND, "")
			if err != nil && !errors.Is(err, unix.ENOENT) { // of a part of a procfs, or hidden
				return err
			}
		}
	}
	return nil
}

// poorHost spoils the host, tries to start a container, and prints the error
// and its hint.
func poorHost(what, dir string) int {
	if err := spoil(what, dir); err != nil {
		fmt.Println("spoil:", err)
		return 1
	}
	cfg := testConfig()
	cfg.Serve = serveBare
	s, err := Start(cfg, IDsSingle)
	if err == nil {
		s.Close()
	}
	fmt.Println(err)
	if e, ok := errors.AsType[*Error](err); ok {
		fmt.Println(e.Hint())
	}
	return 0
}

// serveBare starts a server with an empty tree.
func serveBare(fuse *os.File) error {
	cfg := detfs.Config{SingleID: true, Dirs: []detfs.Dir{{Path: "/proc", Mode: 0o755}}}
	fs, err := detfs.Start(cfg)
	if err != nil {
		return err
	}
	return fs.Serve(fuse)
}

func TestPoorHosts(t *testing.T) {
	for _, c := range []struct{ what, err, hint string }{
		{"masked proc", "sandbox: mount proc: operation not permitted", "something is mounted over parts of the host's /proc"},
		{"no fuse", "sandbox: open /dev/fuse: no such file or directory", "modprobe fuse"},
		{"no namespaces", "sandbox: make namespaces: no space left on device", "user.max_user_namespaces"},
		{"chroot", "sandbox: make namespaces: operation not permitted", "plain chroot"},
	} {
		t.Run(c.what, func(t *testing.T) {
			id := func(n int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: n, Size: 1}} }
			cmd := exec.Command("/proc/self/exe", hostCommand, c.what, t.TempDir())
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
				UidMappings: id(os.Getuid()), GidMappings: id(os.Getgid()),
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := string(out); !strings.HasPrefix(got, c.err+"\n") || !strings.Contains(got, c.hint) {
				t.Errorf("%s, want %q and %q", got, c.err, c.hint)
			}
		})
	}
}
