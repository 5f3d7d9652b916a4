package detfs

import (
	"slices"
	"strings"
	"syscall"

	"dettrace/internal/fuse"
)

// listed is one entry of a directory's merged listing.
type listed struct {
	name string
	ino  uint64
	typ  uint32 // S_IFMT
}

// dirHandle is an open directory. list is the snapshot it reads, taken at the
// first read and again at offset 0 (rewinddir); nil before.
type dirHandle struct {
	n    *node
	list []listed
}

// listing gives the merged entries of n sorted by name. The slice is never
// changed once made: handles keep it as their snapshot.
func (f *fsys) listing(n *node) ([]listed, syscall.Errno) {
	d := n.dir
	if d.list != nil {
		return d.list, 0
	}
	if d.static != nil {
		f.expandAll(n)
	}
	if n.lower != nil && !d.read {
		low, err := n.lower.ReadDir()
		if err != nil {
			return nil, f.layerError("readdir", err)
		}
		d.lower, d.read = low, true
	}
	list := make([]listed, 0, len(d.lower)+len(d.children))
	for _, e := range d.lower {
		if _, ok := d.children[e.Name]; !ok {
			list = append(list, listed{e.Name, f.layerIno(e.Ino, n.mount), e.Type & syscall.S_IFMT})
		}
	}
	for name, c := range d.children {
		if c.n != nil && c.n.flags&flagHidden == 0 {
			list = append(list, listed{name, c.n.ino, c.n.mode & syscall.S_IFMT})
		}
	}
	slices.SortFunc(list, func(a, b listed) int { return strings.Compare(a.name, b.name) })
	d.list = list
	return list, 0
}

// Opendir makes a handle. The directory is listed at the first read only, so
// that opening one for openat or fchdir reads nothing of the image.
func (f *fsys) Opendir(r *fuse.Request) (uint64, syscall.Errno) {
	n, errno := f.getDir(r.Node)
	if errno != 0 {
		return 0, errno
	}
	h := &dirHandle{n: n}
	if k := len(f.freeH); k > 0 {
		fh := f.freeH[k-1]
		f.freeH = f.freeH[:k-1]
		f.handles[fh] = h
		return fh, 0
	}
	f.handles = append(f.handles, h)
	return uint64(len(f.handles) - 1), 0
}

// Releasedir ends a handle.
func (f *fsys) Releasedir(fh uint64) {
	if fh < uint64(len(f.handles)) && f.handles[fh] != nil {
		f.handles[fh] = nil
		f.freeH = append(f.freeH, fh)
	}
}

// Readdir implements getdents(2). Cookies are positions in the snapshot,
// counted from 1 for "."; entries made or removed meanwhile neither shift nor
// repeat anything.
func (f *fsys) Readdir(_ *fuse.Request, fh, off uint64, l *fuse.DirList) syscall.Errno {
	if fh >= uint64(len(f.handles)) || f.handles[fh] == nil {
		return syscall.EBADF
	}
	h := f.handles[fh]
	if off == 0 || h.list == nil {
		if h.n.nlink == 0 {
			return syscall.ENOENT // as for a removed directory everywhere
		}
		list, errno := f.listing(h.n)
		if errno != 0 {
			return errno
		}
		h.list = f.ordered(h.n, list)
	}
	if off == 0 {
		if !l.Add(".", h.n.ino, 1, syscall.S_IFDIR, nil) {
			return syscall.EINVAL
		}
		off = 1
	}
	if off == 1 {
		if !l.Add("..", h.n.dir.parent.ino, 2, syscall.S_IFDIR, nil) {
			return 0
		}
		off = 2
	}
	for i := off - 2; i < uint64(len(h.list)); i++ {
		e := &h.list[i]
		if l.Plus() {
			// Attributes only of what is in memory anyway: asking the
			// layer would make it observed because the kernel was curious.
			// A FIFO has to be looked up (fifo.go).
			if c := h.n.dir.children[e.name].n; c != nil && c.ino == e.ino && e.typ != syscall.S_IFIFO {
				var ent fuse.Entry
				ent.Node = c.id
				f.attr(c, &ent.Attr)
				if !l.Add(e.name, e.ino, i+3, e.typ, &ent) {
					return 0
				}
				c.lookups++
				continue
			}
		}
		if !l.Add(e.name, e.ino, i+3, e.typ, nil) {
			return 0
		}
	}
	return 0
}
