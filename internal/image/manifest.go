package image

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// walk visits every name of the tree, sorted by path components.
func (t *tarTree) walk(do func(path string, n *tarNode) error) error {
	type item struct {
		path string
		n    *tarNode
	}
	todo := []item{{"", t.root}}
	for len(todo) > 0 {
		it := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := it.path
		if p == "" {
			p = "/"
		}
		if err := do(p, it.n); err != nil {
			return err
		}
		for _, name := range slices.Backward(sortedKeys(it.n.children)) {
			todo = append(todo, item{it.path + "/" + name, it.n.children[name]})
		}
	}
	return nil
}

// number gives inodes their number, from the first of their names in walk
// order, and counts the names.
func (t *tarTree) number() {
	_ = t.walk(func(p string, n *tarNode) error { // do never fails
		if n.meta.Nlink++; n.meta.Nlink == 1 {
			n.meta.Ino = pathIno(p)
		}
		return nil
	})
}

// Digest is over the canonical manifest: every name with its metadata and
// content, sorted. How the archive was packed, compressed or ordered does not
// matter, nor does the epoch of the run.
func (l *tarLayer) Digest() (string, error) {
	if l.digest != "" {
		return l.digest, nil
	}
	h := sha256.New()
	first := make(map[*tarNode]string)
	err := l.tree.walk(func(p string, n *tarNode) error {
		field(h, p)
		if f, ok := first[n]; ok {
			field(h, "hard link")
			field(h, f)
			return nil
		}
		if n.meta.Nlink > 1 {
			first[n] = p
		}
		m := n.meta
		mtime := strconv.FormatInt(n.mtime, 10)
		if n.implied {
			mtime = "-"
		}
		field(h, fmt.Sprintf("%o %d %d %d %s %d", m.Mode, m.UID, m.GID, m.Size, mtime, m.Rdev))
		field(h, n.target)
		field(h, xattrDigest(n.xattrs))
		if m.Mode&unix.S_IFMT != unix.S_IFREG {
			return nil
		}
		sum, err := n.contentDigest()
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		field(h, sum)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	l.digest = sumString(h)
	return l.digest, nil
}

func (n *tarNode) contentDigest() (string, error) {
	h := sha256.New()
	f, err := n.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	k, err := io.Copy(h, io.NewSectionReader(f, 0, n.meta.Size))
	if err == nil && k != n.meta.Size {
		err = io.ErrUnexpectedEOF
	}
	return sumString(h), err
}
