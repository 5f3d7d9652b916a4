package detfs

import (
	"errors"
	"fmt"
	"io"

	"dettrace/internal/fuse"
	"dettrace/internal/image"
)

// maxOpenLower bounds the descriptors held on the layers' files.
const maxOpenLower = 64

// lowerFiles keeps the last used open files of the layers.
type lowerFiles struct {
	slots [maxOpenLower]lowerFile
	tick  uint64
}

type lowerFile struct {
	n    *node
	f    image.File
	used uint64
}

// get opens n's lower file, or finds it open.
func (l *lowerFiles) get(n *node) (image.File, error) {
	l.tick++
	oldest := 0
	for i := range l.slots {
		s := &l.slots[i]
		if s.n == n {
			s.used = l.tick
			return s.f, nil
		}
		if s.used < l.slots[oldest].used {
			oldest = i
		}
	}
	f, err := n.lower.Open()
	if err != nil {
		return nil, err
	}
	s := &l.slots[oldest]
	if s.f != nil {
		if err := s.f.Close(); err != nil {
			return nil, err
		}
	}
	*s = lowerFile{n: n, f: f, used: l.tick}
	return f, nil
}

// has gives n's lower file if it is open.
func (l *lowerFiles) has(n *node) image.File {
	for i := range l.slots {
		if l.slots[i].n == n {
			return l.slots[i].f
		}
	}
	return nil
}

// forget closes n's file; an error of it was none of a read and is dropped.
func (l *lowerFiles) forget(n *node) {
	if n.lower == nil || !n.isReg() {
		return
	}
	for i := range l.slots {
		if l.slots[i].n == n {
			_ = l.slots[i].f.Close()
			l.slots[i] = lowerFile{}
		}
	}
}

// readLower fills b from n's layer.
func (f *fsys) readLower(n *node, b []byte, off int64) error {
	file, err := f.open.get(n)
	if err != nil {
		return err
	}
	k, err := file.ReadAt(b, off)
	if k == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = fmt.Errorf("file is shorter than it was: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// Source finds the file of the host behind one of a layer that is as it was.
func (f *fsys) Source(r *fuse.Request, off int64, n int) (fd, k int) {
	x := f.get(r.Node)
	if x == nil || !x.isReg() || x.lower == nil || x.data != nil || off >= x.size || f.doors[x.ino] != "" {
		return -1, 0
	}
	file, err := f.open.get(x)
	if err != nil {
		return -1, 0 // Read says so
	}
	fd, ok := image.Descriptor(file)
	if !ok {
		return -1, 0
	}
	return fd, int(min(int64(n), x.size-off))
}

// readNode fills b from off and returns how much there is.
func (f *fsys) readNode(n *node, b []byte, off int64) (int, error) {
	if off >= n.size {
		return 0, nil
	}
	b = b[:min(int64(len(b)), n.size-off)]
	if n.data != nil {
		return len(b), n.data.read(f.st, f.lowOf(n), b, off)
	}
	if n.lower == nil {
		clear(b)
		return len(b), nil
	}
	return len(b), f.readLower(n, b, off)
}

// lowOf gives n's lower content as a lowerReader.
func (f *fsys) lowOf(n *node) lowerReader {
	if n.lower == nil {
		return nil
	}
	return func(b []byte, off int64) error { return f.readLower(n, b, off) }
}

// own makes n's content changeable. Nothing is copied: what is not written
// keeps coming from the layer.
func (n *node) own() *fileData {
	if n.data == nil {
		n.data = &fileData{}
		if n.lower != nil {
			n.data.base = n.size
		}
	}
	n.flags |= flagData
	return n.data
}
