package image

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// spool is a temporary file without a name: it goes when it is closed,
// however the process ends.
type spool struct {
	f   *os.File
	end int64
}

func (s *spool) open() error {
	if s.f != nil {
		return nil
	}
	f, err := os.CreateTemp("", "dettrace-image-")
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return fmt.Errorf("spool: %w", err)
	}
	s.f = f
	return nil
}

// add appends all of r and says where it is. Blocks of zeros become holes.
func (s *spool) add(r io.Reader) (start, n int64, err error) {
	if err := s.open(); err != nil {
		return 0, 0, err
	}
	start = s.end
	buf := make([]byte, 256<<10)
	zeros := make([]byte, len(buf))
	for done := false; !done; {
		// Not io.ReadFull: it would hide a stream that is cut off, which
		// gives io.ErrUnexpectedEOF as well.
		k := 0
		for k < len(buf) && !done {
			var m int
			m, err = r.Read(buf[k:])
			k += m
			if err == io.EOF {
				done = true
			} else if err != nil {
				return 0, 0, err
			}
		}
		if k > 0 && !bytes.Equal(buf[:k], zeros[:k]) {
			if _, err := s.f.WriteAt(buf[:k], s.end); err != nil {
				return 0, 0, fmt.Errorf("spool: %w", err)
			}
		}
		s.end += int64(k)
	}
	if err := s.f.Truncate(s.end); err != nil {
		return 0, 0, fmt.Errorf("spool: %w", err)
	}
	return start, s.end - start, nil
}

func (s *spool) ReadAt(b []byte, off int64) (int, error) { return s.f.ReadAt(b, off) }

func (s *spool) Close() error {
	if s.f == nil {
		return nil
	}
	return s.f.Close()
}
