package detfs

import (
	"slices"
	"sort"
)

// inlineMax is how much of a small file lives in the Go heap.
const inlineMax = 2048

// fileData is the changed content of a regular file. Either inline holds it
// (ext empty, base 0), or ext does, sorted and disjoint; what no extent covers
// is the layer's content below base and zeros above. Bytes of extents at or
// beyond the file's size are garbage; whoever makes the file longer zeroes
// them. inline may be shorter than the size: the rest is a hole.
type fileData struct {
	inline []byte
	ext    []extent
	base   int64
}

type extent struct {
	pos   int64 // in the file, a multiple of pageSize
	off   int64 // in the store
	order int
}

func (e extent) end() int64 { return e.pos + pageSize<<e.order }

// lowerReader reads the layer's content of the file; full or an error.
type lowerReader func(b []byte, off int64) error

// find is the index of the first extent that ends after pos.
func (d *fileData) find(pos int64) int {
	return sort.Search(len(d.ext), func(i int) bool { return d.ext[i].end() > pos })
}

// read fills b from off; the caller has cut b at the size.
func (d *fileData) read(s *store, low lowerReader, b []byte, off int64) error {
	if len(d.ext) == 0 && d.base == 0 {
		k := 0
		if off < int64(len(d.inline)) {
			k = copy(b, d.inline[off:])
		}
		clear(b[k:])
		return nil
	}
	for i := d.find(off); len(b) > 0; {
		n := int64(len(b))
		if i < len(d.ext) && d.ext[i].pos <= off {
			n = min(n, d.ext[i].end()-off)
			if err := s.read(b[:n], d.ext[i].off+off-d.ext[i].pos); err != nil {
				return err
			}
			i++
		} else {
			if i < len(d.ext) {
				n = min(n, d.ext[i].pos-off)
			}
			if off < d.base {
				n = min(n, d.base-off)
				if err := low(b[:n], off); err != nil {
					return err
				}
			} else {
				clear(b[:n])
			}
		}
		b, off = b[n:], off+n
	}
	return nil
}

// write puts b at off in a file of the given size; the caller updates the size.
func (d *fileData) write(s *store, low lowerReader, b []byte, off, size int64) error {
	if len(d.ext) == 0 && d.base == 0 {
		if end := off + int64(len(b)); end <= inlineMax {
			if n := int64(len(d.inline)); end > n {
				d.inline = slices.Grow(d.inline, int(end-n))[:end]
				clear(d.inline[n:])
			}
			copy(d.inline[off:], b)
			return nil
		}
		if old := d.inline; len(old) > 0 {
			d.inline = nil
			if err := d.writeExt(s, low, old, 0, 0); err != nil {
				return err
			}
			// What lies between the old inline bytes and the size is a hole.
			if err := d.expose(s, int64(len(old)), size); err != nil {
				return err
			}
		}
	}
	if off > size {
		if err := d.expose(s, size, off); err != nil {
			return err
		}
	}
	return d.writeExt(s, low, b, off, size)
}

// expose zeroes what extents hold in [from, to), which becomes visible.
func (d *fileData) expose(s *store, from, to int64) error {
	for i := d.find(from); i < len(d.ext) && d.ext[i].pos < to; i++ {
		e := d.ext[i]
		lo, hi := max(from, e.pos), min(to, e.end())
		if err := s.zero(e.off+lo-e.pos, hi-lo); err != nil {
			return err
		}
	}
	return nil
}

func (d *fileData) writeExt(s *store, low lowerReader, b []byte, off, size int64) error {
	for i := d.find(off); len(b) > 0; i++ {
		if i == len(d.ext) || d.ext[i].pos > off {
			if err := d.insert(s, low, i, off, int64(len(b)), size); err != nil {
				return err
			}
		}
		e := d.ext[i]
		n := min(int64(len(b)), e.end()-off)
		if err := s.write(b[:n], e.off+off-e.pos); err != nil {
			return err
		}
		b, off = b[n:], off+n
	}
	return nil
}

// insert makes extent i for a write of n bytes at off, and fills what of it
// was visible before and is not about to be written.
func (d *fileData) insert(s *store, low lowerReader, i int, off, n, size int64) error {
	pos := off &^ (pageSize - 1)
	need := off + n - pos
	order := orderFor(need)
	if i == len(d.ext) && pos+need > size {
		// The file grows: reserve as much again, so that a file
		// written in small pieces has few extents.
		order = max(order, orderFor(min(max(size, 1), growLimit)))
	}
	if i < len(d.ext) {
		for order > 0 && pos+pageSize<<order > d.ext[i].pos {
			order--
		}
	}
	e := extent{pos: pos, off: s.alloc(order), order: order}
	fill := func(from, to int64) error {
		var page [pageSize]byte
		for from < to {
			b := page[:min(to-from, pageSize)]
			clear(b)
			if from < d.base {
				if err := low(b[:min(int64(len(b)), d.base-from)], from); err != nil {
					return err
				}
			}
			if err := s.write(b, e.off+from-e.pos); err != nil {
				return err
			}
			from += int64(len(b))
		}
		return nil
	}
	err := fill(pos, off) // all of it is visible once the write is done
	if err == nil {
		err = fill(off+n, min(e.end(), size))
	}
	if err != nil {
		s.release(e.off, e.order)
		return err
	}
	d.ext = slices.Insert(d.ext, i, e)
	return nil
}

// truncate changes the content for a new size.
func (d *fileData) truncate(s *store, size, to int64) error {
	if to >= size {
		return d.expose(s, size, to)
	}
	if int64(len(d.inline)) > to {
		d.inline = d.inline[:to:to]
	}
	d.base = min(d.base, to)
	i := sort.Search(len(d.ext), func(i int) bool { return d.ext[i].pos >= to })
	for _, e := range d.ext[i:] {
		s.release(e.off, e.order)
	}
	d.ext = d.ext[:i]
	return nil
}

// zeroRange makes [off, end) read as zeros; end is at most the size.
func (d *fileData) zeroRange(s *store, low lowerReader, off, end, size int64) error {
	if off >= end {
		return nil
	}
	if len(d.ext) == 0 && d.base == 0 {
		if k := int64(len(d.inline)); off < k {
			clear(d.inline[off:min(end, k)])
		}
		return nil
	}
	// Below base a hole would show the layer: write zeros there.
	var z [pageSize]byte
	for lim := min(end, d.base); off < lim; {
		n := min(lim-off, pageSize-off%pageSize)
		if err := d.writeExt(s, low, z[:n], off, size); err != nil {
			return err
		}
		off += n
	}
	return d.expose(s, off, end)
}

func (d *fileData) free(s *store) {
	for _, e := range d.ext {
		s.release(e.off, e.order)
	}
	d.ext, d.inline, d.base = nil, nil, 0
}
