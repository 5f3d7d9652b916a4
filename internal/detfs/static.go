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
	tree  *staticTree
	path  string // of the directory in the tree: "" or "sys/kernel/"
	depth uint64
	all   bool // every entry has its node
}

type staticTree struct {
	files []StaticFile // paths are clean and relative
	lines string       // StaticTree.Lines behind a newline; they come after files
	base  uint64       // of inode numbers
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
	tree := &staticTree{files: t.Files, lines: "\n" + t.Lines, base: staticIno | uint64(i)<<32}
	top := f.addStatic(f.root, syscall.S_IFDIR|0o555, tree.base)
	top.dir.parent = top
	top.dir.static = &staticDir{tree: tree}
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
	file  int    // the last file with that path, or -1
	below int    // the first file below it, or -1
	text  string // content of a file that is a line
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
	e := d.dir.static.tree.find(d.dir.static.path + name)
	if e.file < 0 && e.below < 0 {
		return nil
	}
	return f.expandEntry(d, name, e)
}

// find looks for a path.
func (t *staticTree) find(path string) staticEntry {
	e := staticEntry{file: -1, below: -1}
	for i := range t.files {
		if rest, ok := strings.CutPrefix(t.files[i].Path, path); ok {
			e.note(i, rest)
		}
	}
	for at := 0; e.below < 0; {
		i := strings.Index(t.lines[at:], "\n"+path)
		if i < 0 {
			break
		}
		at += i + 1
		line, _, _ := strings.Cut(t.lines[at:], "\n")
		p, text, ok := strings.Cut(line, "=")
		if rest, below := strings.CutPrefix(p, path); ok && below {
			n := len(t.files) + strings.Count(t.lines[:at], "\n") - 1
			if e.note(n, rest); rest == "" {
				e.text = text + "\n"
			}
		}
	}
	return e
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
	note := func(i int, path, text string) {
		rest, ok := strings.CutPrefix(path, s.path)
		if !ok {
			return
		}
		name, _, _ := strings.Cut(rest, "/")
		e := entries[name]
		if e == nil {
			e = &staticEntry{file: -1, below: -1}
			names, entries[name] = append(names, name), e
		}
		if e.note(i, rest[len(name):]); name == rest {
			e.text = text
		}
	}
	for i := range s.tree.files {
		note(i, s.tree.files[i].Path, "")
	}
	i := len(s.tree.files)
	for line := range strings.SplitSeq(s.tree.lines[1:], "\n") {
		if path, text, ok := strings.Cut(line, "="); ok {
			note(i, path, text+"\n")
		}
		i++
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
	var file StaticFile
	if e.file >= len(s.tree.files) {
		file = StaticFile{Mode: 0o644, Content: []byte(e.text)}
	} else if e.file >= 0 {
		file = s.tree.files[e.file]
	}
	var n *node
	if e.below < 0 && !file.Dir {
		n = f.expandFile(d, &file, s.tree.base|uint64(e.file)+1)
	} else {
		mode, at := uint32(0o755), uint64(e.below)
		if file.Dir {
			mode, at = file.Mode&0o7777, uint64(e.file)
		}
		n = f.addStatic(d, syscall.S_IFDIR|mode, s.tree.base|(s.depth+1)<<spacing|at+1)
		n.dir.static = &staticDir{tree: s.tree, path: s.path + name + "/", depth: s.depth + 1}
	}
	f.setStart(d, name, n)
	return n
}

func (f *fsys) expandFile(d *node, s *StaticFile, ino uint64) *node {
	if s.Serial != 0 {
		v, _ := Volume(d.ino)
		ino = SerialIno(v, s.Serial)
	}
	n := f.addStatic(d, s.mode(), ino)
	if f.describe(n, s); !s.Link {
		n.data = &fileData{inline: s.Content} // never written to
	}
	return n
}

// mode is st_mode of a file that is no directory.
func (s *StaticFile) mode() uint32 {
	if s.Link {
		return syscall.S_IFLNK | 0o777
	}
	return syscall.S_IFREG | s.Mode&0o7777
}

// describe gives n, which has its number, what s says of it but for a file's content.
func (f *fsys) describe(n *node, s *StaticFile) {
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
	}
}
