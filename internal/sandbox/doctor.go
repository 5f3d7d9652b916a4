package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What package doctor asks about the abilities that a container needs.

// CheckKernel tells whether a kernel release ("6.18.44") is new enough.
func CheckKernel(release string) error { return checkKernel(release) }

// OldestKernel names the oldest kernel that is.
func OldestKernel() string { return fmt.Sprintf("Linux %d.%d", minMajor, minMinor) }

// NamespaceAdvice is what to do about an error of making namespaces.
func NamespaceAdvice(err error) string { return cloneHint(err) }

// CgroupControllers lists the controllers whose limits can be set here: for
// each a group is made, and removed at once.
func CgroupControllers() []string {
	var out []string
	for _, h := range hierarchies() {
		for _, c := range []struct {
			name string
			set  []setting
		}{{"memory", h.memory(1 << 30)}, {"pids", []setting{{"pids.max", 100, false}}}} {
			if h.has(c.name) && h.try(c.set) {
				out = append(out, c.name)
			}
		}
	}
	return out
}

// try makes a group with the settings and removes it.
func (h *hierarchy) try(set []setting) bool {
	parents := []string{h.path}
	if h.v2 && h.path != "/" {
		parents = append(parents, filepath.Dir(h.path))
	}
	for _, p := range parents {
		dir := filepath.Join(h.mount, p, fmt.Sprintf("%s%d-doctor", cgroupPrefix, os.Getpid()))
		if unix.Mkdir(dir, 0o755) != nil {
			continue
		}
		ok := true
		for _, s := range set {
			ok = ok && (writeInt(dir+"/"+s.file, s.value) || s.optional)
		}
		_ = unix.Rmdir(dir) // empty, and ours
		if ok {
			return true
		}
	}
	return false
}
