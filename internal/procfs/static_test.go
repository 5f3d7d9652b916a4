package procfs

import (
	"strings"
	"testing"

	"dettrace/internal/detfs"
	"dettrace/internal/machine"
)

func find(t *testing.T, files []detfs.StaticFile, path string) string {
	t.Helper()
	for _, f := range files {
		if f.Path == path {
			return string(f.Content)
		}
	}
	t.Fatalf("no file %s", path)
	return ""
}

// TestTreesAreWellFormed: clean relative paths, none twice, none both file
// and directory, no word of a template left.
func TestTreesAreWellFormed(t *testing.T) {
	m := machine.Default(0)
	m.CPUs = 40
	for name, tree := range map[string][]detfs.StaticFile{"proc": Proc(m), "sys": Sys(m)} {
		seen := map[string]bool{}
		for _, f := range tree {
			if seen[f.Path] {
				t.Errorf("%s: %s twice", name, f.Path)
			}
			seen[f.Path] = true
			if strings.HasPrefix(f.Path, "/") || strings.Contains(f.Path, "//") || strings.HasSuffix(f.Path, "/") {
				t.Errorf("%s: bad path %q", name, f.Path)
			}
			if strings.Contains(string(f.Content), "{") {
				t.Errorf("%s: %s has a template word: %q", name, f.Path, f.Content)
			}
		}
		for p := range seen {
			for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p[:i], '/') {
				if seen[p[:i]] {
					t.Errorf("%s: %s is a file or empty, and a parent of %s", name, p[:i], p)
				}
			}
		}
	}
}

// TestProcBindHasSources: each name to bind is in the tree, and each name of
// the tree is bound.
func TestProcBindHasSources(t *testing.T) {
	tops := map[string]bool{}
	for _, f := range Proc(machine.Default(0)) {
		top, _, _ := strings.Cut(f.Path, "/")
		tops[top] = true
	}
	for _, b := range ProcBind() {
		if !tops[b] {
			t.Errorf("%s is bound but not made", b)
		}
		delete(tops, b)
	}
	for top := range tops {
		t.Errorf("%s is made but not bound", top)
	}
}

func TestMachineShows(t *testing.T) {
	m := machine.Default(1767225600e9)
	m.CPUs, m.Hostname = 3, "box"
	proc, sys := Proc(m), Sys(m)
	if s := find(t, proc, "cpuinfo"); strings.Count(s, "processor\t: ") != 3 {
		t.Errorf("cpuinfo:\n%s", s)
	}
	if s := find(t, proc, "meminfo"); !strings.HasPrefix(s, "MemTotal:        8388608 kB\n") {
		t.Errorf("meminfo:\n%s", s)
	}
	if s := find(t, proc, "stat"); !strings.Contains(s, "\ncpu2 0") || strings.Contains(s, "\ncpu3 0") || !strings.Contains(s, "\nbtime 1767225500\n") {
		t.Errorf("stat:\n%s", s)
	}
	for path, want := range map[string]string{
		"sys/kernel/hostname":           "box\n",
		"sys/kernel/pid_max":            "32768\n",
		"sys/kernel/randomize_va_space": "0\n",
		"sys/kernel/osrelease":          m.Release + "\n",
		"sys/kernel/random/boot_id":     m.BootID + "\n",
		"sys/fs/file-nr":                "64\t0\t9223372036854775807\n",
	} {
		if s := find(t, proc, path); s != want {
			t.Errorf("%s = %q, want %q", path, s, want)
		}
	}
	if s := find(t, sys, "devices/system/cpu/online"); s != "0-2\n" {
		t.Errorf("online %q", s)
	}
	find(t, sys, "devices/system/cpu/cpu2/topology/core_id")
	if s := find(t, Etc(m), "/etc/hostname"); s != "box\n" {
		t.Errorf("hostname %q", s)
	}
}

func TestUptime(t *testing.T) {
	m := machine.Default(1000e9)
	for now, want := range map[int64]string{
		1000e9:            "100.00 0.00\n",
		1000e9 + 79999999: "100.07 0.00\n",
		0:                 "0.00 0.00\n",
	} {
		if got := string(Uptime(now, m)); got != want {
			t.Errorf("Uptime(%d) = %q, want %q", now, got, want)
		}
	}
}

func TestCPUMask(t *testing.T) {
	for cpus, want := range map[int]string{1: "1", 2: "3", 32: "ffffffff", 33: "1,ffffffff", 40: "ff,ffffffff", 64: "ffffffff,ffffffff"} {
		if got := cpuMask(cpus); got != want {
			t.Errorf("cpuMask(%d) = %q, want %q", cpus, got, want)
		}
	}
}
