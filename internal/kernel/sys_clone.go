package kernel

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

// Flags of clone(2) that would escape the tracer or make new namespaces.
const cloneRefused = unix.CLONE_UNTRACED | unix.CLONE_PTRACE | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP |
	unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

// fork(2), vfork(2).
func sysFork(k *Kernel, t *Task) verdict { return k.bear(t) }

// bear lets the kernel make a thread or process. Only if it does not, no event
// of a birth comes first and the call stops at its exit.
func (k *Kernel) bear(t *Task) verdict {
	if k.fast != nil {
		if e, ok := k.fast.Stillborn(); ok { // the kernel was asked
			k.stillborn(t, e)
			return t.fail(e)
		}
	}
	t.bearing = true
	t.onExit = func(t *Task) {
		t.bearing = false
		if r := t.result(); r < 0 {
			k.stillborn(t, unix.Errno(-r))
		}
	}
	return toExit
}

// stillborn ends the run where the kernel made no thread or process for t, but only for
// want of room on the host.
func (k *Kernel) stillborn(t *Task, e unix.Errno) {
	if e == unix.EAGAIN && !k.crowded(t) || e == unix.ENOMEM {
		k.Stop(hint.With(fmt.Errorf("%s cannot make another process or thread: the host has no room: %w", t.proc.describe(), e),
			"see ulimit -u, pids.max of the control groups and the memory of the host; --pids N gives the guest a limit of its own"))
	}
}

// hasBorn says that no exit of the call that t is in need be seen for its failure. One
// that did not stop at its entry (fastpath.Birth) did what enter does for any.
func (t *Task) hasBorn(k *Kernel) {
	if !t.bearing {
		k.progress, t.restart = true, restart{}
	}
	if t.bearing {
		t.bearing = false
		if !k.logging() || !t.logged {
			t.onExit = nil
		}
	}
}

// crowded reports whether the guest's own limit may be why t cannot make another
// process. Pid 1, and who has ended and was not waited for, count; for
// RLIMIT_NPROC those of t's real user.
func (k *Kernel) crowded(t *Task) bool {
	limit, user := ^t.proc.limits.processes.soft, k.cred(t).uid
	if limit >= k.cfg.Machine.MaxThreads()/2 && k.cfg.PidsMax == 0 {
		return false // the kernel has not been told of it
	}
	all, own := uint64(1), uint64(0)
	if user == 0 {
		own++ // pid 1
	}
	count := func(tid int) {
		all++
		if uid, _ := k.userIDs(tid); uid == user {
			own++
		}
	}
	for _, o := range k.order {
		count(o.tid)
		p := o.proc
		if o != p.tasks[0] {
			continue
		}
		if p.oddChildren {
			return true // not all of them are known
		}
		p.dropCollected()
		for _, z := range p.zombies {
			count(z.dead.pid)
		}
	}
	return own >= limit || k.cfg.PidsMax > 0 && all > uint64(k.cfg.PidsMax)
}

// clone(2).
func sysClone(k *Kernel, t *Task) verdict {
	const csignal = 0xff // no flags: CLONE_NEWTIME is for clone3 only
	if v, bad := k.refuseFlags(t, "clone", t.arg(0)&^csignal); bad {
		return v
	}
	return k.bear(t)
}

func (k *Kernel) refuseFlags(t *Task, name string, flags uint64) (verdict, bool) {
	if flags&(unix.CLONE_UNTRACED|unix.CLONE_PTRACE) != 0 {
		k.refuse(t, name+" with CLONE_UNTRACED", unix.EPERM)
		return t.fail(unix.EPERM), true
	}
	if flags&cloneRefused != 0 {
		k.refuse(t, name+" of namespaces", unix.EPERM)
		return t.fail(unix.EPERM), true
	}
	return 0, false
}

