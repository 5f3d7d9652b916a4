package runtimes

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// A host is one way this machine can be while a workload runs. Nothing in it
// may change the run.
type host struct {
	name string
	load bool // a busy loop on the workload's CPU
	env  []string
}

func hosts() [2]host {
	path := "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	return [2]host{
		{name: "idle", env: []string{path, "HOME=/root", "LANG=C.UTF-8"}},
		{name: "loaded", load: true, env: []string{
			path, "HOME=/tmp", "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "TERM=vt52", "USER=someone",
			"GOMAXPROCS=7", "JAVA_TOOL_OPTIONS=-Xint", "PERTURBED=" + strings.Repeat("y", 777),
		}},
	}
}

// cpus holds the CPUs that no workload has now: each has one to itself, as a
// container stays on one CPU anyway.
func cpus() (chan string, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("cpus: %w", err)
	}
	free := make(chan string, set.Count())
	for cpu := 0; len(free) < cap(free); cpu++ {
		if set.IsSet(cpu) {
			free <- fmt.Sprint(cpu)
		}
	}
	return free, nil
}
