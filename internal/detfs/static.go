package detfs

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// staticDir is a directory of a static tree. Its entries become nodes when somebody
// asks for them: a run looks at a few of some 600 files.
type staticDir struct {
	files []StaticFile // of the whole tree; paths are clean and relative
	base  uint64       // of inode numbers
	path  string       // of the directory in the tree: "" or "sys/kernel/"
	depth uint64
	all   bool // every entry has its node
}

// buildStatic makes one tree beside the guest's. An inode number is the position in
// the list of the file, or of the first one below a directory, so it depends neither
// on what is asked for first nor on the guest's files.
func (f *fsys) buildStatic(i int, t StaticTree) error {
	if t.Name == "" || t.Name == "root" || strings.Contains(t.Name, "/") {
		return fmt.Errorf("detfs: static tree %q: %w", t.Name, syscall.EINVAL)
	}
	for i := range t.Files {
		p := &t.Files[i]
		if p.Path = strings.TrimPrefix(p.Path, "/"); p.Path == "." || !fs.ValidPath(p.Path) || p.Before || p.Extra {
			return fmt.Errorf("detfs: file %q of static tree %s: %w", p.Path, t.Name, syscall.EINVAL)
		}
	}
	base := staticIno | uint64(i)<<32
	top := f.addStatic(f.root, syscall.S_IFDIR|0o555, base)
	top.dir.parent = top
	top.dir.static = &staticDir{files: t.Files, base: base}
	f.setStart(f.root, t.Name, top)
	return nil
}

// addStatic makes a node of a static tree.
func (f *fsys) addStatic(d *node, mode uint32, ino uint64) *node {
	n := &node{
		ino: ino, mount: -1, mode: mode, nlink: 1, flags: flagData | flagPremade | flagReadOnly,
		atime: f.cfg.Epoch, mtime: f.cfg.Epoch, ctime: f.cfg.Epoch,
	}
	if n.isDir() {
		n.size = dirSize
		n.dir = newDir(d)
	}
	return f.add(n)
}

// staticEntry is where in the list a name of a directory comes from.
type staticEntry struct {
	file  int // the last file with that path, or -1
	below int // the first file below it, or -1
}

// note adds the i-th file, whose path from that of the name on is rest.
func (e *staticEntry) note(i int, rest string) {
	if rest == "" {
		e.file = i
	} else if rest[0] == '/' && e.below < 0 {
		e.below = i
	}
}

// expand makes the node of name in d; nil if there is none.
func (f *fsys) expand(d *node, name string) *node {
	s, e := d.dir.static, staticEntry{-1, -1}
	path := s.path + name
	for i := range s.files {
		if rest, ok := strings.CutPrefix(s.files[i].Path, path); ok {
			e.note(i, rest)
		}
	}
	if e.file < 0 && e.below < 0 {
		return nil
	}
	return f.expandEntry(d, name, e)
}

// expandAll makes the nodes of all entries of d.
func (f *fsys) expandAll(d *node) {
	s := d.dir.static
	if s.all {
		return
	}
	s.all = true
	var names []string // in the order of the list: maps have none
	entries := map[string]*staticEntry{}
	for i := range s.files {
		rest, ok := strings.CutPrefix(s.files[i].Path, s.path)
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		e := entries[name]
		if e == nil {
			e = &staticEntry{-1, -1}
			names, entries[name] = append(names, name), e
		}
		e.note(i, rest[len(name):])
	}
	for _, name := range names {
		if _, have := d.dir.children[name]; !have {
			f.expandEntry(d, name, *entries[name])
		}
	}
}

func (f *fsys) expandEntry(d *node, name string, e staticEntry) *node {
	const spacing = 20 // bits of positions; above them is the depth of directories
	s := d.dir.static
	var n *node
	if e.below < 0 && !s.files[e.file].Dir {
		n = f.expandFile(d, &s.files[e.file], s.base|uint64(e.file)+1)
	} else {
		mode, at := uint32(0o755), uint64(e.below)
		if e.file >= 0 && s.files[e.file].Dir {
			mode, at = s.files[e.file].Mode&0o7777, uint64(e.file)
		}
		n = f.addStatic(d, syscall.S_IFDIR|mode, s.base|(s.depth+1)<<spacing|at+1)
		n.dir.static = &staticDir{files: s.files, base: s.base, path: s.path + name + "/", depth: s.depth + 1}
	}
	f.setStart(d, name, n)
	return n
}

func (f *fsys) expandFile(d *node, s *StaticFile, ino uint64) *node {
	if s.Serial != 0 {
		v, _ := Volume(d.ino)
		ino = SerialIno(v, s.Serial)
	}
	mode := syscall.S_IFREG | s.Mode&0o7777
	if s.Link {
		mode = syscall.S_IFLNK | 0o777
	}
	n := f.addStatic(d, mode, ino)
	if s.Hidden {
		n.flags |= flagHidden
	}
	if s.Door != "" {
		f.doors[n.ino] = s.Door
	}
	n.size = int64(len(s.Content))
	n.basesz = n.size
	if s.Link {
		n.target = string(s.Content)
	} else {
		n.data = &fileData{inline: s.Content} // never written to
	}
	return n
}
