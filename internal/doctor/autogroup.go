package doctor

import (
	"os"
	"strings"
)

// autogroup tells whether the kernel shares CPUs out among sessions (sched(7), The
// autogroup feature). The guest has a session of its own, the supervisor is in the
// caller's: beside programs of that which compute on all CPUs it gets a small part of a
// part, and the guest, which waits for it, hardly runs. In a group of a control group's
// CPU controller there is none of that.
func autogroup() Check {
	c := Check{Name: "CPU groups", Status: OK, Found: "not by session", Gives: "a run's share of a CPU that others use, too"}
	on, _ := sysctl("kernel/sched_autogroup_enabled")
	own, err := os.ReadFile("/proc/self/cgroup")
	if on != "1" || err != nil || inCPUGroup(string(own), exists) {
		return c
	}
	return c.limited("by session (kernel.sched_autogroup_enabled)", "beside programs of the same session that keep all CPUs busy a run may take ten times as long",
		"setsid -w dettrace ..., or as root: sysctl -w kernel.sched_autogroup_enabled=0")
}

// inCPUGroup reports whether a process with this /proc/PID/cgroup (cgroups(7)) is in a
// group of the CPU controller below its root. exists tells of files.
func inCPUGroup(cgroup string, exists func(string) bool) bool {
	for line := range strings.Lines(cgroup) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) < 3 {
			continue
		}
		path := f[2]
		for _, name := range strings.Split(f[1], ",") {
			if name == "cpu" && path != "/" {
				return true
			}
		}
		// Version 2: that of the nearest group that has it.
		for f[0] == "0" && f[1] == "" && strings.HasPrefix(path, "/") && path != "/" {
			if exists("/sys/fs/cgroup" + path + "/cpu.weight") {
				return true
			}
			path = path[:strings.LastIndexByte(path, '/')]
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
