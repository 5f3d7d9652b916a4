package detfs

import (
	"fmt"
	"path"
	"strings"
	"syscall"

	"dettrace/internal/digests"
	"dettrace/internal/image"
)

// openLayer opens the layer of one mount.
type openLayer func(m Mount, epoch int64, known *digests.Cache) (image.Layer, error)

// build makes the start state: mounts in order, then directories, files and
// the static trees. Everything made here belongs to the start state: it is no
// change of the run.
func (f *fsys) build(open openLayer) error {
	f.guest = f.premade(f.root, syscall.S_IFDIR|0o755)
	f.guest.dir.parent = f.guest
	for _, m := range f.cfg.Mounts {
		if err := f.graft(m, open); err != nil {
			return err
		}
	}
	f.setStart(f.root, "root", f.guest)
	for _, d := range f.cfg.Dirs {
		if err := f.buildDir(d); err != nil {
			return err
		}
	}
	for _, s := range f.cfg.Files {
		if err := f.buildFile(s); err != nil {
			return err
		}
	}
	for i, t := range f.cfg.Static {
		if err := f.buildStatic(i, t); err != nil {
			return err
		}
	}
	if f.cfg.Resume != "" {
		return f.resume(f.cfg.Resume)
	}
	return nil
}

// premade makes a node of the start state.
func (f *fsys) premade(d *node, mode uint32) *node {
	n := f.create(d, mode, 0, 0)
	n.flags = flagPremade
	n.atime, n.mtime, n.ctime = f.cfg.Epoch, f.cfg.Epoch, f.cfg.Epoch
	return n
}

// setStart enters n as what was at name from the start.
func (f *fsys) setStart(d *node, name string, n *node) {
	d.dir.children[name] = dent{n: n, covered: true, orig: true}
	d.dir.list = nil
}

// graft puts a layer at its guest path.
func (f *fsys) graft(m Mount, open openLayer) error {
	l, err := open(m, f.cfg.Epoch, f.digests)
	if err != nil {
		return err
	}
	i := int32(len(f.layers))
	f.layers = append(f.layers, l)
	f.hard = append(f.hard, make(map[uint64]*node))
	top, err := l.Root()
	if err != nil {
		return fmt.Errorf("detfs: %s: %w", m.Ref, err)
	}
	if m.Guest == "/" {
		n := f.materialise(top, nil, i)
		if !n.isDir() {
			return fmt.Errorf("detfs: %s: root of the image: %w", m.Ref, syscall.ENOTDIR)
		}
		n.dir.parent = n
		f.guest = n
		return nil
	}
	d, err := f.makeParents(path.Dir(m.Guest))
	if err != nil {
		return fmt.Errorf("detfs: mount %s: %w", m.Guest, err)
	}
	f.setStart(d, path.Base(m.Guest), f.materialise(top, d, i))
	return nil
}

// makeParents finds the directory at p of the guest's tree, following links,
// and makes what is missing.
func (f *fsys) makeParents(p string) (*node, error) {
	d := f.guest
	for _, name := range split(p) {
		n, errno := f.step(d, name, 0)
		if errno == syscall.ENOENT {
			// Also for a link that leads nowhere: a directory takes its place.
			n = f.premade(d, syscall.S_IFDIR|0o755)
			f.setStart(d, name, n)
		} else if errno != 0 {
			return nil, fmt.Errorf("%s: %w", p, errno)
		}
		if !n.isDir() {
			return nil, fmt.Errorf("%s: %w", p, syscall.ENOTDIR)
		}
		d = n
	}
	return d, nil
}

func (f *fsys) buildDir(c Dir) error {
	p := path.Clean("/" + c.Path)
	if p == "/" {
		return nil
	}
	d, err := f.makeParents(path.Dir(p))
	if err != nil {
		return fmt.Errorf("detfs: directory %s: %w", c.Path, err)
	}
	name := path.Base(p)
	if n, errno := f.step(d, name, 0); errno == 0 && n.isDir() && !c.Fresh {
		if n.flags&flagPremade != 0 { // made for what is mounted below it
			n.uid, n.gid = c.UID, c.GID
		}
		return nil
	}
	n := f.premade(d, syscall.S_IFDIR|c.Mode&0o7777)
	f.extra(n, c.Extra)
	n.uid, n.gid = c.UID, c.GID
	if c.Volume != 0 {
		n.ino = uint64(c.Volume)<<volumeShift | volumeTop
	}
	f.setStart(d, name, n)
	return nil
}

