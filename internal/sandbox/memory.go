package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// OverMemory reports whether the guest has used more than MemoryMax. With a
// cgroup the kernel has then killed one of its processes (oom_kill in
// memory.events or, version 1, memory.oom_control). Without, the anonymous and
// shared memory of all its processes is added up, each page once: call it
// often. Which moment a guest is found over its limit is never determined, so
// the run must end.
func (s *Sandbox) OverMemory(limit int64) bool {
	if limit <= 0 {
		return false
	}
	if s.cgroups.memory {
		return s.cgroups.oomKills() > 0
	}
	pids := descendants(s.InitPid)
	var resident int64
	for _, p := range pids {
		resident += residentAnon(p)
	}
	if resident <= limit { // shared pages were counted more than once
		return false
	}
	var proportional int64
	for _, p := range pids {
		proportional += proportionalAnon(p)
	}
	return proportional > limit
}

// oomKills counts the processes that the kernel killed for want of memory.
func (c *cgroups) oomKills() int64 {
	var n int64
	for _, d := range c.dirs {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			b, err := os.ReadFile(filepath.Join(d, file))
			if err != nil {
				continue
			}
			for line := range strings.Lines(string(b)) {
				if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
					k, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
					n += k
				}
			}
		}
	}
	return n
}

// descendants lists the processes below pid: /proc/pid/task/*/children has
// those of each thread (proc_pid_task_children(5)).
func descendants(pid int) []int {
	var out []int
	todo := []int{pid}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		files, _ := filepath.Glob("/proc/" + strconv.Itoa(p) + "/task/*/children") // the pattern is well formed
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				continue // gone meanwhile
			}
			for w := range strings.FieldsSeq(string(b)) {
				if n, err := strconv.Atoi(w); err == nil {
					out, todo = append(out, n), append(todo, n)
				}
			}
		}
	}
	return out
}

// residentAnon is what /proc/pid/status says of memory that is not a file's,
// in bytes. It counts shared pages in full.
func residentAnon(pid int) int64 {
	return counters(pid, "status", "RssAnon:", "RssShmem:")
}

// proportionalAnon is the same with shared pages divided among their users.
func proportionalAnon(pid int) int64 {
	return counters(pid, "smaps_rollup", "Pss_Anon:", "Pss_Shmem:")
}

// counters adds lines of the form "Key:  123 kB", in bytes.
func counters(pid int, file string, keys ...string) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return 0
	}
	var sum int64
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		for _, k := range keys {
			if len(f) >= 2 && f[0] == k {
				n, _ := strconv.ParseInt(f[1], 10, 64)
				sum += n << 10
			}
		}
	}
	return sum
}
