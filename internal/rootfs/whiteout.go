package rootfs

import (
	"errors"
	"path"
	"strings"
)

// Whiteouts of the OCI image layer specification. They take away what lower
// layers have and never what their own layer has, wherever in it they stand.
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
	whiteoutAufs   = ".wh..wh." // of AUFS itself: its directory of hard links, and the like
)

// marker handles a name with the prefix; done is false for names that are
// files of AUFS's own, which may be the target of hard links and go later.
func (a *applier) marker(name string) (done bool, err error) {
	base := path.Base(name)
	if base != whiteoutOpaque && strings.HasPrefix(base, whiteoutAufs) {
		return false, nil
	}
	switch strings.TrimPrefix(base, whiteoutPrefix) {
	case "", ".", "..":
		return true, errors.New("whiteout of nothing")
	}
	if a.o.Skip != nil && a.o.Skip(whiteoutTarget(name)) {
		return true, nil
	}
	// At once, so that a file below a name that was taken away gets a new
	// directory; symlinks are followed only at the end, when those that the
	// layer replaces are gone.
	a.t.whiteout(name, 0)
	a.markers = append(a.markers, name)
	return true, nil
}

// whiteoutTarget is the path that a marker takes away, or empties.
func whiteoutTarget(marker string) string {
	dir, base := path.Split(marker)
	if base == whiteoutOpaque {
		return path.Clean(dir)
	}
	return path.Join(dir, strings.TrimPrefix(base, whiteoutPrefix))
}

// whiteout applies a marker; one whose directory is not there has nothing to
// take away.
func (t *Tree) whiteout(marker string, links int) {
	dir, base := path.Split(marker)
	d, err := t.find(dir, links)
	if err != nil || !d.IsDir() {
		return
	}
	if base == whiteoutOpaque {
		t.prune(d)
		return
	}
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if c, ok := d.children[name]; ok {
		t.pruneName(d, name, c)
	}
}

// prune takes away what lower layers put into d.
func (t *Tree) prune(d *Node) {
	for _, name := range d.Names() {
		t.pruneName(d, name, d.children[name])
	}
}

func (t *Tree) pruneName(d *Node, name string, c dent) {
	if c.layer < t.layer {
		delete(d.children, name)
		return
	}
	if !c.n.IsDir() {
		return
	}
	if c.n.layer < t.layer {
		// Of the directory itself only the name is left, as something of
		// this layer is below it.
		n := t.implied()
		n.children = c.n.children
		d.children[name] = dent{n, t.layer}
		c.n = n
	}
	t.prune(c.n)
}

// dropAufs removes what AUFS keeps in the top directory for itself.
func (t *Tree) dropAufs() {
	for _, name := range t.Root.Names() {
		if strings.HasPrefix(name, whiteoutAufs) {
			delete(t.Root.children, name)
		}
	}
}
