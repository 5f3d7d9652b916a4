package detfs

import (
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/fuse"
)

// The methods of fuse.FS that work on names: lookup, mknod, mkdir, symlink,
// link, unlink, rmdir, rename.

// Lookup answers with a negative entry (node 0) for a missing name, which
// the kernel keeps.
func (f *fsys) Lookup(r *fuse.Request, name []byte, e *fuse.Entry) syscall.Errno {
	d, errno := f.getDir(r.Node)
	if errno != 0 {
		return errno
	}
	n, errno := f.lookup(d, name)
	switch errno {
	case 0:
		return f.lookedUp(n, e)
	case syscall.ENOENT:
		*e = fuse.Entry{}
		return 0
	}
	return errno
}

// place checks that name can be made in the directory of r.
func (f *fsys) place(id uint64, name []byte) (*node, syscall.Errno) {
	d, errno := f.getDir(id)
	switch {
	case errno != 0:
		return nil, errno
	case d.nlink == 0:
		return nil, syscall.ENOENT
	case d.flags&flagReadOnly != 0:
		return nil, syscall.EROFS
	}
	switch _, errno := f.lookup(d, name); errno {
	case 0:
		return nil, syscall.EEXIST
	case syscall.ENOENT:
		return d, 0
	default:
		return nil, errno
	}
}

func (f *fsys) enter(d *node, name []byte, n *node, e *fuse.Entry) syscall.Errno {
	d.dir.put(string(name), n)
	f.touchDir(d)
	f.entry(n, e)
	return 0
}

// Mknod implements mknod(2) and the creating half of open(2). Device
// nodes are recorded; opening them is the kernel's matter (nodev).
func (f *fsys) Mknod(r *fuse.Request, name []byte, mode, rdev uint32, e *fuse.Entry) syscall.Errno {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR, syscall.S_IFBLK:
	default:
		return syscall.EINVAL
	}
	d, errno := f.place(r.Node, name)
	if errno != 0 {
		return errno
	}
	n := f.create(d, mode, r.UID, r.GID)
	if t := mode & syscall.S_IFMT; t == syscall.S_IFCHR || t == syscall.S_IFBLK {
		n.rdev = rdev
	}
	return f.enter(d, name, n, e)
}

// Mkdir implements mkdir(2).
func (f *fsys) Mkdir(r *fuse.Request, name []byte, mode uint32, e *fuse.Entry) syscall.Errno {
	d, errno := f.place(r.Node, name)
	if errno != 0 {
		return errno
	}
	n := f.create(d, mode&^syscall.S_IFMT|syscall.S_IFDIR, r.UID, r.GID)
	return f.enter(d, name, n, e)
}

// Symlink implements symlink(2).
func (f *fsys) Symlink(r *fuse.Request, name, target []byte, e *fuse.Entry) syscall.Errno {
	if len(target) > 4095 {
		return syscall.ENAMETOOLONG
	}
	d, errno := f.place(r.Node, name)
	if errno != 0 {
		return errno
	}
	n := f.create(d, syscall.S_IFLNK|0o777, r.UID, r.GID)
	n.target = string(target)
	n.size = int64(len(target))
	return f.enter(d, name, n, e)
}

// Tmpfile implements open(2) with O_TMPFILE: a file without a name.
func (f *fsys) Tmpfile(r *fuse.Request, mode uint32, e *fuse.Entry) syscall.Errno {
	d, errno := f.getDir(r.Node)
	if errno != 0 {
		return errno
	}
	if d.flags&flagReadOnly != 0 {
		return syscall.EROFS
	}
	n := f.create(d, mode&^syscall.S_IFMT|syscall.S_IFREG, r.UID, r.GID)
	n.nlink = 0
	f.entry(n, e)
	return 0
}

// Link implements link(2).
func (f *fsys) Link(r *fuse.Request, node uint64, name []byte, e *fuse.Entry) syscall.Errno {
	n := f.get(node)
	if n == nil {
		return syscall.ESTALE
	}
	if n.isDir() {
		return syscall.EPERM
	}
	if n.nlink >= maxLink {
		return syscall.EMLINK
	}
	d, errno := f.place(r.Node, name)
	if errno != 0 {
		return errno
	}
	if n.nlink == 0 {
		f.used += n.charge()
	}
	n.nlink++
	n.ctime = f.now()
	n.flags |= flagTimes
	return f.enter(d, name, n, e)
}

// victim finds the entry that unlink or rmdir shall remove.
func (f *fsys) victim(id uint64, name []byte) (d, n *node, errno syscall.Errno) {
	d, errno = f.getDir(id)
	if errno != 0 {
		return nil, nil, errno
	}
	if d.flags&flagReadOnly != 0 {
		return nil, nil, syscall.EROFS
	}
	n, errno = f.lookup(d, name)
	return d, n, errno
}