// buildFile places a constant file in the guest's tree.
func (f *fsys) buildFile(s StaticFile) error {
	p := path.Clean("/" + s.Path)
	if p == "/" {
		return fmt.Errorf("detfs: file %q: %w", s.Path, syscall.EINVAL)
	}
	if s.Before {
		content, err := f.before(p, s.Content)
		if err != nil {
			return err
		}
		s.Content = content
	}
	d := f.guest
	for _, name := range split(path.Dir(p)) {
		n, errno := f.step(d, name, 0)
		if errno != 0 || !n.isDir() {
			n = f.premade(d, syscall.S_IFDIR|0o755)
			f.setStart(d, name, n)
		}
		d = n
	}
	if s.Dir {
		n := f.premade(d, syscall.S_IFDIR|s.Mode&0o7777)
		f.number(d, n, s)
		f.setStart(d, path.Base(p), n)
		return nil
	}
	n := f.premade(d, s.mode())
	f.extra(n, s.Extra)
	f.number(d, n, s)
	if f.describe(n, &s); !s.Link {
		n.data = &fileData{}
		if err := n.data.write(f.st, nil, s.Content, 0, 0); err != nil {
			return fmt.Errorf("detfs: file %s: %w", s.Path, err)
		}
	}
	f.setStart(d, path.Base(p), n)
	return nil
}

// extra gives n a number of its own space, and back the one that it took.
func (f *fsys) extra(n *node, is bool) {
	if is {
		f.nextIno--
		f.vary.extra++
		n.ino = 1<<41 | f.vary.extra
	}
}

// before is content and, behind it, that of the file at p, if there is one.
func (f *fsys) before(p string, content []byte) ([]byte, error) {
	n, errno := f.at(p)
	if errno == syscall.ENOENT || errno == 0 && !n.isReg() {
		return content, nil
	}
	if errno != 0 {
		return nil, fmt.Errorf("detfs: file %s: %w", p, errno)
	}
	rest := make([]byte, min(n.size, 16<<20))
	if _, err := f.readNode(n, rest, 0); err != nil {
		return nil, fmt.Errorf("detfs: file %s: %w", p, err)
	}
	return append(content[:len(content):len(content)], rest...), nil
}

// number gives n the inode number that s asks for.
func (f *fsys) number(d, n *node, s StaticFile) {
	if s.Serial != 0 {
		v, _ := Volume(d.ino)
		n.ino = SerialIno(v, s.Serial)
	}
}

// split cuts a clean absolute path into names.
func split(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// step looks name up in d and follows symlinks inside the guest's tree.
func (f *fsys) step(d *node, name string, depth int) (*node, syscall.Errno) {
	switch name {
	case ".", "":
		return d, 0
	case "..":
		return d.dir.parent, 0
	}
	n, errno := f.lookup(d, []byte(name))
	if errno != 0 || !n.isLink() {
		return n, errno
	}
	if depth >= 40 {
		return nil, syscall.ELOOP
	}
	target, errno := f.readlink(n)
	if errno != 0 {
		return nil, errno
	}
	at := d
	if strings.HasPrefix(target, "/") {
		at = f.guest
	}
	for _, s := range split(target) {
		if !at.isDir() {
			return nil, syscall.ENOTDIR
		}
		if at, errno = f.step(at, s, depth+1); errno != 0 {
			return nil, errno
		}
	}
	return at, 0
}

// readlink gives a symlink's target.
func (f *fsys) readlink(n *node) (string, syscall.Errno) {
	if n.target == "" && n.lower != nil {
		t, err := n.lower.Readlink()
		if err != nil {
			return "", f.layerError("readlink", err)
		}
		n.target = t
	}
	return n.target, 0
}
