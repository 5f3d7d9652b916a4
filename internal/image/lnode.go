package image

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What the run learned of a node.
const (
	sawStat = 1 << iota
	sawList
	sawRead
	sawLink
	sawXattr
)

// fileID is a file of the host.
type fileID struct{ dev, ino uint64 }

// lnode is a file of a lazy layer. It is reached by its parent's descriptor
// and its name, or by anchor: an absolute host path without symlinks (the top,
// and the target of a followed link).
type lnode struct {
	l        *lazy
	parent   *lnode // nil for the top
	name     string
	anchor   string
	meta     Meta
	id       fileID
	mtime    int64 // the host's, ns
	ctime    int64
	nlink    uint64 // the host's
	flags    uint8
	children map[string]*lnode // nil value: looked up and missing
	denied   map[string]bool   // looked up and refused (EACCES)
	list     string            // digest, once listed
	target   string            // of a symlink, once read
	xattrs   string            // digest, once read
}

func (n *lnode) fill(st *unix.Stat_t) {
	n.id = fileID{st.Dev, st.Ino}
	n.mtime, n.ctime, n.nlink = st.Mtim.Nano(), st.Ctim.Nano(), st.Nlink
	m := Meta{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Size: st.Size, Mtime: n.l.opts.Epoch}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		m.Size = dirSize
	case unix.S_IFCHR, unix.S_IFBLK:
		m.Rdev, m.Size = st.Rdev, 0
	}
	if n.l.kind == "input" {
		m.UID, m.GID = 0, 0
	}
	if n.l.opts.KeepMtime && n.l.kind != "host" {
		m.Mtime = n.mtime
	}
	n.meta = m
}

func (n *lnode) isDir() bool  { return n.meta.Mode&unix.S_IFMT == unix.S_IFDIR }
func (n *lnode) isReg() bool  { return n.meta.Mode&unix.S_IFMT == unix.S_IFREG }
func (n *lnode) isLink() bool { return n.meta.Mode&unix.S_IFMT == unix.S_IFLNK }

// path is n's absolute path in the layer.
func (n *lnode) path() string {
	if n.parent == nil {
		return "/"
	}
	var names []string
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(names[i])
	}
	return b.String()
}

// hostPath is where n is on the host, for messages only.
func (n *lnode) hostPath() string {
	if n.anchor != "" {
		return n.anchor
	}
	return path.Join(n.parent.hostPath(), n.name)
}

// at gives a directory descriptor and the name of n relative to it.
func (n *lnode) at() (int, string, error) {
	if n.anchor != "" {
		return unix.AT_FDCWD, n.anchor, nil
	}
	fd, err := n.l.dirfd(n.parent)
	return fd, n.name, err
}

// checkID compares an open descriptor with what look-up saw.
func (n *lnode) checkID(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "fstat", Path: n.hostPath(), Err: err}
	}
	if (fileID{st.Dev, st.Ino}) != n.id {
		return n.l.changed(n, "is another file")
	}
	if n.isReg() && (st.Size != n.meta.Size || st.Mtim.Nano() != n.mtime || st.Ctim.Nano() != n.ctime) {
		return n.l.changed(n, "was written to")
	}
	return nil
}

func (n *lnode) Meta() Meta { return n.meta }

// Lookup remembers misses as well: the answer stays the same all run long.
func (n *lnode) Lookup(name string) (Node, error) {
	if !n.isDir() {
		return nil, &os.PathError{Op: "lookup", Path: n.hostPath(), Err: unix.ENOTDIR}
	}
	if c, ok := n.children[name]; ok {
		if c == nil {
			return nil, fs.ErrNotExist
		}
		c.flags |= sawStat
		return c, nil
	}
	if !validName(name) {
		return nil, fs.ErrNotExist
	}
	c, err := n.l.find(n, name)
	if errors.Is(err, fs.ErrPermission) {
		if n.denied == nil {
			n.denied = make(map[string]bool)
		}
		n.denied[strings.Clone(name)] = true
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if n.children == nil {
		n.children = make(map[string]*lnode)
	}
	n.children[strings.Clone(name)] = c
	if c == nil {
		return nil, fs.ErrNotExist
	}
	c.flags |= sawStat
	return c, nil
}

func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.ContainsAny(name, "/\x00")
}

// find makes the node of name in d, or gives fs.ErrNotExist. It records
// nothing, so Verify and listings can use it too.
func (l *lazy) find(d *lnode, name string) (*lnode, error) {
	fd, err := l.dirfd(d)
	if err != nil {
		return nil, err
	}
	n := &lnode{l: l, parent: d, name: strings.Clone(name)}
	if l.hidden(n) {
		return nil, fs.ErrNotExist
	}
	var st unix.Stat_t
	err = unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	switch {
	case err == unix.ENOENT, err == unix.ENAMETOOLONG:
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, &os.PathError{Op: "stat", Path: n.hostPath(), Err: err}
	}
	n.fill(&st)
	if l.kind == "host" && !hostShows(d, fd, n) {
		return nil, fs.ErrNotExist
	}
	if l.kind == "input" && l.opts.Follow && n.isLink() {
		if err := l.follow(n, fd); err != nil {
			return nil, err
		}
	}
	return n, l.identify(n)
}

// hidden reports whether Options.Hide takes n away.
func (l *lazy) hidden(n *lnode) bool {
	if len(l.opts.Hide) == 0 {
		return false
	}
	p := n.path()
	return slices.ContainsFunc(l.opts.Hide, func(pattern string) bool {
		ok, err := path.Match(pattern, p)
		return ok && err == nil
	})
}

// ReadDir lists what Lookup would find.
func (n *lnode) ReadDir() ([]Dirent, error) {
	out, err := n.l.readDir(n)
	if err != nil {
		return nil, err
	}
	n.list = listDigest(out)
	n.flags |= sawList
	return out, nil
}

func (n *lnode) Readlink() (string, error) {
	if !n.isLink() {
		return "", &os.PathError{Op: "readlink", Path: n.hostPath(), Err: unix.EINVAL}
	}
	if n.flags&sawLink != 0 {
		return n.target, nil
	}
	fd, name, err := n.at()
	if err != nil {
		return "", err
	}
	t, err := readlinkat(fd, name)
	if err != nil {
		if err == unix.EINVAL {
			return "", n.l.changed(n, "has another type")
		}
		return "", n.l.gone(n, "readlink", err)
	}
	if int64(len(t)) != n.meta.Size {
		return "", n.l.changed(n, "points elsewhere")
	}
	n.target = t
	n.flags |= sawLink
	if n.l.kind == "input" && leaves(n, t) {
		n.l.leaving[n.path()] = t
	}
	return t, nil
}

func readlinkat(fd int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	k, err := unix.Readlinkat(fd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:k]), nil
}
