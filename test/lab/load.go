package lab

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// Load, whose programs have sessions of their own as those of another user have (see
// autogroup in package doctor), keeps CPUs of the host busy with n loops, which run at nice and only
// on the CPUs of the taskset(1) list cpus, or on all when it is "". They end
// with undo, or with us.
func Load(n int, cpus string, nice int) (undo func(), err error) {
	started, end, ended := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		// Pdeathsig is the death of the thread that started them.
		runtime.LockOSThread()
		var loops []*exec.Cmd
		defer func() {
			for _, c := range loops {
				_ = c.Process.Kill() // it is ours and may only be dead already
				_ = c.Wait()         // "signal: killed" is what we asked for
			}
		}()
		argv := []string{"nice", "-n", strconv.Itoa(nice), "sh", "-c", "while :; do :; done"}
		if cpus != "" {
			argv = append([]string{"taskset", "-c", cpus}, argv...)
		}
		for range n {
			c := exec.Command(argv[0], argv[1:]...)
			c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
			if err := c.Start(); err != nil {
				started <- fmt.Errorf("load: %w", err)
				return
			}
			loops = append(loops, c)
		}
		started <- nil
		<-end
	}()
	if err := <-started; err != nil {
		<-ended
		return nil, err
	}
	return func() { close(end); <-ended }, nil
}
