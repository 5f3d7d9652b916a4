package store

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/image"
	"dettrace/internal/rootfs"
)

// dirSize is the size of every directory, as package image has it.
const dirSize = 4096

// layer is an image of the store as a run sees it: names and metadata from the
// index, content by digest. It holds the image's lock, so that no collection
// of garbage takes it away.
type layer struct {
	m      *mapped
	digest string
	epoch  int64
	blobs  int // descriptor of blobs/sha256
	inUse  *os.File
	links  map[uint64][]string // see LinkNames; nil: not built
}

// LinkNames implements image.Linked.
func (l *layer) LinkNames(ino uint64) []string {
	if l.links == nil {
		l.links = map[uint64][]string{}
		l.walkLinks(0, "")
	}
	return l.links[ino]
}

// walkLinks collects the names below directory i. What is damaged is left out: who
// reads it gets the error.
func (l *layer) walkLinks(i uint32, at string) {
	d, err := l.m.node(i)
	if err != nil {
		return
	}
	for k := range d.B {
		e, name, err := l.m.dent(d.A + k)
		if err != nil {
			return
		}
		n, err := l.m.node(e.Node)
		switch p := at + "/" + string(name); {
		case err != nil:
		case n.Mode&unix.S_IFMT == unix.S_IFDIR && e.Node > i: // else it leads up, which no whole index does
			l.walkLinks(e.Node, p)
		case n.Nlink > 1:
			l.links[n.Ino] = append(l.links[n.Ino], p)
		}
	}
}

// OpenLayer opens an image by its full digest. epoch, in ns since 1970, is the
// upper bound of file times.
func (s *Store) OpenLayer(digest string, epoch int64) (image.Layer, error) {
	h, err := hexOf(digest)
	if err != nil {
		return nil, err
	}
	store, err := s.lock(unix.LOCK_SH)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.missing(digest)
	}
	if err != nil {
		return nil, err
	}
	defer unlock(store)
	inUse, err := flock(s.path("images", h, "lock"), unix.LOCK_SH)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.missing(digest)
	}
	if err != nil {
		return nil, err
	}
	l := &layer{digest: digest, epoch: epoch, blobs: -1, inUse: inUse}
	if l.m, err = s.index(h); err == nil {
		l.blobs, err = unix.Open(s.path(blobsDir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return image.Record(l, epoch), nil
}

func (l *layer) Root() (image.Node, error) { return l.at(0, noDent) }

// Observed is empty: image.Record remembers what was asked.
func (l *layer) Observed() ([]image.Observation, error) { return nil, nil }

// Verify has nothing to do: what the store holds never changes.
func (l *layer) Verify() error { return nil }

func (l *layer) Digest() (string, error) { return l.digest, nil }

func (l *layer) Portable() bool { return true }

func (l *layer) Close() error {
	var errs []error
	if l.m != nil {
		errs = append(errs, l.m.close())
	}
	if l.blobs >= 0 {
		errs = append(errs, unix.Close(l.blobs))
	}
	unlock(l.inUse)
	return errors.Join(errs...)
}

// file is a node of the layer under one of its names.
type file struct {
	l    *layer
	n    node
	dent uint32
}

func (l *layer) at(i, dent uint32) (*file, error) {
	n, err := l.m.node(i)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", l.digest, err)
	}
	return &file{l, n, dent}, nil
}

func (f *file) typ() uint32 { return f.n.Mode & unix.S_IFMT }

func (f *file) Meta() image.Meta {
	m := image.Meta{
		Mode: f.n.Mode, UID: f.n.UID, GID: f.n.GID, Size: f.n.Size, Rdev: f.n.Rdev,
		// Few programs expect files from before 1970.
		Mtime: min(max(f.n.Mtime, 0), f.l.epoch), Nlink: f.n.Nlink, Ino: f.n.Ino,
	}
	switch f.typ() {
	case unix.S_IFDIR:
		m.Size, m.Rdev = dirSize, 0
		if f.n.Rdev&1 != 0 {
			m.Mtime = f.l.epoch
		}
	case unix.S_IFLNK:
		m.Size = int64(f.n.B)
	}
	return m
}

func (f *file) Lookup(name string) (image.Node, error) {
	if f.typ() != unix.S_IFDIR {
		return nil, fmt.Errorf("lookup: %s: %w", name, unix.ENOTDIR)
	}
	at, d, ok, err := f.l.m.find(&f.n, name)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", f.l.digest, err)
	}
	if !ok {
		return nil, fs.ErrNotExist
	}
	return f.l.at(d.Node, at)
}

