package detfs

import (
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"dettrace/internal/image"
)

// item is one path of a walk. n is nil for a deleted path.
type item struct {
	path string // absolute
	n    *node
	kind string // "added", "modified", "deleted", "meta"; "" for a directory whose times alone changed
	// opaque: a directory that replaced something of the layer.
	opaque bool
}

// changes walks all differences to the start in the order of their paths,
// compared name by name.
func (f *fsys) changes(fn func(item) error) error {
	if err := f.findLinks(); err != nil {
		return err
	}
	if k := kindOf(f.guest); k != "" || f.guest.flags&flagTimes != 0 {
		if err := fn(item{path: "/", n: f.guest, kind: k}); err != nil {
			return err
		}
	}
	return f.changesIn(f.guest, "", fn)
}

// findLinks looks up the other names of files of the layers that were changed under one
// of them, as those in memory are all that the walk sees.
func (f *fsys) findLinks() error {
	for i, l := range f.layers {
		top := "/"
		if i < len(f.cfg.Mounts) {
			top = f.cfg.Mounts[i].Guest
		}
		for _, ino := range slices.Sorted(maps.Keys(f.hard[i])) {
			if kindOf(f.hard[i][ino]) == "" {
				continue
			}
			for _, p := range image.LinkNames(l, ino) {
				if errno := f.find(path.Join(top, p)); errno != 0 && errno != syscall.ENOENT && errno != syscall.ENOTDIR {
					return &walkError{p, errno}
				}
			}
		}
	}
	return nil
}

// find looks a path up, following no link.
func (f *fsys) find(p string) syscall.Errno {
	d := f.guest
	for _, name := range split(p) {
		if !d.isDir() {
			return syscall.ENOTDIR
		}
		n, errno := f.lookup(d, []byte(name))
		if errno != 0 {
			return errno
		}
		d = n
	}
	return 0
}

// kindOf classifies a node that stands at its original place.
func kindOf(n *node) string {
	switch {
	case n.flags&flagData != 0:
		return "modified"
	case n.flags&flagMeta != 0:
		return "meta"
	}
	return ""
}

func (f *fsys) changesIn(d *node, at string, fn func(item) error) error {
	// Only names in memory can have changed.
	for _, name := range sortedNames(d.dir.children) {
		c := d.dir.children[name]
		p := at + "/" + name
		var err error
		switch {
		case c.n == nil:
			err = fn(item{path: p, kind: "deleted"})
		case c.orig:
			if k := kindOf(c.n); k != "" || c.n.isDir() && c.n.flags&flagTimes != 0 {
				err = fn(item{path: p, n: c.n, kind: k})
			}
			if err == nil && c.n.isDir() {
				err = f.changesIn(c.n, p, fn)
			}
		default:
			kind := "added"
			if c.covered {
				kind = "modified"
			}
			err = fn(item{path: p, n: c.n, kind: kind, opaque: c.covered && c.n.isDir()})
			if err == nil && c.n.isDir() {
				err = f.merged(c.n, p, "added", fn)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// merged walks everything below d.
func (f *fsys) merged(d *node, at, kind string, fn func(item) error) error {
	list, errno := f.listing(d)
	if errno != 0 {
		return &walkError{at, errno}
	}
	for _, e := range list {
		p := at + "/" + e.name
		n, errno := f.lookup(d, []byte(e.name))
		if errno != 0 {
			return &walkError{p, errno}
		}
		if err := fn(item{path: p, n: n, kind: kind}); err != nil {
			return err
		}
		if n.isDir() {
			if err := f.merged(n, p, kind, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

type walkError struct {
	path  string
	errno syscall.Errno
}

func (e *walkError) Error() string { return "detfs: " + e.path + ": " + e.errno.Error() }
func (e *walkError) Unwrap() error { return e.errno }

func sortedNames(m map[string]dent) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// changeList is Client.Changes.
func (f *fsys) changeList() ([]Change, error) {
	var out []Change
	err := f.changes(func(it item) error {
		if it.kind == "" {
			return nil
		}
		c := Change{Path: it.path, Kind: it.kind}
		if it.n != nil {
			c.Type = it.n.mode & syscall.S_IFMT
			c.Size, c.Ino = it.n.size, it.n.ino
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// at finds a path of the guest; symlinks on the way are followed, the last
// name is not.
func (f *fsys) at(p string) (*node, syscall.Errno) {
	names := split(p)
	if len(names) == 0 {
		return f.guest, 0
	}
	d := f.guest
	for _, name := range names[:len(names)-1] {
		n, errno := f.step(d, name, 0)
		if errno != 0 {
			return nil, errno
		}
		if !n.isDir() {
			return nil, syscall.ENOTDIR
		}
		d = n
	}
	return f.lookup(d, []byte(names[len(names)-1]))
}

// below reports whether p is u or lies under it.
func below(p, u string) bool {
	u = strings.TrimRight(u, "/")
	return p == u || strings.HasPrefix(p, u+"/")
}
