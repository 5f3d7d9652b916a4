package kernel

import (
	"golang.org/x/sys/unix"
)

// sysWait implements wait4(2) and waitid(2). Where it is not known what the
// kernel would say (foreseen), it is asked with WNOHANG, and when no child has
// news the task is parked until one has.
func sysWait(k *Kernel, t *Task) verdict {
	if !t.sigWake {
		if v, ok := k.foreseen(t); ok {
			return v
		}
	}
	entry := t.regs
	opt, ru := 2, t.arg(3)
	if t.callNr == unix.SYS_WAITID {
		opt, ru = 3, t.arg(4)
	}
	info, noInfo := t.regs.Rdx, false
	if t.sigWake {
		t.sigWake = false
		t.onExit = func(t *Task) { k.waited(t, info, ru, t.arg(opt)) }
		return toExit
	}
	options := t.arg(opt)
	nohang := options&unix.WNOHANG != 0
	if !nohang {
		t.setArg(opt, t.arg(opt)|unix.WNOHANG)
	}
	if noInfo = t.callNr == unix.SYS_WAITID && info == 0; noInfo {
		// Only si_pid tells that no child had news.
		info = t.spare()
		t.setArg(2, info)
	}
	if !nohang || noInfo {
		t.rewrite()
	}
	t.onExit = func(t *Task) {
		r := t.result()
		none := r == 0
		if t.callNr == unix.SYS_WAITID && r == 0 {
			none = t.waitidEmpty(info)
		}
		if none && !nohang {
			t.wait = waitFor{what: "a child", children: true}
			t.onTurn = func(t *Task) verdict {
				return t.again(entry)
			}
			return
		}
		if !nohang || noInfo {
			t.regs = withResult(t.regs, &entry, r)
			t.rewrite()
		}
		if !none {
			k.waited(t, info, ru, options)
		}
	}
	return toExit
}

// waited follows up a wait call that told of a child.
func (k *Kernel) waited(t *Task, info, ru, options uint64) {
	pid := t.result()
	if t.callNr == unix.SYS_WAITID && pid == 0 {
		v, _ := t.readU32(info + 16)
		pid = int64(v)
		for _, z := range t.proc.zombies {
			if info == 0 && !exists(z.pidfd) { // the one that this call has collected
				pid = int64(z.vpid)
			}
		}
	}
	if pid < 0 {
		return
	}
	cpu := k.reaped(t, int(pid), t.callNr == unix.SYS_WAITID && options&unix.WNOWAIT != 0)
	if ru != 0 && !k.cfg.Open.Time { // else real times stay
		t.putRusage(ru, cpu)
	}
}

// waitidEmpty reports whether waitid found nothing: it then leaves si_pid 0.
func (t *Task) waitidEmpty(info uint64) bool {
	pid, ok := t.readU32(info + 16)
	return ok && pid == 0
}

// zombie is a child that has ended. Its parent may have collected it since.
type zombie struct {
	vpid, pidfd int
	dead        *deadProcess
}

// Linux keeps as many as the parent likes; more than these are not looked at.
const maxZombies = 64

// addZombie notes the end of c, a child of p; the pidfd is p's from now on.
func (p *Process) addZombie(c *Process, d *deadProcess) {
	if !exists(c.pidfd) { // nobody waits for p's children (SA_NOCLDWAIT)
		unix.Close(c.pidfd)
		return
	}
	if len(p.zombies) == maxZombies {
		p.dropCollected()
	}
	if p.oddChildren || len(p.zombies) == maxZombies {
		p.oddChildren = true
		unix.Close(c.pidfd)
		return
	}
	p.zombies = append(p.zombies, zombie{c.vpid, c.pidfd, d})
}

// childless reports whether the process of t, which goes on now, has no child to wait
// for, once the call at which t stands has collected the last of them. It may say no
// where that is not known.
func (t *Task) childless() bool {
	p := t.proc
	collects := p.collecting == t
	if collects {
		p.collecting, p.listed = nil, true
	}
	switch {
	case p.oddChildren || len(p.children) > 0:
		return false
	case len(p.zombies) == 0:
		return true
	case collects:
		return len(p.zombies) == 1 // others may have ended before the call is made
	}
	if p.listed {
		p.listed = false
		p.dropCollected()
	}
	return len(p.zombies) == 0
}

// dropCollected forgets the children that are zombies no more.
func (p *Process) dropCollected() {
	list := p.zombies[:0]
	for _, z := range p.zombies {
		if !exists(z.pidfd) {
			p.collected(z.dead)
			unix.Close(z.pidfd)
			continue
		}
		list = append(list, z)
	}
	p.zombies = list
}

// exists reports whether a process lives or is a zombie.
func exists(pidfd int) bool { return unix.PidfdSendSignal(pidfd, 0, nil, 0) != unix.ESRCH }

// forgetZombies is the end of p, or of a sound view of its children.
func (p *Process) forgetZombies() {
	for _, z := range p.zombies {
		unix.Close(z.pidfd)
	}
	p.zombies = nil
}

// foreseen answers a wait for the end of one child or of any whose outcome is
// known: one is a zombie, so the call does not block; or none is, and there is
// one to wait for; or there is none.
func (k *Kernel) foreseen(t *Task) (verdict, bool) {
	const stops = unix.WUNTRACED | unix.WCONTINUED
	p := t.proc
	nohang := false
	pid, opts, ru := t.intArg(0), t.intArg(2), t.arg(3)
	if t.callNr == unix.SYS_WAITID {
		opts, ru = t.intArg(3), t.arg(4)
		switch t.intArg(0) {
		case unix.P_ALL:
			pid = -1
		case unix.P_PID:
			if pid = t.intArg(1); pid <= 0 {
				return 0, false
			}
		default:
			return 0, false
		}
		if opts&unix.WEXITED == 0 {
			return 0, false
		}
		opts &^= unix.WEXITED
	} else {
		nohang = opts&unix.WNOHANG != 0
		opts &^= unix.WNOHANG
	}
	if p.oddChildren || pid == 0 || pid < -1 || opts&^stops != 0 {
		return 0, false
	}
	p.dropCollected()
	for _, z := range p.zombies {
		if pid != -1 && pid != z.vpid {
			continue
		}
		if ru != 0 {
			info, opts := t.regs.Rdx, uint64(opts)
			t.onExit = func(t *Task) { k.waited(t, info, ru, opts) }
			return toExit, true
		}
		t.onExit = nil
		if len(p.zombies) == 1 {
			p.collecting = t
		}
		return pass, true
	}
	for _, c := range p.children {
		if pid == -1 || pid == c.vpid {
			if nohang {
				return t.done(0), true
			}
			t.wait = waitFor{what: "a child", children: true}
			t.onTurn = func(t *Task) verdict { return sysWait(k, t) }
			return park, true
		}
	}
	return t.fail(unix.ECHILD), true
}
