package kernel

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/ptrace"
)

// sysGetxattr implements getxattr(2), lgetxattr(2) and fgetxattr(2). The kernel
// makes the call, which finds all the errors of paths, names and permissions. It
// believes that files of our file system have no attributes that can be read
// (package fuse), and says so in the end: then our file system is asked. It is no
// event; what needs no answer of ours the fast paths serve.
func sysGetxattr(k *Kernel, t *Task) verdict {
	if k.cfg.GetxattrIno == nil {
		return pass
	}
	entry := t.regs
	t.onExit = func(t *Task) {
		if t.result() != -int64(unix.EOPNOTSUPP) {
			return
		}
		name, e := t.str(entry.Rsi)
		if e != 0 || name == "system.posix_acl_access" || name == "system.posix_acl_default" {
			return // these the kernel refuses by itself on a mount like ours (fuse_no_acl)
		}
		k.askXattr(t, entry, name)
	}
	return toExit
}

// askXattr answers the getxattr at whose exit t stands: the thread makes a stat of
// the same file in its place, into spare memory, to tell which one it is.
func (k *Kernel) askXattr(t *Task, entry ptrace.Regs, name string) {
	mask, err := ptrace.SigMask(t.tid)
	buf := t.spare()
	if err != nil {
		return
	}
	_ = ptrace.SetSigMask(t.tid, ^uint64(0)) // no handler sees the other call
	ask := entry
	ask.Rsi = buf
	switch t.callNr {
	case unix.SYS_GETXATTR:
		ask.Orig_rax = unix.SYS_STAT
	case unix.SYS_LGETXATTR:
		ask.Orig_rax = unix.SYS_LSTAT
	default:
		ask.Orig_rax = unix.SYS_FSTAT
	}
	t.repeat(ask)
	t.asking = func(t *Task) {
		_ = ptrace.SetSigMask(t.tid, mask)
		r := -int64(unix.EOPNOTSUPP)
		dev, ok1 := t.readU64(buf)
		ino, ok2 := t.readU64(buf + 8)
		if t.result() == 0 && ok1 && ok2 && dev == k.cfg.FuseDev {
			r = k.xattr(t, ino, name, entry.Rdx, entry.R10)
		}
		t.endWith(entry, r)
	}
}

// xattr is the result of a getxattr of the file with that number of our tree.
func (k *Kernel) xattr(t *Task, ino uint64, name string, addr, size uint64) int64 {
	const most = 65536 // XATTR_SIZE_MAX
	v, err := k.cfg.GetxattrIno(ino, name)
	if err == nil && name == "security.capability" {
		v, err = fileCaps(v, k.cfg.SingleID)
	}
	if err != nil {
		var e unix.Errno
		if !errors.As(err, &e) {
			e = unix.EIO
		}
		return -int64(e)
	}
	n := uint64(len(v))
	switch {
	case size == 0:
		return int64(min(n, most))
	case n > most && size >= most:
		return -int64(unix.E2BIG)
	case n > size:
		return -int64(unix.ERANGE)
	case n > 0 && !t.write(addr, v):
		return -int64(unix.EFAULT)
	}
	return int64(n)
}

// fileCaps is what getxattr(2) makes of a security.capability as it is kept
// (cap_inode_getsecurity in security/commoncap.c). Its third version, which names the
// root user of a user namespace, is as the second for the root of ours, and
// EOVERFLOW for a user whom ours does not have.
func fileCaps(v []byte, singleID bool) ([]byte, error) {
	const (
		revision2, revision3 = 0x02000000, 0x03000000
		effective            = 1
		size2, size3         = 20, 24
	)
	if len(v) < 4 {
		return nil, unix.EINVAL
	}
	magic := binary.LittleEndian.Uint32(v)
	switch {
	case len(v) == size2 && magic&^effective == revision2:
		return v, nil
	case len(v) != size3 || magic&^effective != revision3:
		return nil, unix.EINVAL
	}
	switch root := binary.LittleEndian.Uint32(v[size2:]); {
	case root == 0:
		two := binary.LittleEndian.AppendUint32(nil, revision2|magic&effective)
		return append(two, v[4:size2]...), nil
	case singleID || root >= detfs.MappedIDs:
		return nil, unix.EOVERFLOW
	}
	return v, nil
}
