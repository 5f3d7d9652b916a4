package runtimes

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// A host is one way this machine can be while a workload runs. Nothing in it
// may change the run.
type host struct {
	name string
	load bool // a busy loop on every CPU
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

// start loads the host; the busy loops end with undo, or with us.
func (h host) start() (undo func(), err error) {
	var loops []*exec.Cmd
	undo = func() {
		for _, c := range loops {
			_ = c.Process.Kill() // it is ours and may only be dead already
			_ = c.Wait()         // "signal: killed" is what we asked for
		}
	}
	if !h.load {
		return undo, nil
	}
	// Pdeathsig is the death of the thread that started them.
	runtime.LockOSThread()
	for range runtime.NumCPU() {
		c := exec.Command("sh", "-c", "while :; do :; done")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			undo()
			return nil, fmt.Errorf("host %s: load: %w", h.name, err)
		}
		loops = append(loops, c)
	}
	return undo, nil
}
