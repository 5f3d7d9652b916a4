package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A meter counts the CPU time of one process tree. The tree is put into a
// cgroup of its own where that is possible (cgroups(7): cpu.stat is there
// without any controller): getrusage(2) misses what nobody waits for, such as the
// children of a container's pid 1 that ignores SIGCHLD.
type meter struct {
	dir string
	fd  *os.File
}

func newMeter() *meter {
	m := &meter{}
	mount := cgroup2()
	if mount == "" {
		return m
	}
	dir, err := os.MkdirTemp(mount, "dettrace-bench-")
	if err != nil {
		return m
	}
	fd, err := os.Open(dir)
	if err != nil {
		_ = os.Remove(dir) // empty, and getrusage is the fallback
		return m
	}
	m.dir, m.fd = dir, fd
	return m
}

// attach makes the command start in the group.
func (m *meter) attach(cmd *exec.Cmd) {
	if m.fd != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(m.fd.Fd())}
	}
}

// seconds is what the tree has used so far.
func (m *meter) seconds() float64 {
	if m.fd == nil {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
			return 0
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	data, err := os.ReadFile(filepath.Join(m.dir, "cpu.stat"))
	if err != nil {
		return 0
	}
	var us int64
	if _, err := fmt.Sscanf(string(data), "usage_usec %d", &us); err != nil {
		return 0
	}
	return float64(us) / 1e6
}

// close removes the group. The last of a killed tree may still be on its
// way out; the kernel then says EBUSY, and the group goes when it is empty.
func (m *meter) close() {
	if m.fd == nil {
		return
	}
	_ = m.fd.Close()
	for range 50 {
		if os.Remove(m.dir) == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// cgroup2 is where the unified hierarchy is mounted, "" if it is not.
func cgroup2() string {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			if path, err := strconv.Unquote(`"` + f[1] + `"`); err == nil {
				return path
			}
		}
	}
	return ""
}
