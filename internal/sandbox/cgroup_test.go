package sandbox

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseHierarchies(t *testing.T) {
	const mixed = "9:name=systemd:/\n8:pids:/a\n4:memory,hugetlb:/b/c\n1:cpu:/gone\n0::/u\n"
	const mounts = "" +
		"30 1 0:1 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n" +
		"31 1 0:2 /b /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory,hugetlb\n" +
		"32 1 0:3 /else /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
		"33 1 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
		"garbage\n"
	want := []hierarchy{
		{mount: "/sys/fs/cgroup/pids", path: "/a", controllers: []string{"pids"}},
		{mount: "/sys/fs/cgroup/memory", path: "/c", controllers: []string{"memory", "hugetlb"}},
		{mount: "/sys/fs/cgroup/unified", path: "/u", v2: true},
	}
	got := parseHierarchies(mixed, mounts)
	if d := cmp.Diff(want, got, cmp.AllowUnexported(hierarchy{})); d != "" {
		t.Error(d)
	}
}

func FuzzParseHierarchies(f *testing.F) {
	f.Add("0::/u\n1:cpu:/\n", "33 1 0:4 / /sys rw - cgroup2 cgroup2 rw\n")
	f.Fuzz(func(t *testing.T, groups, mounts string) {
		for _, h := range parseHierarchies(groups, mounts) {
			if !strings.HasPrefix(h.path, "/") {
				t.Errorf("path %q", h.path)
			}
		}
	})
}

func TestCgroup(t *testing.T) {
	cfg := testConfig()
	cfg.MemoryMax, cfg.PidsMax = 512<<20, 100
	s, err := start(cfg, DetectIDs(), testTree(t))
	if err != nil {
		t.Fatal(err)
	}
	dirs := s.cgroups.dirs
	for _, d := range dirs {
		if b, err := os.ReadFile(d + "/cgroup.procs"); err != nil || len(strings.Fields(string(b))) != 2 {
			t.Errorf("%s holds %q, %v", d, b, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, d := range dirs {
		if _, err := os.Lstat(d); err == nil {
			t.Errorf("%s is left", d)
		}
	}
	if len(dirs) == 0 {
		t.Skip("no cgroup can be made here")
	}
	if !s.CgroupMemory {
		t.Error("groups, but no memory limit")
	}
}

// TestSweep removes the group of a supervisor that is gone, and no other.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"dettrace-1-5", "dettrace-2147483647-5", "dettrace-x-5", "other-2147483647-5"} {
		if err := unix.Mkdir(dir+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	if d := cmp.Diff([]string{"dettrace-1-5", "dettrace-x-5", "other-2147483647-5"}, names(dir)); d != "" {
		t.Error(d)
	}
}