// clone3(2) passes its flags in memory, which another thread could change
// after the check: only one runs, so what is read here is what the kernel reads,
// but with threads-native. Who escapes the tracer then has the filter still.
func sysClone3(k *Kernel, t *Task) verdict {
	size := t.arg(1)
	if size < 64 || size > 4096 {
		return pass // EINVAL, E2BIG
	}
	b := make([]byte, min(size, 88))
	if !t.read(t.arg(0), b) {
		return t.fail(unix.EFAULT)
	}
	flags := binary.LittleEndian.Uint64(b)
	if v, bad := k.refuseFlags(t, "clone3", flags); bad {
		return v
	}
	if flags&unix.CLONE_INTO_CGROUP != 0 {
		k.refuse(t, "clone3 with CLONE_INTO_CGROUP", unix.EPERM)
		return t.fail(unix.EPERM)
	}
	if len(b) >= 80 && binary.LittleEndian.Uint64(b[72:]) != 0 { // set_tid_size
		k.refuse(t, "clone3 with set_tid", unix.EPERM)
		return t.fail(unix.EPERM)
	}
	return k.bear(t)
}

// clone3Flags reads flags, child_tid and exit_signal again at the fork event.
func (k *Kernel) clone3Flags(t *Task) (flags, ctid, ends uint64) {
	var b [40]byte
	t.read(t.arg(0), b[:])
	le := binary.LittleEndian
	return le.Uint64(b[:]), le.Uint64(b[16:]), le.Uint64(b[32:])
}

// unshare(2), setns(2): no namespaces inside; CLONE_FILES and the like are harmless.
func sysUnshare(k *Kernel, t *Task) verdict {
	if t.arg(0)&^uint64(unix.CLONE_FILES|unix.CLONE_FS|unix.CLONE_SYSVSEM|unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_SIGHAND) != 0 {
		k.refuse(t, "unshare", unix.EPERM)
		return t.fail(unix.EPERM)
	}
	k.unshareUndo(t)
	return pass
}

// prctl(2).
func sysPrctl(k *Kernel, t *Task) verdict {
	switch op := t.intArg(0); op {
	case unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_GET_DUMPABLE, unix.PR_SET_DUMPABLE, unix.PR_GET_PDEATHSIG,
		unix.PR_GET_KEEPCAPS, unix.PR_SET_KEEPCAPS, unix.PR_CAPBSET_READ, unix.PR_CAPBSET_DROP, unix.PR_GET_SECUREBITS, unix.PR_SET_SECUREBITS,
		unix.PR_GET_NO_NEW_PRIVS, unix.PR_SET_NO_NEW_PRIVS, unix.PR_CAP_AMBIENT, unix.PR_GET_CHILD_SUBREAPER, unix.PR_SET_VMA,
		unix.PR_SET_THP_DISABLE, unix.PR_GET_THP_DISABLE, unix.PR_GET_TID_ADDRESS, unix.PR_SET_MM:
		if op == unix.PR_SET_MM {
			k.refuse(t, "prctl PR_SET_MM", unix.EPERM)
			return t.fail(unix.EPERM)
		}
		return pass
	case unix.PR_SET_PDEATHSIG:
		t.proc.deathKill = t.intArg(1) == int(unix.SIGKILL)
		t.proc.killed = t.proc.killed || t.proc.deathKill
		return pass
	case unix.PR_SET_CHILD_SUBREAPER:
		t.proc.subreaper = t.arg(1) != 0
		return pass
	case unix.PR_GET_TIMERSLACK:
		return t.done(int64(t.tunables().TimerSlack))
	case unix.PR_SET_TIMERSLACK: // remembered only: timers fire to the ns
		t.timerSlack = t.arg(1)
		return t.done(0)
	case unix.PR_SET_PTRACER:
		return t.done(0)
	case unix.PR_GET_TSC:
		if !t.writeU32(t.arg(1), unix.PR_TSC_ENABLE) {
			return t.fail(unix.EFAULT)
		}
		return t.done(0)
	case unix.PR_GET_SECCOMP:
		return t.done(0)
	case unix.PR_GET_SPECULATION_CTRL:
		return t.done(0)
	default:
		k.refuse(t, "prctl "+itoa(op), unix.EINVAL)
		return t.fail(unix.EINVAL)
	}
}

// arch_prctl(2): the segment bases are native; cpuid faulting and the rest are not the guest's to change.
func sysArchPrctl(k *Kernel, t *Task) verdict {
	const archGetCPUID = 0x1011
	switch op := t.intArg(0); {
	case op >= 0x1001 && op <= 0x1004:
		return pass
	case op == archGetCPUID:
		return t.done(1)
	default:
		if op < 0x3001 || op > 0x3004 { // CET state that libc asks for is no news
			k.refuse(t, "arch_prctl "+itoa(op), unix.EINVAL)
		}
		return t.fail(unix.EINVAL)
	}
}
