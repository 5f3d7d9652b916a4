package detfs

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/digests"
	"dettrace/internal/image"
)

var (
	opsFlag  = flag.Int("ops", 100000, "operations of the differential test")
	seedFlag = flag.Uint64("seed", 1, "seed of the differential test")
)

// TestMain also plays the server, and (inside a user namespace) the guest.
func TestMain(m *testing.M) {
	if os.Getenv("DETFS_SERVER") != "" {
		os.Exit(serverMain(func(m Mount, epoch int64, known *digests.Cache) (image.Layer, error) {
			if m.Ref == "fake" {
				return sampleLayer(), nil
			}
			return openImage(m, epoch, known)
		}))
	}
	os.Exit(m.Run())
}

const testEpoch = 1767225600e9

// inNamespace runs the calling test once more inside a user and mount
// namespace and reports whether it is there now.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("DETFS_NS") != "" {
		return true
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("no FUSE here: %v", err)
	} else {
		f.Close()
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v", fmt.Sprintf("-ops=%d", *opsFlag), fmt.Sprintf("-seed=%d", *seedFlag)}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DETFS_NS=1")
	size := 1
	if os.Getuid() == 0 {
		size = 65536
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: size}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: size}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in namespace: %v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
	if !strings.Contains(string(out), "--- PASS") && !strings.Contains(string(out), "--- SKIP") {
		t.Fatalf("in namespace: no result\n%s", out)
	}
	return false
}

// testServer is the test binary in the server's part.
func testServer() (argv, env []string) { return os.Args[:1], []string{"DETFS_SERVER=1"} }

// mounted starts a server and mounts it; the returned directory is the guest's root.
func mounted(t testing.TB, cfg Config) (*Client, string) {
	t.Helper()
	if cfg.Epoch == 0 {
		cfg.Epoch = testEpoch
	}
	if cfg.Mounts == nil {
		cfg.Mounts = []Mount{{Guest: "/", Ref: "fake", Label: "image"}}
	}
	if cfg.StateDir == "" {
		cfg.StateDir = t.TempDir()
	}
	argv, env := testServer()
	c, err := start(cfg, argv, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	opts := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", dev.Fd())
	if err := unix.Mount("dettrace", dir, "fuse.dettrace", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, opts); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := c.Serve(dev); err != nil {
		t.Fatal(err)
	}
	dev.Close()
	return c, filepath.Join(dir, "root")
}
