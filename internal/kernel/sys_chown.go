package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
)

// chown(2), lchown(2), fchown(2), fchownat(2): the kernel refuses an owner that
// is not mapped, and with one mapped id that is every other owner. The file
// system keeps owners of its own, so the change is made there, by inode.
func sysChown(k *Kernel, t *Task) verdict {
	if k.logging() && t.callNr != unix.SYS_FCHOWN {
		i := 0
		if t.callNr == unix.SYS_FCHOWNAT {
			i = 1
		}
		if p, e := t.str(t.arg(i)); e == 0 {
			k.logArg(t, quote(p))
		}
	}
	u, g := 1, 2
	if t.callNr == unix.SYS_FCHOWNAT {
		u, g = 2, 3
	}
	uid, gid := ownerArg(t.arg(u)), ownerArg(t.arg(g))
	if k.cfg.ChownIno == nil || !k.cfg.SingleID && uid < detfs.MappedIDs && gid < detfs.MappedIDs {
		return pass
	}
	may := k.cfg.SingleID || hasCap(t.tid, unix.CAP_CHOWN)
	// The call becomes a stat of the same file, which finds all the errors
	// of path resolution; the owner is set at its exit.
	entry := t.regs
	buf := t.spare()
	switch t.callNr {
	case unix.SYS_CHOWN:
		t.regs.Orig_rax = unix.SYS_STAT
		t.setArg(1, buf)
	case unix.SYS_LCHOWN:
		t.regs.Orig_rax = unix.SYS_LSTAT
		t.setArg(1, buf)
	case unix.SYS_FCHOWN:
		t.regs.Orig_rax = unix.SYS_FSTAT
		t.setArg(1, buf)
	case unix.SYS_FCHOWNAT:
		t.regs.Orig_rax = unix.SYS_NEWFSTATAT
		t.setArg(2, buf)
		t.setArg(3, entry.R8)
	}
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		if r == 0 {
			dev, ok1 := t.readU64(buf)
			ino, ok2 := t.readU64(buf + 8)
			switch {
			case !ok1 || !ok2:
				r = -int64(unix.EFAULT)
			case dev != k.cfg.FuseDev || !may:
				r = -int64(unix.EPERM)
			default:
				if err := k.cfg.ChownIno(ino, uid, gid); err != nil {
					r = -int64(unix.EPERM)
				}
			}
		}
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
	}
	return toExit
}

// ownerArg is a user or group id of chown(2); -1 keeps the old one.
func ownerArg(v uint64) int64 {
	if uint32(v) == 1<<32-1 {
		return -1
	}
	return int64(uint32(v))
}

// hasCap reports whether a thread has a capability in its user namespace.
func hasCap(tid int, capability uint) bool {
	b, err := readStatus(tid)
	return err == nil && hexLine(b, "CapEff:\t")&(1<<capability) != 0
}
