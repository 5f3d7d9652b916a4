package detfs

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/fuse"
)

// GetAttr implements stat(2).
func (f *fsys) GetAttr(r *fuse.Request, a *fuse.Attr) syscall.Errno {
	n := f.get(r.Node)
	if n == nil {
		return syscall.ESTALE
	}
	f.attr(n, a)
	return 0
}

// SetAttr implements chmod, chown, truncate, utimensat and open(O_TRUNC).
func (f *fsys) SetAttr(r *fuse.Request, in *fuse.SetAttrIn, a *fuse.Attr) syscall.Errno {
	n := f.get(r.Node)
	if n == nil {
		return syscall.ESTALE
	}
	if n.flags&flagReadOnly != 0 {
		return syscall.EROFS
	}
	now := f.now()
	if in.Valid&fuse.SetSize != 0 {
		if errno := f.resize(n, int64(in.Size), in.Valid&fuse.SetFH != 0); errno != 0 {
			return errno
		}
		n.killPriv(in.Valid&fuse.SetKillSuidgid != 0)
	}
	if in.Valid&fuse.SetMode != 0 {
		n.mode = n.mode&syscall.S_IFMT | in.Mode&0o7777
		n.flags |= flagMeta
	}
	uid, gid := int64(-1), int64(-1)
	if in.Valid&fuse.SetUID != 0 {
		uid = int64(in.UID)
	}
	if in.Valid&fuse.SetGID != 0 {
		gid = int64(in.GID)
	}
	// chown(-1, -1) comes without any bit: fuse_setattr strips ATTR_KILL_*
	// and leaves the clearing of set-id bits to the server.
	const what = fuse.SetMode | fuse.SetUID | fuse.SetGID | fuse.SetSize | fuse.SetAtime | fuse.SetMtime
	if uid >= 0 || gid >= 0 || in.Valid&what == 0 {
		f.chown(n, uid, gid)
	}
	if in.Valid&fuse.SetAtime != 0 {
		n.atime = in.Atime
		if in.Valid&fuse.SetAtimeNow != 0 {
			n.atime = now
		}
		n.flags |= flagMeta
	}
	if in.Valid&fuse.SetMtime != 0 {
		n.mtime = in.Mtime
		if in.Valid&fuse.SetMtimeNow != 0 {
			n.mtime = now
		}
		n.flags |= flagMeta
	}
	n.ctime = now
	n.flags |= flagTimes
	f.attr(n, a)
	return 0
}

// chown records an owner; -1 keeps. As chown(2) it clears set-id bits and
// file capabilities of everything but directories.
func (f *fsys) chown(n *node, uid, gid int64) {
	if uid >= 0 {
		n.uid = uint32(uid)
	}
	if gid >= 0 {
		n.gid = uint32(gid)
	}
	n.killPriv(true)
	n.ctime = f.now()
	n.flags |= flagMeta
}

// killPriv is FUSE_HANDLE_KILLPRIV_V2: file capabilities always go, the
// set-id bits when the kernel says that the caller lacks CAP_FSETID.
func (n *node) killPriv(suid bool) {
	if n.isDir() {
		return
	}
	if suid && n.mode&(syscall.S_ISUID|syscall.S_ISGID) != 0 {
		n.mode &^= syscall.S_ISUID
		if n.mode&0o010 != 0 {
			n.mode &^= syscall.S_ISGID
		}
		n.flags |= flagMeta
	}
	n.dropCaps()
}

// resize implements truncate(2). Through a path an unchanged size leaves
// mtime alone; ftruncate and O_TRUNC always set it (do_truncate's time_attrs).
func (f *fsys) resize(n *node, size int64, viaFD bool) syscall.Errno {
	switch {
	case n.isDir():
		return syscall.EISDIR
	case !n.isReg() || size < 0:
		return syscall.EINVAL
	}
	if size != n.size {
		old := n.charge()
		if err := f.own(n).truncate(f.st, n.size, size); err != nil {
			return f.storeError("truncate", err)
		}
		n.size = size
		f.recharge(n, old)
	} else if !viaFD {
		return 0
	}
	n.mtime = f.now()
	return 0
}

// recharge keeps the sum of statfs after n's size changed.
func (f *fsys) recharge(n *node, old int64) {
	if n.nlink > 0 {
		f.used += n.charge() - old
	}
}

