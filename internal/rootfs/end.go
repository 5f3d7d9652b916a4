package rootfs

import (
	"bytes"
	"errors"
	"io"

	"dettrace/internal/hint"
)

// ending notes whether the last block that was read is one of zeros, as the
// end marker of an archive is. archive/tar takes a stream that ends anywhere
// between two entries for a complete one.
type ending struct {
	r    io.Reader
	at   int64 // offset of the next byte
	from int64 // what lies before is content of entries
	full int   // bytes read of the block that at is in, from its beginning; -1: not from there
	zero bool  // the last complete block behind from is one of zeros
	so   bool  // the block that at is in holds zeros so far
}

const blockSize = 512

var zeros [blockSize]byte // to compare with

// entry is called before a header is read.
func (e *ending) entry() {
	e.from, e.zero = (e.at+blockSize-1)/blockSize*blockSize, false
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	for c := b[:n]; len(c) > 0; {
		if e.at%blockSize == 0 {
			e.full, e.so = 0, true
		}
		k := min(int64(len(c)), blockSize-e.at%blockSize)
		if e.full >= 0 && e.at >= e.from {
			e.so = e.so && bytes.Equal(c[:k], zeros[:k])
			if e.full += int(k); e.full == blockSize {
				e.zero = e.so
			}
		}
		e.at += k
		c = c[k:]
	}
	return n, err
}

// seekEnding passes on that content can be skipped without reading it.
type seekEnding struct {
	ending
	s io.Seeker
}

func (e *seekEnding) Seek(off int64, whence int) (int64, error) {
	at, err := e.s.Seek(off, whence)
	e.at, e.full, e.zero = at, -1, false
	return at, err
}

// watchEnd watches r, which it gives back as the first result.
func watchEnd(r io.Reader) (io.Reader, *ending) {
	e := &seekEnding{ending: ending{r: r}}
	if s, ok := r.(io.Seeker); ok {
		e.s = s
		return e, &e.ending
	}
	return &e.ending, &e.ending
}

// complete is for after the end.
func (e *ending) complete() error {
	if e.zero {
		return nil
	}
	return hint.With(errors.New("ends without the end marker of an archive"), "it was cut off; get it again")
}
