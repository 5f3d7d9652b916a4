package image

import (
	"errors"
	"io/fs"
	"slices"

	"dettrace/internal/rootfs"

	"golang.org/x/sys/unix"
)

// linkGroup is all names of one file inside a layer.
type linkGroup struct {
	first string // smallest path
	names uint32
	all   []string
}

// LinkNames lists the paths in l of the file with number ino, sorted, if it has
// several and they are known. Asking is no observation.
func LinkNames(l Layer, ino uint64) []string {
	if c, ok := l.(Linked); ok {
		return c.LinkNames(ino)
	}
	return nil
}

// Linked is a layer that knows the names of files with several.
type Linked interface {
	LinkNames(ino uint64) []string
}

// LinkNames implements Linked.
func (l *lazy) LinkNames(ino uint64) []string { return l.linkNames[ino] }

// LinkNames implements Linked.
func (r *recorded) LinkNames(ino uint64) []string { return LinkNames(r.Layer, ino) }

// LinkNames implements Linked.
func (l *tarLayer) LinkNames(ino uint64) []string {
	if l.linkNames == nil {
		l.linkNames = map[uint64][]string{}
		_ = l.tree.Walk(func(p string, n *rootfs.Node) error { // do never fails
			if n.Nlink > 1 && !n.IsDir() {
				l.linkNames[n.Ino] = append(l.linkNames[n.Ino], p)
			}
			return nil
		})
	}
	return l.linkNames[ino]
}

// identify gives n its inode number and link count. Which other names a file
// has can only be known by walking the layer; that is done once, when the
// first file with several is met.
func (l *lazy) identify(n *lnode) error {
	n.meta.Nlink = 1
	if n.nlink > 1 && !n.isDir() && l.kind != "host" && n.anchor == "" {
		if l.links == nil {
			if err := l.walkLinks(); err != nil {
				return err
			}
		}
		if g, ok := l.links[n.id]; ok && !followed(n) {
			n.meta.Nlink = g.names
			n.meta.Ino = pathIno(g.first)
			return nil
		}
	}
	n.meta.Ino = pathIno(n.path())
	return nil
}

// followed reports whether n is below the target of a followed link: the walk
// does not go there, every name there is a file of its own.
func followed(n *lnode) bool {
	for ; n.parent != nil; n = n.parent {
		if n.anchor != "" {
			return true
		}
	}
	return false
}

// walkLinks groups the names of the files with several. It makes nodes of its
// own, so it is no observation. What may not be read is left out: its names
// cannot be seen by the run either.
func (l *lazy) walkLinks() error {
	l.links = make(map[fileID]linkGroup)
	var ids []fileID
	type item struct {
		n    *lnode
		path string
	}
	todo := []item{{l.root, ""}}
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		names, err := l.names(d.n)
		if errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			fd, err := l.dirfd(d.n)
			if err != nil {
				return err
			}
			var st unix.Stat_t
			err = unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
			if err != nil {
				continue // gone or forbidden: look-up says which
			}
			p := d.path + "/" + name
			if l.hidden(&lnode{l: l, parent: d.n, name: name}) {
				continue
			}
			id := fileID{st.Dev, st.Ino}
			switch {
			case st.Mode&unix.S_IFMT == unix.S_IFDIR:
				n := &lnode{l: l, parent: d.n, name: name}
				n.fill(&st)
				todo = append(todo, item{n, p})
			case st.Nlink > 1:
				g := l.links[id]
				if g.names == 0 {
					ids = append(ids, id)
				}
				if g.names == 0 || p < g.first {
					g.first = p
				}
				g.names++
				g.all = append(g.all, p)
				l.links[id] = g
			}
		}
	}
	l.linkNames = make(map[uint64][]string, len(ids))
	for _, id := range ids {
		g := l.links[id]
		slices.Sort(g.all)
		l.linkNames[pathIno(g.first)] = g.all
	}
	return nil
}
