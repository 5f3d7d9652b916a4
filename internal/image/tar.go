package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"dettrace/internal/hint"
	"dettrace/internal/rootfs"

	"golang.org/x/sys/unix"
)

// tarLayer is an archive: the index is in memory, content is read from the
// archive itself (plain) or from a spool file without a name (compressed).
type tarLayer struct {
	tree    *rootfs.Tree
	epoch   int64
	path    string
	file    *os.File // the archive
	plain   bool
	before  fileStamp
	content *spool
	digest  string
	// linkNames are the paths of files with several, by number; nil: not built.
	linkNames map[uint64][]string
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
	l := &tarLayer{path: path, file: f, content: &spool{}, epoch: opts.Epoch}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *tarLayer) load() (err error) {
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
	l.tree, err = indexTar(src, size, l.content, maxSparse)
	if err != nil {
		return fmt.Errorf("broken archive: %w", err)
	}
	return nil
}

func (l *tarLayer) Root() (Node, error) { return l.node(l.tree.Root), nil }

func (l *tarLayer) node(n *rootfs.Node) tarNode { return tarNode{n, l.epoch} }

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

// tarNode is one inode of an archive.
type tarNode struct {
	n     *rootfs.Node
	epoch int64
}

func (n tarNode) Meta() Meta {
	m := Meta{
		Mode: n.n.Mode, UID: n.n.UID, GID: n.n.GID, Size: n.n.Size, Rdev: n.n.Rdev,
		// Few programs expect files from before 1970.
		Mtime: min(max(n.n.Mtime, 0), n.epoch), Nlink: n.n.Nlink, Ino: n.n.Ino,
	}
	switch n.n.Type() {
	case unix.S_IFDIR:
		m.Size = dirSize
		if n.n.Implied {
			m.Mtime = n.epoch
		}
	case unix.S_IFLNK:
		m.Size = int64(len(n.n.Target))
	}
	return m
}

func (n tarNode) Lookup(name string) (Node, error) {
	if !n.n.IsDir() {
		return nil, fmt.Errorf("lookup: %s: %w", name, unix.ENOTDIR)
	}
	if c := n.n.Child(name); c != nil {
		return tarNode{c, n.epoch}, nil
	}
	return nil, fs.ErrNotExist
}

func (n tarNode) ReadDir() ([]Dirent, error) {
	if !n.n.IsDir() {
		return nil, fmt.Errorf("readdir: %w", unix.ENOTDIR)
	}
	names := n.n.Names()
	out := make([]Dirent, 0, len(names))
	for _, name := range names {
		c := n.n.Child(name)
		out = append(out, Dirent{Name: name, Ino: c.Ino, Type: c.Type()})
	}
	return out, nil
}

func (n tarNode) Readlink() (string, error) {
	if n.n.Type() != unix.S_IFLNK {
		return "", fmt.Errorf("readlink: %w", unix.EINVAL)
	}
	return n.n.Target, nil
}

func (n tarNode) Open() (File, error) {
	if !n.n.IsRegular() {
		return nil, fmt.Errorf("open: %w", unix.EINVAL)
	}
	if n.n.Size == 0 {
		return tarFile{strings.NewReader("")}, nil
	}
	return tarFile{io.NewSectionReader(n.n.Source, n.n.Offset, n.n.Size)}, nil
}

func (n tarNode) Xattrs() ([]Xattr, error) { return n.n.Xattrs, nil }

// tarFile is a section of the archive; there is nothing to close.
type tarFile struct{ io.ReaderAt }

func (tarFile) Close() error { return nil }
