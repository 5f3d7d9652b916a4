package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups are the control groups made for one container. They are a help and
// not a promise: where none can be made the limits are the supervisor's own.
type cgroups struct {
	dirs   []string
	memory bool // the memory limit is in force
}

// cgroupPrefix, then the supervisor's pid, names our groups, so that a later
// run can remove those of a supervisor that was killed.
const cgroupPrefix = "dettrace-"

// makeCgroups puts process pid into groups with the given limits.
func makeCgroups(pid int, memory, pids int64) cgroups {
	var c cgroups
	if memory <= 0 && pids <= 0 {
		return c
	}
	for _, h := range hierarchies() {
		var set []setting
		if memory > 0 && h.has("memory") {
			set = append(set, h.memory(memory)...)
		}
		if pids > 0 && h.has("pids") {
			set = append(set, setting{"pids.max", pids + 1, false}) // pid 1 is ours
		}
		if len(set) == 0 {
			continue
		}
		dir, ok := h.make(pid, set)
		if !ok {
			continue
		}
		c.dirs = append(c.dirs, dir)
		c.memory = c.memory || memory > 0 && h.has("memory")
	}
	return c
}

// remove deletes the groups; their processes must be gone.
func (c *cgroups) remove() error {
	var errs []error
	for _, d := range c.dirs {
		if err := unix.Rmdir(d); err != nil && err != unix.ENOENT {
			errs = append(errs, fmt.Errorf("remove cgroup: %w", err))
		}
	}
	c.dirs = nil
	return errors.Join(errs...)
}

// hierarchy is one mounted cgroup tree and our place in it.
type hierarchy struct {
	mount, path string
	v2          bool
	controllers []string // v1 only
}

// setting is a value to write into a file of a group; optional ones may fail.
type setting struct {
	file     string
	value    int64
	optional bool
}

func (h *hierarchy) has(controller string) bool {
	if !h.v2 {
		return slices.Contains(h.controllers, controller)
	}
	b, err := os.ReadFile(filepath.Join(h.mount, h.path, "cgroup.controllers"))
	return err == nil && slices.Contains(strings.Fields(string(b)), controller)
}

// memory is the limit of memory and swap together.
func (h *hierarchy) memory(n int64) []setting {
	if h.v2 {
		return []setting{{"memory.max", n, false}, {"memory.swap.max", 0, true}}
	}
	return []setting{{"memory.limit_in_bytes", n, false}, {"memory.memsw.limit_in_bytes", n, true}}
}

// make tries a group below our own, then (cgroup v2 forbids children with
// controllers below a group that has processes) one beside it.
func (h *hierarchy) make(pid int, set []setting) (string, bool) {
	parents := []string{h.path}
	if h.v2 && h.path != "/" {
		parents = append(parents, filepath.Dir(h.path))
	}
	for _, p := range parents {
		parent := filepath.Join(h.mount, p)
		sweep(parent)
		dir := filepath.Join(parent, fmt.Sprintf("%s%d-%d", cgroupPrefix, os.Getpid(), pid))
		if unix.Mkdir(dir, 0o755) != nil {
			continue
		}
		if fill(dir, pid, set) {
			return dir, true
		}
		_ = unix.Rmdir(dir) // empty, and ours
	}
	return "", false
}

func fill(dir string, pid int, set []setting) bool {
	for _, s := range set {
		if !writeInt(dir+"/"+s.file, s.value) && !s.optional {
			return false
		}
	}
	return writeInt(dir+"/cgroup.procs", int64(pid))
}

func writeInt(file string, n int64) bool {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, strconv.AppendInt(nil, n, 10))
	return err == nil
}

// sweep removes the groups of supervisors that no longer live. rmdir refuses
// one that has processes.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), cgroupPrefix)
		owner, _, ok2 := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(owner)
		if ok && ok2 && err == nil && unix.Kill(pid, 0) == unix.ESRCH {
			_ = unix.Rmdir(filepath.Join(parent, e.Name()))
		}
	}
}

// hierarchies lists the mounted cgroup trees we are in.
func hierarchies() []hierarchy {
	groups, err1 := os.ReadFile("/proc/self/cgroup")
	mounts, err2 := os.ReadFile("/proc/self/mountinfo")
	if err1 != nil || err2 != nil {
		return nil
	}
	return parseHierarchies(string(groups), string(mounts))
}

// parseHierarchies joins /proc/self/cgroup (cgroups(7)) and
// /proc/self/mountinfo (proc_pid_mountinfo(5)).
func parseHierarchies(groups, mounts string) []hierarchy {
	var out []hierarchy
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		h := hierarchy{v2: f[0] == "0" && f[1] == "", path: f[2]}
		if !h.v2 {
			h.controllers = strings.Split(f[1], ",")
		}
		if h.find(mounts) {
			out = append(out, h)
		}
	}
	return out
}

// find sets the hierarchy's mount point, and its path relative to that.
func (h *hierarchy) find(mounts string) bool {
	for line := range strings.Lines(mounts) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		if h.v2 != (r[0] == "cgroup2") || !h.v2 && (r[0] != "cgroup" || !hasOption(r[2], h.controllers[0])) {
			continue
		}
		rel, err := filepath.Rel(l[3], h.path)
		if err != nil || strings.HasPrefix(rel, "..") {
			continue // a part of the tree that we are not in
		}
		h.mount, h.path = l[4], filepath.Join("/", rel)
		return true
	}
	return false
}

func hasOption(list, name string) bool {
	return slices.Contains(strings.Split(list, ","), name)
}
