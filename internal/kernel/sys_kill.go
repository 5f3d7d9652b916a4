package kernel

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// kill implements kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2),
// rt_tgsigqueueinfo(2) and pidfd_send_signal(2). The kernel sends; we then do
// what its wake-ups would have done: parked targets become runnable, stopped
// ones go on, and the deaths that SIGKILL causes are awaited, so that they
// happen before anything else does.
func sysKill(k *Kernel, t *Task) verdict {
	var sig unix.Signal
	switch t.callNr {
	case unix.SYS_TGKILL, unix.SYS_RT_TGSIGQUEUEINFO:
		sig = unix.Signal(t.intArg(2))
	default:
		sig = unix.Signal(t.intArg(1))
	}
	target := t.intArg(0)
	if sig == 0 {
		return pass
	}
	k.logArg(t, strconv.Itoa(target)+", "+unix.SignalName(sig))
	if sig == unix.SIGKILL { // now: who kills itself has no exit
		for _, p := range k.processesOf(t, target) {
			p.killed = true
		}
	}
	if k.cfg.Open.Threads {
		k.killsGroups = k.killsGroups || sig == unix.SIGKILL && t.callNr == unix.SYS_KILL && target <= 0
		return pass
	}
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.afterSignal(t, sig, target)
		}
	}
	return toExit
}

func (k *Kernel) afterSignal(sender *Task, sig unix.Signal, target int) {
	var err error
	switch sig {
	case unix.SIGKILL:
		for _, p := range k.processesOf(sender, target) {
			if p != sender.proc && err == nil { // its own death ends this stop
				err = k.awaitKilled(p)
			}
		}
	case unix.SIGCONT:
		for _, p := range k.processesOf(sender, target) {
			if err == nil {
				err = k.continueProcess(p)
			}
		}
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
	}
	if err != nil {
		k.Stop(err)
		return
	}
	k.wakeAllSignalled()
}

// processesOf lists the processes that kill(2) with that pid argument means,
// in order of creation.
func (k *Kernel) processesOf(sender *Task, target int) []*Process {
	var out []*Process
	if sender.callNr == unix.SYS_PIDFD_SEND_SIGNAL {
		f := k.file(sender, target)
		defer f.close()
		pid := fdinfoPid(f.fd)
		if p := k.procs[pid]; p != nil {
			out = append(out, p)
		}
		return out
	}
	group := 0
	switch {
	case target == 0:
		group, _ = unix.Getpgid(sender.proc.pid)
	case target < -1:
		if p := k.byVPid(-target); p != nil {
			group, _ = unix.Getpgid(p.pid)
		} else {
			group = k.groupOfVPid(-target)
		}
	}
	for _, o := range k.order {
		p := o.proc
		if len(out) > 0 && out[len(out)-1] == p || len(p.tasks) > 0 && p.tasks[0] != o {
			continue
		}
		switch {
		case target > 0:
			if p.vpid != target && o.vtid != target && !hasTid(p, target) {
				continue
			}
		case target == -1:
			if p == sender.proc {
				continue
			}
		default:
			if g, err := unix.Getpgid(p.pid); err != nil || g != group {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

func hasTid(p *Process, vtid int) bool {
	for _, t := range p.tasks {
		if t.vtid == vtid {
			return true
		}
	}
	return false
}

func (k *Kernel) byVPid(vpid int) *Process {
	for _, t := range k.order {
		if t.proc.vpid == vpid {
			return t.proc
		}
	}
	return nil
}

// groupOfVPid finds the host's number of a process group whose leader is gone.
func (k *Kernel) groupOfVPid(vpgid int) int {
	for _, t := range k.order {
		g, err := unix.Getpgid(t.proc.pid)
		if err == nil && k.guestTid(g) == vpgid {
			return g
		}
	}
	return -1
}

// exit implements exit(2). Only threads use it. A leader that leaves before
// its siblings gives no death report until the last of them is gone.
func sysExit(k *Kernel, t *Task) verdict {
	if t.tid == t.proc.pid && len(t.proc.tasks) > 1 {
		t.leaderGone = true
	}
	t.exits = true
	return pass
}
