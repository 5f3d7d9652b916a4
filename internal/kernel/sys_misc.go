package kernel

import (
	"golang.org/x/sys/unix"
)

// Requests of ioctl(2) that every descriptor knows (asm-generic/ioctls.h).
const (
	fioclex  = 0x5451
	fionclex = 0x5450
	fionbio  = 0x5421
	fionread = 0x541b
	fioasync = 0x5452
)

// ioctl(2): what terminals, pipes and files need, by descriptor class.
func sysIoctl(k *Kernel, t *Task) verdict {
	f := k.file(t, t.intArg(0))
	defer f.close()
	req := uint32(t.arg(1))
	switch req {
	case fioclex, fionclex, fionbio:
		return pass
	}
	if f.class == fdSocket {
		if v, ok := k.ioctlSocket(t, &f, req); ok {
			return v
		}
	}
	switch f.class {
	case fdBad:
		return pass
	case fdFifo, fdStdin, fdStdout, fdStderr, fdSocket:
		if req == fionread || req == unix.TCGETS || req == unix.TIOCGWINSZ || req == unix.TIOCGPGRP {
			return pass
		}
		if req == fioasync && (f.class == fdFifo || f.class == fdSocket) {
			k.async = true
			return pass
		}
		if f.class == fdSocket {
			k.refuse(t, "ioctl "+hex(uint64(req))+" on a socket", unix.ENOTTY)
		}
		return t.fail(unix.ENOTTY)
	case fdTTY:
		if req == unix.TIOCSTI {
			return t.fail(unix.EIO) // as without dev.tty.legacy_tiocsti, which the host decides
		}
		if req == fionread {
			if k.asked(); f.isMaster() {
				k.outputSettled(&f)
			}
		}
		if req == unix.TIOCGPTPEER && len(k.slaves) > 0 {
			return t.atEnd(k.ttyCall(t), k.releaseSlaves)
		}
		return k.ttyCall(t)
	case fdTree, fdProc, fdNull, fdRandom, fdMem:
		if req == fionread || f.status()&unix.O_PATH != 0 {
			return pass // of the latter EBADF
		}
		// FICLONE, FIEMAP, FS_IOC_* depend on the host's file system.
		if req == unix.FICLONE || req == unix.FICLONERANGE {
			return t.fail(unix.EOPNOTSUPP)
		}
		return t.fail(unix.ENOTTY)
	}
	if req == fionread && f.class == fdAnon && f.link() == "anon_inode:inotify" {
		return pass
	}
	const nsGetUserns, nsGetParent = 0xb701, 0xb702 // ioctl_nsfs(2)
	if f.dev == k.devices.ns && (req == nsGetUserns || req == nsGetParent) {
		return t.fail(unix.EPERM) // outside of what the caller can see, as for the initial ones
	}
	return t.fail(unix.ENOTTY)
}

// execve(2), execveat(2): natively done; the event stop follows.
func sysExecve(k *Kernel, t *Task) verdict {
	if k.logging() {
		i := 0
		if t.callNr == unix.SYS_EXECVEAT {
			i = 1
		}
		if p, e := t.str(t.arg(i)); e == 0 {
			k.logArg(t, quote(p)+", ["+k.argvString(t, t.arg(i+1))+"]")
		}
	}
	return pass
}

// argvString renders the first arguments of a command for the log.
func (k *Kernel) argvString(t *Task, addr uint64) string {
	out := ""
	for i := range 32 {
		p, ok := t.readU64(addr + uint64(8*i))
		if !ok || p == 0 {
			break
		}
		s, e := t.str(p)
		if e != 0 {
			break
		}
		if i > 0 {
			out += ", "
		}
		out += quote(s)
	}
	return out
}
