package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"dettrace/internal/hint"

	"golang.org/x/sys/unix"
)

// tarLayer is an archive: the index is in memory, content is read from the
// archive itself (plain) or from a spool file without a name (compressed).
type tarLayer struct {
	tree    *tarTree
	path    string
	file    *os.File // the archive
	plain   bool
	before  fileStamp
	content *spool
	digest  string
}

// fileStamp tells whether a file was written to.
type fileStamp struct {
	id           fileID
	size         int64
	mtime, ctime int64
}

func stampOf(f *os.File) (fileStamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fileStamp{}, &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileStamp{}, &os.PathError{Op: "open", Path: f.Name(), Err: errNotTar}
	}
	return fileStamp{fileID{st.Dev, st.Ino}, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, nil
}

func openTar(path string, opts Options) (Layer, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	l := &tarLayer{path: path, file: f, content: &spool{}}
	if err := l.load(opts); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *tarLayer) load(opts Options) (err error) {
	if l.before, err = stampOf(l.file); err != nil {
		return err
	}
	if err := sniff(l.file, l.before.size); err != nil {
		return err
	}
	body, plain, err := unpack(l.file, l.before.size)
	if err != nil {
		return err
	}
	defer body.Close()
	var src io.ReaderAt = l.file
	size := l.before.size
	l.plain = plain
	if !plain {
		start, n, err := l.content.add(body)
		if err != nil {
			return hint.With(fmt.Errorf("unpack: %w", err), "the archive is cut off or damaged")
		}
		src, size = io.NewSectionReader(l.content, start, n), n
	}
	l.tree, err = indexTar(src, size, opts.Epoch, l.content, maxSparse)
	if err != nil {
		return fmt.Errorf("broken archive: %w", err)
	}
	return nil
}

func (l *tarLayer) Root() (Node, error) { return l.tree.root, nil }

// Observed is empty: Record remembers what was asked.
func (l *tarLayer) Observed() ([]Observation, error) { return nil, nil }

// Verify matters for plain archives only, a spool file is ours.
func (l *tarLayer) Verify() error {
	if !l.plain {
		return nil
	}
	now, err := stampOf(l.file)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	// A new name or a removed one changes ctime, but no byte.
	if now.size != l.before.size || now.mtime != l.before.mtime {
		return fmt.Errorf("verify: %s: was written to: %w", l.path, ErrChanged)
	}
	return nil
}

func (l *tarLayer) Portable() bool { return true }

func (l *tarLayer) Close() error { return errors.Join(l.file.Close(), l.content.Close()) }

// tarTree is the index. Directories map names to inodes, so hard links are
// several names of one tarNode.
type tarTree struct {
	root *tarNode
}

// tarNode is one inode of an archive.
type tarNode struct {
	meta     Meta
	implied  bool  // a directory that only occurs in the names of others
	mtime    int64 // as in the archive, ns
	children map[string]*tarNode
	target   string
	xattrs   []Xattr
	src      io.ReaderAt
	off      int64
}

func (n *tarNode) isDir() bool { return n.meta.Mode&unix.S_IFMT == unix.S_IFDIR }
func (n *tarNode) isReg() bool { return n.meta.Mode&unix.S_IFMT == unix.S_IFREG }

func (n *tarNode) Meta() Meta { return n.meta }

func (n *tarNode) Lookup(name string) (Node, error) {
	if !n.isDir() {
		return nil, fmt.Errorf("lookup: %s: %w", name, unix.ENOTDIR)
	}
	if c := n.children[name]; c != nil {
		return c, nil
	}
	return nil, fs.ErrNotExist
}

func (n *tarNode) ReadDir() ([]Dirent, error) {
	if !n.isDir() {
		return nil, fmt.Errorf("readdir: %w", unix.ENOTDIR)
	}
	out := make([]Dirent, 0, len(n.children))
	for name, c := range n.children {
		out = append(out, Dirent{Name: name, Ino: c.meta.Ino, Type: c.meta.Mode & unix.S_IFMT})
	}
	slices.SortFunc(out, func(a, b Dirent) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (n *tarNode) Readlink() (string, error) {
	if n.meta.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", fmt.Errorf("readlink: %w", unix.EINVAL)
	}
	return n.target, nil
}

func (n *tarNode) Open() (File, error) {
	if !n.isReg() {
		return nil, fmt.Errorf("open: %w", unix.EINVAL)
	}
	if n.meta.Size == 0 {
		return tarFile{strings.NewReader("")}, nil
	}
	return tarFile{io.NewSectionReader(n.src, n.off, n.meta.Size)}, nil
}

func (n *tarNode) Xattrs() ([]Xattr, error) { return n.xattrs, nil }

// tarFile is a section of the archive; there is nothing to close.
type tarFile struct{ io.ReaderAt }

func (tarFile) Close() error { return nil }
