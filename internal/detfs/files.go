package detfs

import (
	"encoding/binary"
	"errors"
	"slices"
)

// The hundreds of files of Config cross the process border in a form of their
// own: as JSON they would be a tenth of a short run.

// Bits of a StaticFile in that form.
const (
	isLink = 1 << iota
	isDir
	isHidden
	isExtra
	isBefore
)

// appendFiles appends the files and trees of c to b.
func appendFiles(b []byte, c *Config) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.Static)+1))
	for _, t := range append([]StaticTree{{Files: c.Files}}, c.Static...) {
		b = appendText(b, t.Name)
		b = binary.AppendUvarint(b, uint64(len(t.Files)))
		for i := range t.Files {
			f := &t.Files[i]
			b = append(b, bit(f.Link, isLink)|bit(f.Dir, isDir)|bit(f.Hidden, isHidden)|bit(f.Extra, isExtra)|bit(f.Before, isBefore))
			b = binary.AppendUvarint(b, uint64(f.Mode))
			b = binary.AppendUvarint(b, uint64(f.Serial))
			b = appendText(b, f.Path)
			b = appendText(b, f.Door)
			b = appendText(b, f.Content)
		}
	}
	return b
}

func bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errFiles says that a message is not what appendFiles writes.
var errFiles = errors.New("detfs: control: bad list of files")

// readFiles is the inverse of appendFiles. The contents share b's memory.
func readFiles(b []byte, c *Config) error {
	r := fileReader{rest: b}
	for i := range r.count() {
		t := StaticTree{Name: string(r.text())}
		t.Files = make([]StaticFile, 0, r.count())
		for range cap(t.Files) {
			bits := r.bits()
			f := StaticFile{
				Link: bits&isLink != 0, Dir: bits&isDir != 0, Hidden: bits&isHidden != 0,
				Extra: bits&isExtra != 0, Before: bits&isBefore != 0,
			}
			f.Mode, f.Serial = uint32(r.number()), uint32(r.number())
			f.Path, f.Door, f.Content = string(r.text()), string(r.text()), r.text()
			t.Files = append(t.Files, f)
		}
		if i == 0 {
			c.Files = t.Files
		} else {
			c.Static = append(c.Static, t)
		}
	}
	if r.bad || len(r.rest) > 0 {
		return errFiles
	}
	return nil
}

// fileReader takes a message apart. After an error all it gives is empty.
type fileReader struct {
	rest []byte
	bad  bool
}

func (r *fileReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.rest, r.bad = nil, true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count is a number of things of at least one byte each.
func (r *fileReader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.rest, r.bad = nil, true
		return 0
	}
	return int(n)
}

func (r *fileReader) bits() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *fileReader) text() []byte {
	n := r.count()
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return slices.Clip(b)
}
