package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
)

// TestMain is one of the helpers when it is started as such.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case detfs.ServerCommand:
			os.Exit(detfs.ServerMain(os.Args[2:]))
		case victimCommand:
			os.Exit(victim(os.Args[2]))
		case hostCommand:
			os.Exit(poorHost(os.Args[2], os.Args[3]))
		case guestCommand:
			os.Exit(guest())
		}
	}
	os.Exit(m.Run())
}

// testTree makes a directory that looks like the FUSE root.
func testTree(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"root/proc", "root/sys", "root/dev/pts", "root/dev/mqueue", "root/work", "proc/sys/kernel/random", "sys/kernel"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"root/dev/null": "", "root/dev/zero": "", "root/dev/tty": "", "proc/cpuinfo": "ours\n",
		"proc/sys/kernel/ostype": "ours\n", "sys/kernel/mark": "ours\n", "proc/nosuchentry": "",
		"proc/sys/kernel/random/uuid": "ours\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The guest's root is nobody on the host.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testConfig() Config {
	return Config{
		Hostname: "box", Domainname: "(none)", Cwd: "/work",
		BindProc: []string{"cpuinfo", "nosuchentry", "sys"},
		KeepProc: []string{"sys/nosuchentry", "sys/kernel/random/uuid"},
		Rlimits:  []Rlimit{{unix.RLIMIT_CORE, 0, 0}, {unix.RLIMIT_NOFILE, 512, 1024}},
	}
}

// begin starts a container on a directory tree and closes it at the end.
func begin(t *testing.T, cfg Config) *Sandbox {
	t.Helper()
	s, err := start(cfg, DetectIDs(), testTree(t))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// status reads the fields of /proc/PID/status.
func status(t *testing.T, pid int) map[string]string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(line, ":")
		m[k] = strings.TrimSpace(v)
	}
	return m
}

func TestStart(t *testing.T) {
	s := begin(t, testConfig())
	if s.FuseDev == 0 || s.ProcDev == 0 || s.DevptsDev == 0 {
		t.Errorf("devices %+v", s)
	}
	for pid, inside := range map[int]string{s.InitPid: "1", s.GuestPid: "2"} {
		st := status(t, pid)
		if f := strings.Fields(st["NSpid"]); f[len(f)-1] != inside {
			t.Errorf("NSpid %q, want %s inside", st["NSpid"], inside)
		}
		if st["Threads"] != "1" || st["Name"] != "init" || st["NoNewPrivs"] != "1" {
			t.Errorf("pid %s: %v", inside, st)
		}
	}
	caps := func(pid int, field string) uint64 {
		var n uint64
		if _, err := fmt.Sscanf(status(t, pid)[field], "%x", &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		pid   int
		field string
		want  uint64
	}{
		{s.InitPid, "CapEff", initCaps}, {s.InitPid, "CapPrm", initCaps}, {s.InitPid, "CapInh", 0},
		{s.GuestPid, "CapEff", guestCaps}, {s.GuestPid, "CapPrm", guestCaps}, {s.GuestPid, "CapBnd", guestCaps},
		{s.GuestPid, "CapInh", 0}, {s.GuestPid, "CapAmb", 0}, {s.GuestPid, "SigBlk", 0}, {s.GuestPid, "SigIgn", 0},
	} {
		if got := caps(c.pid, c.field); got != c.want {
			t.Errorf("%s of %d: %#x, want %#x", c.field, c.pid, got, c.want)
		}
	}
}

func TestViewOfTheGuest(t *testing.T) {
	s := begin(t, testConfig())
	root := fmt.Sprintf("/proc/%d/root", s.GuestPid)
	for _, c := range []struct{ path, want string }{
		{"/proc/cpuinfo", "ours\n"}, {"/proc/sys/kernel/ostype", "ours\n"}, {"/sys/kernel/mark", "ours\n"},
	} {
		if b, err := os.ReadFile(root + c.path); err != nil || string(b) != c.want {
			t.Errorf("%s: %q, %v", c.path, b, err)
		}
	}
	// A kept file is the kernel's again.
	uuid := root + "/proc/sys/kernel/random/uuid"
	if b, err := os.ReadFile(uuid); err != nil || len(b) != 37 {
		t.Errorf("uuid %q, %v", b, err)
	}
	var us unix.Stat_t
	if err := unix.Stat(uuid, &us); err != nil || us.Dev != s.ProcDev {
		t.Errorf("device of uuid %#x, want %#x (%v)", us.Dev, s.ProcDev, err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", s.GuestPid))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"/": true, "/proc": true, "/proc/cpuinfo": true, "/proc/sys": true, "/proc/sys/kernel/random/uuid": true, "/sys": true,
		"/dev/null": true, "/dev/zero": true, "/dev/tty": true, "/dev/pts": true, "/dev/mqueue": true}
	for line := range strings.Lines(string(b)) {
		if p := strings.Fields(line)[1]; !want[p] {
			t.Errorf("mount at %s", p)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(root, &st); err != nil || st.Dev != s.FuseDev {
		t.Errorf("device of / %#x, want %#x (%v)", st.Dev, s.FuseDev, err)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", s.GuestPid)); err != nil || cwd != "/work" {
		t.Errorf("cwd %q, %v", cwd, err)
	}
	if lim, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.GuestPid)); err != nil || !strings.Contains(string(lim), "Max open files            512                  1024") {
		t.Errorf("limits %s, %v", lim, err)
	}
	if p, err := os.ReadFile(fmt.Sprintf("/proc/%d/personality", s.GuestPid)); err != nil || strings.TrimSpace(string(p)) != "00040000" {
		t.Errorf("personality %q, %v", p, err)
	}
}

func TestDescriptors(t *testing.T) {
	for pid, want := range func() map[int][]string {
		s := begin(t, testConfig())
		return map[int][]string{s.InitPid: {"3", "4"}, s.GuestPid: {"0", "1", "2", "3"}}
	}() {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range list {
			got = append(got, e.Name())
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("descriptors %v, want %v", got, want)
		}
	}
}

func TestSetLastPid(t *testing.T) {
	s := begin(t, testConfig())
	for _, n := range []int{2, 100, 299} {
		if err := s.SetLastPid(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetLastPid(-7); err == nil {
		t.Error("a negative pid was accepted")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
		hint string
	}{
		{"cwd", func(c *Config) { c.Cwd = "/nowhere" }, "sandbox: working directory /nowhere: no such file or directory", ""},
		{"name", func(c *Config) { c.BindProc = []string{"../x"} }, `bad name "../x"`, ""},
		{"uid", func(c *Config) { c.UID = 70000 }, "id 70000 is not mapped", "id"},
		{"limit", func(c *Config) { c.Rlimits = []Rlimit{{unix.RLIMIT_NOFILE, 1, 1 << 40}} }, "RLIMIT_NOFILE", "hard limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			c.edit(&cfg)
			s, err := start(cfg, DetectIDs(), testTree(t))
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q", err, c.want)
			}
			if e, ok := err.(*Error); !ok || !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("hint of %#v, want %q", err, c.hint)
			}
		})
	}
}