// storeError maps an error of the content path. A full or broken state
// directory is the host's fault: the guest gets the errno, the run ends.
func (f *fsys) storeError(op string, err error) syscall.Errno {
	f.fatal(fmt.Errorf("detfs: %s: %w", op, err))
	var errno syscall.Errno
	if errors.As(err, &errno) && (errno == syscall.ENOSPC || errno == syscall.EDQUOT) {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

// StatFS implements statfs(2): declared size minus linked data, never the
// host's free space. The volume of the file travels above the longest name.
func (f *fsys) StatFS(r *fuse.Request, s *fuse.StatFS) syscall.Errno {
	volume := 0
	if n := f.get(r.Node); n != nil {
		volume, _ = Volume(n.ino)
	}
	total := f.cfg.MaxBytes
	if total == 0 {
		total = 64 << 30
	}
	total /= 4096
	free := total - min(total, uint64(max(f.used, 0))/4096)
	*s = fuse.StatFS{
		Blocks: total, Bfree: free, Bavail: free,
		Files: 1 << 24, Ffree: 1<<24 - min(1<<23, f.nextIno-firstNewIno),
		Bsize: 4096, Frsize: 4096, Namelen: uint32(PackNamelen(volume)),
	}
	return 0
}

// Read implements read(2) for what the page cache does not have.
func (f *fsys) Read(r *fuse.Request, off int64, dst []byte) (int, syscall.Errno) {
	n := f.get(r.Node)
	if n == nil {
		return 0, syscall.ESTALE
	}
	if !n.isReg() {
		return 0, syscall.EINVAL
	}
	if d := f.doors[n.ino]; d != "" && !slices.Contains(f.doorsUsed, d) {
		f.doorsUsed = append(f.doorsUsed, d)
	}
	k, err := f.readNode(n, dst, off)
	if err != nil {
		f.fatal(fmt.Errorf("detfs: read: %w", err))
		return 0, syscall.EIO
	}
	return k, 0
}

// Write implements write(2). A page that comes late from a shared mapping
// changes no times: when it comes is the host's choice. The supervisor sets them
// when the mapping is made and when it goes (Client.TouchIno).
func (f *fsys) Write(r *fuse.Request, off int64, data []byte, flags uint32) syscall.Errno {
	n := f.get(r.Node)
	switch {
	case n == nil:
		return syscall.ESTALE
	case n.flags&flagReadOnly != 0:
		return syscall.EROFS
	case !n.isReg():
		return syscall.EINVAL
	}
	if flags&fuse.WriteCache != 0 {
		// Never beyond the end: that would undo a truncate.
		if off >= n.size {
			return 0
		}
		data = data[:min(int64(len(data)), n.size-off)]
	}
	if err := f.own(n).write(f.st, f.lowOf(n), data, off, n.size); err != nil {
		return f.storeError("write", err)
	}
	if end := off + int64(len(data)); end > n.size {
		old := n.charge()
		n.size = end
		f.recharge(n, old)
	}
	if flags&fuse.WriteCache == 0 {
		n.mtime = f.now()
		n.ctime = n.mtime
		n.killPriv(flags&fuse.WriteKillSuidgid != 0)
	}
	return 0
}

// Fallocate implements fallocate(2). Space is never reserved; what is visible
// (size, zeros, times) is as the manual says.
func (f *fsys) Fallocate(r *fuse.Request, off, k int64, mode uint32) syscall.Errno {
	n := f.get(r.Node)
	switch {
	case n == nil:
		return syscall.ESTALE
	case n.flags&flagReadOnly != 0:
		return syscall.EROFS
	case !n.isReg():
		return syscall.ENODEV
	case off < 0 || k <= 0:
		return syscall.EINVAL
	case off > 1<<63-1-k:
		return syscall.EFBIG
	}
	const keep = unix.FALLOC_FL_KEEP_SIZE
	switch mode {
	case 0, keep:
	case unix.FALLOC_FL_PUNCH_HOLE | keep, unix.FALLOC_FL_ZERO_RANGE, unix.FALLOC_FL_ZERO_RANGE | keep:
		if err := f.own(n).zeroRange(f.st, f.lowOf(n), off, min(off+k, n.size), n.size); err != nil {
			return f.storeError("fallocate", err)
		}
	default:
		return syscall.EOPNOTSUPP
	}
	if mode&keep == 0 && off+k > n.size {
		if errno := f.resize(n, off+k, true); errno != 0 {
			return errno
		}
	}
	n.mtime = f.now()
	n.ctime = n.mtime
	n.flags |= flagTimes
	// The kernel leaves it to us and does not say whether the caller has
	// CAP_FSETID over the host; in a user namespace nobody has.
	n.killPriv(true)
	return 0
}

// Readlink implements readlink(2); the kernel keeps the answer.
func (f *fsys) Readlink(r *fuse.Request, dst []byte) (int, syscall.Errno) {
	n := f.get(r.Node)
	if n == nil {
		return 0, syscall.ESTALE
	}
	if !n.isLink() {
		return 0, syscall.EINVAL
	}
	t, errno := f.readlink(n)
	return copy(dst, t), errno
}
