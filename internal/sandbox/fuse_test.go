package sandbox

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
)

// serveTree starts a real file system server with the tree of testTree.
func serveTree(t testing.TB, files ...detfs.StaticFile) *detfs.Client {
	t.Helper()
	if fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		t.Skipf("no FUSE here: %v", err)
	} else {
		unix.Close(fd)
	}
	cfg := detfs.Config{
		SingleID: DetectIDs() == IDsSingle,
		Files:    files,
		Static: []detfs.StaticTree{
			{Name: "proc", Files: []detfs.StaticFile{
				{Path: "/cpuinfo", Mode: 0o444, Content: []byte("ours\n")},
				{Path: "/nosuchentry", Mode: 0o444},
				{Path: "/sys/kernel/random/uuid", Mode: 0o444}, // where the kernel's own stays
				{Path: "/sys/kernel/ostype", Mode: 0o444, Content: []byte("ours\n")},
			}},
			{Name: "sys", Files: []detfs.StaticFile{{Path: "/kernel/mark", Mode: 0o444, Content: []byte("ours\n")}}},
		},
	}
	for _, d := range []string{"/proc", "/sys", "/dev", "/dev/pts", "/dev/mqueue", "/work"} {
		cfg.Dirs = append(cfg.Dirs, detfs.Dir{Path: d, Mode: 0o755})
	}
	for _, n := range []string{"null", "zero", "tty"} {
		cfg.Files = append(cfg.Files, detfs.StaticFile{Path: "/dev/" + n, Mode: 0o666})
	}
	fs, err := detfs.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	return fs
}

// TestFuse runs the guest on a real FUSE file system.
func TestFuse(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	fs := serveTree(t, detfs.StaticFile{Path: "/guest", Mode: 0o755, Content: self})
	cfg := testConfig()
	cfg.Serve = fs.Serve
	v := lookIn(t, cfg, 0, func(cfg Config) (*Sandbox, error) { return Start(cfg, DetectIDs()) })
	if v.Pid != 2 || v.NextPid != 3 || v.DevNull != "Dc---------" {
		t.Errorf("view %+v", v)
	}
	if got := strings.Join(v.Root, " "); got != "dev guest proc sys work" {
		t.Errorf("root holds %s", got)
	}
}

// TestServeFails gives up cleanly when there is no server.
func TestServeFails(t *testing.T) {
	cfg := testConfig()
	cfg.Serve = func(*os.File) error { return unix.ENOTCONN }
	if s, err := Start(cfg, DetectIDs()); err == nil {
		s.Close()
		t.Error("no error")
	} else if !strings.Contains(err.Error(), "sandbox: serve the file system: ") {
		t.Error(err)
	}
	cfg.Serve = func(*os.File) error { return nil } // and drops the descriptor
	if s, err := Start(cfg, DetectIDs()); err == nil {
		s.Close()
		t.Error("no error")
	}
}

func BenchmarkStartFuse(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		fs := serveTree(b) // one server serves one mount
		cfg := testConfig()
		cfg.Serve = fs.Serve
		b.StartTimer()
		s, err := Start(cfg, DetectIDs())
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}