// Unlink implements unlink(2).
func (f *fsys) Unlink(r *fuse.Request, name []byte) syscall.Errno {
	d, n, errno := f.victim(r.Node, name)
	if errno != 0 {
		return errno
	}
	if n.isDir() {
		return syscall.EISDIR
	}
	d.dir.remove(name)
	f.touchDir(d)
	f.unref(n)
	return 0
}

// Rmdir implements rmdir(2).
func (f *fsys) Rmdir(r *fuse.Request, name []byte) syscall.Errno {
	d, n, errno := f.victim(r.Node, name)
	if errno != 0 {
		return errno
	}
	if !n.isDir() {
		return syscall.ENOTDIR
	}
	if errno := f.empty(n); errno != 0 {
		return errno
	}
	d.dir.remove(name)
	f.touchDir(d)
	f.unref(n)
	return 0
}

// empty reports ENOTEMPTY for a directory with entries.
func (f *fsys) empty(n *node) syscall.Errno {
	list, errno := f.listing(n)
	if errno == 0 && len(list) > 0 {
		return syscall.ENOTEMPTY
	}
	return errno
}

// Rename implements renameat2(2).
func (f *fsys) Rename(r *fuse.Request, name []byte, newID uint64, newName []byte, flags uint32) syscall.Errno {
	if flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0 {
		return syscall.EINVAL // RENAME_WHITEOUT: as file systems without it do
	}
	od, on, errno := f.victim(r.Node, name)
	if errno != 0 {
		return errno
	}
	nd, errno := f.getDir(newID)
	switch {
	case errno != 0:
		return errno
	case nd.nlink == 0:
		return syscall.ENOENT
	case nd.flags&flagReadOnly != 0:
		return syscall.EROFS
	}
	nn, errno := f.lookup(nd, newName)
	if errno != 0 && errno != syscall.ENOENT {
		return errno
	}
	if on.isDir() && within(nd, on) || nn != nil && nn.isDir() && flags&unix.RENAME_EXCHANGE != 0 && within(od, nn) {
		return syscall.EINVAL
	}
	if flags&unix.RENAME_EXCHANGE != 0 {
		if nn == nil {
			return syscall.ENOENT
		}
		return f.exchange(od, on, string(name), nd, nn, string(newName))
	}
	if nn != nil {
		switch {
		case flags&unix.RENAME_NOREPLACE != 0:
			return syscall.EEXIST
		case nn == on:
			return 0
		case nn.isDir() && !on.isDir():
			return syscall.EISDIR
		case !nn.isDir() && on.isDir():
			return syscall.ENOTDIR
		case nn.isDir():
			if errno := f.empty(nn); errno != 0 {
				return errno
			}
		}
	}
	od.dir.remove(name)
	nd.dir.put(string(newName), on)
	f.moved(on, nd)
	f.touchDir(od)
	f.touchDir(nd)
	if nn != nil {
		f.unref(nn)
	}
	return 0
}

func (f *fsys) exchange(od, on *node, name string, nd, nn *node, newName string) syscall.Errno {
	od.dir.put(name, nn)
	nd.dir.put(newName, on)
	f.moved(on, nd)
	f.moved(nn, od)
	f.touchDir(od)
	f.touchDir(nd)
	return 0
}

// moved records a new place of n.
func (f *fsys) moved(n, d *node) {
	if n.isDir() {
		n.dir.parent = d
	}
	n.ctime = f.now()
	n.flags |= flagTimes
}

// within reports whether d is top or lies below it.
func within(d, top *node) bool {
	for {
		if d == top {
			return true
		}
		if d.dir.parent == d {
			return false
		}
		d = d.dir.parent
	}
}

// Forget takes references of the kernel back. Nothing that a guest can see
// changes here: memory is freed, no more.
func (f *fsys) Forget(id, k uint64) {
	n := f.get(id)
	if n == nil || n == f.root {
		return
	}
	n.lookups -= min(n.lookups, k)
	if n.lookups > 0 {
		return
	}
	if n.nlink == 0 {
		f.drop(n)
		return
	}
	for n.forgettable() {
		d := n.home
		delete(d.dir.children, n.name)
		f.drop(n)
		n = d
	}
}

// forgettable reports whether the next look-up makes the same node again. Files
// with several names stay: their node is what joins the names.
func (n *node) forgettable() bool {
	if n.lookups > 0 || n.home == nil || !n.clean() || n.nlink == 0 || n.isDir() && len(n.dir.children) > 0 {
		return false
	}
	c := n.home.dir.children[n.name]
	return c.n == n && c.orig && (n.isDir() || n.nlink == 1 && n.lower.Meta().Nlink <= 1)
}
