package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"golang.org/x/sys/unix"
)

// maxEnds is how often the end of the input is typed before the terminal is
// hung up: shells that run in shells take one each.
const maxEnds = 16

// Script types the bytes of a stream, each piece when the guest waits for it:
// lines where the terminal has lines, else one byte at a time. At the end of the
// stream it types the terminal's end of file, and in the end hangs up. How the
// stream was cut on its way, and how fast it came, decides nothing.
type Script struct {
	r    *bufio.Reader
	held []byte
	eof  bool
	ends int
	hung bool
}

// NewScript makes a Script; a nil r is empty.
func NewScript(r io.Reader) *Script {
	s := &Script{eof: r == nil}
	if r != nil {
		s.r = bufio.NewReader(r)
	}
	return s
}

// At implements Input.
func (s *Script) At(p Place, q Question) (*Keys, error) {
	switch {
	case s.hung:
		return nil, nil
	case p.Kind == Event && q.Asks < ManyAsks:
		return nil, nil
	case p.Kind == Running:
		return nil, nil
	case p.Kind == Idle && !q.Wanted && q.Asks == 0 && !q.Last:
		return nil, nil
	}
	st := q.Look()
	if st.Unread {
		return nil, nil
	}
	if err := s.fill(&st.Mode); err != nil {
		return nil, err
	}
	if len(s.held) > 0 {
		k := &Keys{Place: p, Bytes: s.held}
		s.held = nil
		return k, nil
	}
	if !q.Wanted && p.Kind == Idle {
		return nil, nil // that nothing more comes is no news to who does not ask
	}
	if end := st.Mode.Cc[unix.VEOF]; end != disabled && s.ends < maxEnds {
		s.ends++
		return &Keys{Place: p, Bytes: []byte{end}}, nil
	}
	s.hung = true
	return &Keys{Place: p, Hangup: true}, nil
}

// fill reads the next piece.
func (s *Script) fill(mode *unix.Termios) error {
	for !s.eof {
		if _, whole := cut(mode, s.held); whole || len(s.held) > 0 && !canonical(mode) {
			return nil
		}
		c, err := s.r.ReadByte()
		if errors.Is(err, io.EOF) {
			s.eof = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read of typed input: %w", err)
		}
		s.held = append(s.held, c)
	}
	return nil
}

// Start implements Input.
func (s *Script) Start() error { return nil }

// Pending implements Input.
func (s *Script) Pending() bool { return false }

// Budget implements Input: it types at the first event after so many looks, also
// where that would not stop.
func (s *Script) Budget(_ uint64, asks int) int {
	if asks >= ManyAsks && !s.hung {
		return 0
	}
	return math.MaxInt
}

// Bell implements Input.
func (s *Script) Bell() int { return -1 }

// Urgent implements Input.
func (s *Script) Urgent() bool { return false }

// Outside implements Input.
func (s *Script) Outside() bool { return false }

// Close implements Input; the stream stays the caller's.
func (s *Script) Close() error { return nil }
