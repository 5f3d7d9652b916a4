package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"golang.org/x/sys/unix"

	"dettrace/internal/rootfs"
)

// The index holds a tree in a form that is used as it is, mapped into memory:
// a look-up reads a few pages, whatever the size of the image. It follows from
// the manifest alone, and is made again when its version is not this one.
//
// Little endian: a header, then nodes, then directory entries (those of one
// directory together, sorted by name), then strings.
const (
	indexMagic = "dtindex1"
	headSize   = 96
	nodeSize   = 96
	dentSize   = 16

	noDent = math.MaxUint32 // of the root
)

// head is the header of an index.
type head struct {
	Magic        [8]byte
	Total        uint64 // bytes of the file
	Nodes, Dents uint32
	Strings      uint64 // bytes
	Config       uint32 // length; it is at the beginning of the strings
	_            uint32
	Files        uint64 // names, the root included
	Bytes        uint64 // content of all regular files
	_            [40]byte
}

// node is a record. A and B are the first entry and the number of entries of a
// directory, or offset and length of a symlink's target.
type node struct {
	Mode, UID, GID, Nlink uint32
	Size, Mtime           int64
	Rdev                  uint64 // of a directory: its own entry << 1 | implied
	Ino                   uint64
	Digest                [32]byte
	A, B                  uint32
	Xattrs, XattrsLen     uint32
}

// dent is a record.
type dent struct {
	Name, NameLen uint32
	Node, Parent  uint32
}

// indexWriter collects the parts of an index.
type indexWriter struct {
	nodes   []node
	dents   []dent
	strings []byte
	number  map[*rootfs.Node]uint32
	head    head
}

// buildIndex makes the index of a numbered tree.
func buildIndex(t *rootfs.Tree, config string) (*indexWriter, error) {
	w := &indexWriter{number: make(map[*rootfs.Node]uint32)}
	copy(w.head.Magic[:], indexMagic)
	w.head.Config = uint32(len(config))
	w.strings = append(w.strings, config...)
	w.add(t.Root, noDent)
	w.head.Files = 1
	// In order of node numbers, so directories come in order of depth.
	for todo := []*rootfs.Node{t.Root}; len(todo) > 0; todo = todo[1:] {
		d := todo[0]
		self := w.number[d]
		names := d.Names()
		w.nodes[self].A, w.nodes[self].B = uint32(len(w.dents)), uint32(len(names))
		for _, name := range names {
			c := d.Child(name)
			at := uint32(len(w.dents))
			i, known := w.number[c]
			if !known {
				i = w.add(c, at)
			}
			off := w.text(name)
			w.dents = append(w.dents, dent{off, uint32(len(name)), i, self})
			w.head.Files++
			if c.IsDir() {
				todo = append(todo, c)
			}
		}
	}
	if len(w.strings) > math.MaxUint32 || len(w.dents) >= noDent {
		return nil, errors.New("image has too many names")
	}
	w.head.Nodes, w.head.Dents, w.head.Strings = uint32(len(w.nodes)), uint32(len(w.dents)), uint64(len(w.strings))
	w.head.Total = headSize + uint64(len(w.nodes))*nodeSize + uint64(len(w.dents))*dentSize + w.head.Strings
	return w, nil
}

func (w *indexWriter) text(s string) uint32 {
	off := uint32(len(w.strings))
	w.strings = append(w.strings, s...)
	return off
}

func (w *indexWriter) add(n *rootfs.Node, at uint32) uint32 {
	i := uint32(len(w.nodes))
	w.number[n] = i
	r := node{
		Mode: n.Mode, UID: n.UID, GID: n.GID, Nlink: n.Nlink,
		Size: n.Size, Mtime: n.Mtime, Rdev: n.Rdev, Ino: n.Ino, Digest: n.Digest,
	}
	switch n.Type() {
	case unix.S_IFDIR:
		r.Rdev = uint64(at) << 1
		if n.Implied {
			r.Rdev |= 1
		}
	case unix.S_IFLNK:
		r.A, r.B = w.text(n.Target), uint32(len(n.Target))
	case unix.S_IFREG:
		w.head.Bytes += uint64(n.Size)
	}
	if len(n.Xattrs) > 0 {
		r.Xattrs = uint32(len(w.strings))
		for _, x := range n.Xattrs {
			w.strings = binary.LittleEndian.AppendUint32(w.strings, uint32(len(x.Name)))
			w.strings = binary.LittleEndian.AppendUint32(w.strings, uint32(len(x.Value)))
			w.strings = append(append(w.strings, x.Name...), x.Value...)
		}
		r.XattrsLen = uint32(len(w.strings)) - r.Xattrs
	}
	w.nodes = append(w.nodes, r)
	return i
}

func (w *indexWriter) writeTo(f io.Writer) error {
	b := bufio.NewWriterSize(f, 1<<20)
	le := binary.LittleEndian
	err := binary.Write(b, le, &w.head)
	buf := make([]byte, 0, nodeSize)
	for i := range w.nodes {
		n := &w.nodes[i]
		buf = buf[:0]
		for _, v := range [...]uint32{n.Mode, n.UID, n.GID, n.Nlink} {
			buf = le.AppendUint32(buf, v)
		}
		for _, v := range [...]uint64{uint64(n.Size), uint64(n.Mtime), n.Rdev, n.Ino} {
			buf = le.AppendUint64(buf, v)
		}
		buf = append(buf, n.Digest[:]...)
		for _, v := range [...]uint32{n.A, n.B, n.Xattrs, n.XattrsLen} {
			buf = le.AppendUint32(buf, v)
		}
		_, _ = b.Write(buf) // bufio keeps the error for Flush
	}
	for _, d := range w.dents {
		buf = buf[:0]
		for _, v := range [...]uint32{d.Name, d.NameLen, d.Node, d.Parent} {
			buf = le.AppendUint32(buf, v)
		}
		_, _ = b.Write(buf)
	}
	_, _ = b.Write(w.strings)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return b.Flush()
}
