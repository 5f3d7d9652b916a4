package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"

	"golang.org/x/sys/unix"
)

// errIndex is about an index that does not hold together.
var errIndex = errors.New("index is damaged")

// mapped is an index in memory. Every offset is checked before it is used: a
// damaged index gives errors and never a fault.
type mapped struct {
	b    []byte
	head head
	// Where the parts begin.
	dents, strings int
}

// mapIndex maps an index file; close it.
func mapIndex(name string) (*mapped, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < headSize || st.Size() > 1<<40 {
		return nil, fmt.Errorf("%s: %w", name, errIndex)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: name, Err: err}
	}
	m := &mapped{b: b}
	if err := m.check(); err != nil {
		_ = m.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (m *mapped) check() error {
	if err := binary.Read(bytes.NewReader(m.b[:headSize]), binary.LittleEndian, &m.head); err != nil {
		return err
	}
	h := &m.head
	m.dents = headSize + int(h.Nodes)*nodeSize
	m.strings = m.dents + int(h.Dents)*dentSize
	if string(h.Magic[:]) != indexMagic || h.Total != uint64(len(m.b)) || h.Nodes == 0 ||
		h.Strings > h.Total || uint64(m.strings)+h.Strings != h.Total || uint64(h.Config) > h.Strings {
		return errIndex
	}
	return nil
}

func (m *mapped) close() error { return unix.Munmap(m.b) }

func (m *mapped) config() string { return string(m.b[m.strings : m.strings+int(m.head.Config)]) }

// text is part of the strings, valid until close.
func (m *mapped) text(off, size uint32) ([]byte, error) {
	if uint64(off)+uint64(size) > m.head.Strings {
		return nil, errIndex
	}
	at := m.strings + int(off)
	return m.b[at : at+int(size)], nil
}

func (m *mapped) node(i uint32) (n node, err error) {
	if i >= m.head.Nodes {
		return n, errIndex
	}
	r := m.b[headSize+int(i)*nodeSize:][:nodeSize]
	le := binary.LittleEndian
	n = node{
		Mode: le.Uint32(r), UID: le.Uint32(r[4:]), GID: le.Uint32(r[8:]), Nlink: le.Uint32(r[12:]),
		Size: int64(le.Uint64(r[16:])), Mtime: int64(le.Uint64(r[24:])), Rdev: le.Uint64(r[32:]), Ino: le.Uint64(r[40:]),
		Digest: [32]byte(r[48:80]), A: le.Uint32(r[80:]), B: le.Uint32(r[84:]), Xattrs: le.Uint32(r[88:]), XattrsLen: le.Uint32(r[92:]),
	}
	return n, nil
}

func (m *mapped) dent(i uint32) (d dent, name []byte, err error) {
	if i >= m.head.Dents {
		return d, nil, errIndex
	}
	r := m.b[m.dents+int(i)*dentSize:][:dentSize]
	le := binary.LittleEndian
	d = dent{le.Uint32(r), le.Uint32(r[4:]), le.Uint32(r[8:]), le.Uint32(r[12:])}
	name, err = m.text(d.Name, d.NameLen)
	return d, name, err
}

// find looks name up among the entries of directory n.
func (m *mapped) find(n *node, name string) (at uint32, d dent, ok bool, err error) {
	i := sort.Search(int(n.B), func(i int) bool {
		_, s, e := m.dent(n.A + uint32(i))
		if e != nil {
			err = e
		}
		return string(s) >= name
	})
	if err != nil || i == int(n.B) {
		return 0, d, false, err
	}
	at = n.A + uint32(i)
	d, s, err := m.dent(at)
	return at, d, err == nil && string(s) == name, err
}