func (f *file) ReadDir() ([]image.Dirent, error) {
	if f.typ() != unix.S_IFDIR {
		return nil, fmt.Errorf("readdir: %w", unix.ENOTDIR)
	}
	out := make([]image.Dirent, 0, min(f.n.B, f.l.m.head.Dents))
	for i := range f.n.B {
		d, name, err := f.l.m.dent(f.n.A + i)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", f.l.digest, err)
		}
		n, err := f.l.m.node(d.Node)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", f.l.digest, err)
		}
		out = append(out, image.Dirent{Name: string(name), Ino: n.Ino, Type: n.Mode & unix.S_IFMT})
	}
	return out, nil
}

func (f *file) Readlink() (string, error) {
	if f.typ() != unix.S_IFLNK {
		return "", fmt.Errorf("readlink: %w", unix.EINVAL)
	}
	b, err := f.l.m.text(f.n.A, f.n.B)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", f.l.digest, err)
	}
	return string(b), nil
}

// Open opens the content. What a digest stands for is not computed again at
// every opening, only the size is looked at: dettrace image verify does.
func (f *file) Open() (image.File, error) {
	if f.typ() != unix.S_IFREG {
		return nil, fmt.Errorf("open: %w", unix.EINVAL)
	}
	if f.n.Size == 0 {
		return empty{strings.NewReader("")}, nil
	}
	name := blobName(f.n.Digest)
	fd, err := openat(f.l.blobs, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return nil, damaged(&os.PathError{Op: "open", Path: name, Err: err})
	}
	b := os.NewFile(uintptr(fd), name)
	if st, err := b.Stat(); err != nil || st.Size() != f.n.Size {
		b.Close()
		return nil, damaged(fmt.Errorf("%s: has another size", name))
	}
	return b, nil
}

func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, 0o400)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// damaged is not wrapped around err: that a blob is not there must not look
// like a name that is not there.
func damaged(err error) error { return fmt.Errorf("store is damaged: %s", err) }

// Content opens the content of a regular file of some image.
func (s *Store) Content(n *rootfs.Node) (io.ReadCloser, error) {
	if n.Size == 0 {
		return empty{strings.NewReader("")}, nil
	}
	f, err := os.Open(s.path(blobsDir, blobName(n.Digest)))
	if err != nil {
		return nil, damaged(err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != n.Size {
		f.Close()
		return nil, damaged(fmt.Errorf("%s: has another size", f.Name()))
	}
	return f, nil
}

// ContentDigest tells image.Record what the content is.
func (f *file) ContentDigest() (string, error) {
	return digestPrefix + hex.EncodeToString(f.n.Digest[:]), nil
}

// empty is a file of no bytes; there is nothing to close.
type empty struct{ *strings.Reader }

func (empty) Close() error { return nil }

func (f *file) Xattrs() ([]image.Xattr, error) {
	if f.n.XattrsLen == 0 {
		return nil, nil
	}
	b, err := f.l.m.text(f.n.Xattrs, f.n.XattrsLen)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", f.l.digest, err)
	}
	var out []image.Xattr
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, fmt.Errorf("image %s: %w", f.l.digest, errIndex)
		}
		k, v := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
		if b = b[8:]; k+v > uint64(len(b)) {
			return nil, fmt.Errorf("image %s: %w", f.l.digest, errIndex)
		}
		out = append(out, image.Xattr{Name: string(b[:k]), Value: append([]byte(nil), b[k:k+v]...)})
		b = b[k+v:]
	}
	return out, nil
}
