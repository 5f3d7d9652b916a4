package detfs

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/rootfs"
)

// resume makes the changes of an earlier run (a tar of TarRequest{Changes: true})
// again. They are changes of this run, too. Inode numbers of files that were made
// are others.
func (f *fsys) resume(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("detfs: changes: %w", err)
	}
	defer file.Close() // only read
	r := tar.NewReader(bufio.NewReaderSize(file, 1<<20))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f.redo(h, r)
		}
		if err != nil {
			return fmt.Errorf("detfs: changes: %w", err)
		}
	}
}

// literal finds the node at p; no link is followed.
func (f *fsys) literal(p string) (*node, error) {
	n := f.guest
	for _, name := range split(p) {
		if !n.isDir() {
			return nil, &walkError{p, syscall.ENOTDIR}
		}
		var errno syscall.Errno
		if n, errno = f.lookup(n, []byte(name)); errno != 0 {
			return nil, &walkError{p, errno}
		}
	}
	return n, nil
}

// redo makes one change.
func (f *fsys) redo(h *tar.Header, content io.Reader) error {
	p := path.Clean("/" + h.Name)
	if p == "/" {
		if h.Typeflag != tar.TypeDir {
			return badEntry(h)
		}
		return f.dress(f.guest, h)
	}
	d, err := f.literal(path.Dir(p))
	if err != nil {
		return err
	}
	if !d.isDir() {
		return &walkError{p, syscall.ENOTDIR}
	}
	name := path.Base(p)
	if name == whiteoutOpaque {
		if d == f.guest { // no run can put another in its place
			return badEntry(h)
		}
		f.emptied(d, path.Base(path.Dir(p)))
		return nil
	}
	gone, isGone := strings.CutPrefix(name, whiteoutPrefix)
	if isGone {
		name = gone
	}
	old, errno := f.lookup(d, []byte(name))
	if errno != 0 && errno != syscall.ENOENT {
		return &walkError{p, errno}
	}
	if isGone {
		if old != nil {
			d.dir.remove([]byte(name))
			f.unref(old)
		}
		return nil
	}
	n, err := f.redone(h, d, old)
	if err != nil {
		return err
	}
	if n != old {
		d.dir.put(name, n)
		if old != nil {
			f.unref(old)
		}
	}
	if h.Typeflag == tar.TypeLink {
		return nil
	}
	if h.Typeflag == tar.TypeReg {
		if err := f.fill(n, content, h.Size); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return f.dress(n, h)
}

// badEntry refuses h, which stands in no tar of changes that we have made.
func badEntry(h *tar.Header) error {
	return fmt.Errorf("%s: entry of type %q: %w", h.Name, h.Typeflag, syscall.EINVAL)
}

// emptied puts a directory without entries in the place of d: what the layers
// have there is gone.
func (f *fsys) emptied(d *node, name string) {
	up := d.dir.parent
	n := f.create(up, d.mode, d.uid, d.gid)
	n.mode, n.gid, n.xattrs = d.mode, d.gid, d.xattrs
	n.atime, n.mtime, n.ctime = d.atime, d.mtime, d.ctime
	up.dir.put(name, n)
	f.unref(d)
}

// redone is the node for h in d: old, where that is of the same kind.
func (f *fsys) redone(h *tar.Header, d, old *node) (*node, error) {
	kinds := map[byte]uint32{
		tar.TypeDir: syscall.S_IFDIR, tar.TypeReg: syscall.S_IFREG, tar.TypeSymlink: syscall.S_IFLNK,
		tar.TypeFifo: syscall.S_IFIFO, tar.TypeChar: syscall.S_IFCHR, tar.TypeBlock: syscall.S_IFBLK,
	}
	kind, ok := kinds[h.Typeflag]
	switch {
	case h.Typeflag == tar.TypeLink:
		n, err := f.literal(path.Clean("/" + h.Linkname))
		if err == nil && n.isDir() {
			return nil, badEntry(h)
		}
		if err == nil && n != old {
			n.nlink++
		}
		return n, err
	case !ok:
		return nil, badEntry(h)
	case old != nil && old.mode&syscall.S_IFMT == kind && (old.isDir() || old.isReg() && old.nlink == 1):
		return old, nil
	}
	n := f.create(d, kind, 0, 0)
	n.target = h.Linkname
	if n.isLink() {
		n.size = int64(len(n.target))
	}
	n.rdev = uint32(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))
	return n, nil
}

// fill gives n the next size bytes of r as its content.
func (f *fsys) fill(n *node, r io.Reader, size int64) error {
	f.used -= n.charge()
	if n.data != nil {
		n.data.free(f.st)
	}
	n.data, n.size = &fileData{}, 0
	buf := make([]byte, 256<<10)
	for n.size < size {
		k, err := io.ReadFull(r, buf[:min(size-n.size, int64(len(buf)))])
		if err != nil {
			return err
		}
		if err := n.data.write(f.st, nil, buf[:k], n.size, n.size); err != nil {
			return err
		}
		n.size += int64(k)
	}
	n.flags |= flagData
	f.used += n.charge()
	return nil
}

// dress gives n what h says besides the content.
func (f *fsys) dress(n *node, h *tar.Header) error {
	if errno := f.loadXattrs(n); errno != 0 {
		return &walkError{h.Name, errno}
	}
	xs, err := rootfs.HeaderXattrs(h)
	if err != nil {
		return err
	}
	slices.SortFunc(xs, func(a, b rootfs.Xattr) int { return strings.Compare(a.Name, b.Name) })
	n.xattrs = xs
	if !n.isLink() {
		n.mode = n.mode&syscall.S_IFMT | uint32(h.Mode)&0o7777
	} else {
		n.mode = syscall.S_IFLNK | 0o777
	}
	n.uid, n.gid = uint32(h.Uid), uint32(h.Gid)
	n.atime, n.mtime, n.ctime = h.ModTime.UnixNano(), h.ModTime.UnixNano(), h.ModTime.UnixNano()
	n.flags |= flagMeta
	return nil
}
