package store

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/rootfs"
)

// Skipped is a file that no image can hold.
type Skipped struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// AddLayer reads a whole layer into the tree, which must be empty, and checks
// that nothing changed meanwhile. Sockets are left out.
func (b *Build) AddLayer(l image.Layer) ([]Skipped, error) {
	w := &layerWalk{b: b, hard: make(map[uint64]*rootfs.Node)}
	top, err := l.Root()
	if err != nil {
		return nil, err
	}
	if b.Tree.Root, err = w.node("/", top); err != nil {
		return nil, err
	}
	type item struct {
		path string
		dir  *rootfs.Node
		from image.Node
	}
	for todo := []item{{"", b.Tree.Root, top}}; len(todo) > 0; {
		it := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		list, err := it.from.ReadDir()
		if err != nil {
			return nil, fmt.Errorf("%s/: %w", it.path, readable(err))
		}
		for _, e := range list {
			p := it.path + "/" + e.Name
			from, err := it.from.Lookup(e.Name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p, readable(err))
			}
			if e.Type == unix.S_IFSOCK {
				w.skipped = append(w.skipped, Skipped{p, "socket"})
				continue
			}
			n, err := w.node(p, from)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p, readable(err))
			}
			it.dir.Add(e.Name, n)
			if n.IsDir() {
				todo = append(todo, item{p, n, from})
			}
		}
	}
	return w.skipped, l.Verify()
}

func readable(err error) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return hint.With(err, "import as the owner of the tree (root), or a tar archive of it")
	}
	return err
}

type layerWalk struct {
	b       *Build
	hard    map[uint64]*rootfs.Node
	skipped []Skipped
}

func (w *layerWalk) node(p string, from image.Node) (*rootfs.Node, error) {
	m := from.Meta()
	many := m.Nlink > 1 && m.Mode&unix.S_IFMT != unix.S_IFDIR
	if many {
		if n := w.hard[m.Ino]; n != nil {
			return n, nil
		}
	}
	n := rootfs.NewDir()
	n.Mode, n.UID, n.GID, n.Rdev, n.Mtime = m.Mode, m.UID, m.GID, m.Rdev, m.Mtime
	if many {
		w.hard[m.Ino] = n
	}
	xs, err := from.Xattrs()
	if err != nil {
		return nil, err
	}
	n.Xattrs = xs
	if w.b.Budget.Entries--; w.b.Budget.Entries < 0 {
		return nil, hint.With(errors.New("too many files"), "--max-files N allows more")
	}
	switch n.Type() {
	case unix.S_IFLNK:
		n.Mode = unix.S_IFLNK | 0o777
		n.Target, err = from.Readlink()
		return n, err
	case unix.S_IFREG:
		n.Size = m.Size
		if n.Size > w.b.Budget.Bytes {
			return nil, hint.With(errors.New("too much content"), "--max-size BYTES allows more")
		}
		w.b.Budget.Bytes -= n.Size
		f, err := from.Open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return n, w.b.Content(n, io.NewSectionReader(f, 0, n.Size))
	}
	return n, nil
}
