package compare

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/archive"
	"dettrace/internal/rootfs"
	"dettrace/internal/store"
)

// Config is the name of an image's config in a tree that has it: as a file, JSON.
const Config = "(config)"

// Image is the tree of an image of the store; its files stay there. With config
// it has a file more, for comparing two of them.
func Image(s *store.Store, digest string, config bool) (*Tree, error) {
	// The open layer keeps the image from being removed.
	l, err := s.OpenLayer(digest, 0)
	if err != nil {
		return nil, err
	}
	t := &Tree{Name: digest, files: []io.Closer{l}}
	if err := t.image(s, digest, config); err != nil {
		return nil, fmt.Errorf("image %s: %w", store.Short(digest), errors.Join(err, t.Close()))
	}
	archive.Sort(t.Files)
	return t, nil
}

func (t *Tree) image(s *store.Store, digest string, config bool) error {
	tree, c, err := s.Tree(digest)
	if err != nil {
		return err
	}
	if config {
		text, err := c.Canonical()
		if err != nil {
			return err
		}
		text += "\n"
		data := io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
		t.Files = append(t.Files, archive.File{Path: Config, ModTime: archive.NoTime, Size: data.Size(), Data: data})
	}
	first := map[*rootfs.Node]string{}
	return tree.Walk(func(p string, n *rootfs.Node) error {
		if p = strings.TrimPrefix(p, "/"); p == "" {
			return nil
		}
		f := archive.File{Path: p, Mode: fileMode(n.Mode), UID: int(n.UID), GID: int(n.GID), ModTime: n.Mtime}
		if n.Implied {
			f.ModTime = archive.NoTime
		}
		if n.Nlink > 1 && !n.IsDir() {
			if name, ok := first[n]; ok {
				f.Link, f.Hard = name, true
				t.Files = append(t.Files, f)
				return nil
			}
			first[n] = p
		}
		switch n.Type() {
		case unix.S_IFLNK:
			f.Link = n.Target
		case unix.S_IFCHR, unix.S_IFBLK:
			f.Device = uint64(unix.Major(n.Rdev))<<32 | uint64(unix.Minor(n.Rdev))
		case unix.S_IFREG:
			f.Size, f.Data = n.Size, io.NewSectionReader(content{s, n}, 0, n.Size)
		}
		for _, x := range n.Xattrs {
			if f.Xattrs == nil {
				f.Xattrs = map[string]string{}
			}
			f.Xattrs[x.Name] = string(x.Value)
		}
		t.Files = append(t.Files, f)
		return nil
	})
}

// content is a file of the store that is open only while it is read.
type content struct {
	s *store.Store
	n *rootfs.Node
}

func (c content) ReadAt(p []byte, off int64) (int, error) {
	r, err := c.s.Content(c.n)
	if err != nil {
		return 0, err
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		return 0, errors.Join(errors.New("content cannot be read at a place"), r.Close())
	}
	n, err := at.ReadAt(p, off)
	if cerr := r.Close(); err == nil { // not errors.Join: readers compare with io.EOF
		err = cerr
	}
	return n, err
}

// fileMode is st_mode as package fs has it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for _, b := range []struct {
		bits, of uint32
		m        fs.FileMode
	}{
		{unix.S_IFDIR, unix.S_IFMT, fs.ModeDir}, {unix.S_IFLNK, unix.S_IFMT, fs.ModeSymlink}, {unix.S_IFIFO, unix.S_IFMT, fs.ModeNamedPipe},
		{unix.S_IFBLK, unix.S_IFMT, fs.ModeDevice}, {unix.S_IFCHR, unix.S_IFMT, fs.ModeDevice | fs.ModeCharDevice},
		{unix.S_ISUID, unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, unix.S_ISVTX, fs.ModeSticky},
	} {
		if mode&b.of == b.bits {
			m |= b.m
		}
	}
	return m
}
