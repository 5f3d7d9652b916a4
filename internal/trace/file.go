package trace

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Writer writes a trace. Its first error stays and comes back from Close.
type Writer struct {
	z   *zstd.Encoder
	b   *bufio.Writer
	enc *json.Encoder
	end func() error // before b is flushed; or nil
	n   uint64
	err error
}

// NewWriter makes a Writer over w, which stays the caller's.
func NewWriter(w io.Writer) (*Writer, error) {
	// One goroutine at most: the encoder of a run shares its CPU.
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	b := bufio.NewWriterSize(z, 64<<10)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return &Writer{z: z, b: b, enc: enc}, nil
}

// Mask makes all records go through the writer that mask puts in front of the
// one it is given; end is called before it is closed. It must come before Write.
func (w *Writer) Mask(mask func(io.Writer) (through io.Writer, end func() error)) {
	through, end := mask(w.b)
	w.enc, w.end = json.NewEncoder(through), end
	w.enc.SetEscapeHTML(false)
}

// Write appends r and numbers it.
func (w *Writer) Write(r *Record) {
	if w.err != nil {
		return
	}
	w.n++
	r.N = w.n
	w.err = w.enc.Encode(r)
}

// Close writes what is buffered.
func (w *Writer) Close() error {
	err := w.err
	if w.end != nil {
		err = errors.Join(err, w.end())
	}
	err = errors.Join(err, w.b.Flush(), w.z.Close())
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

// ErrIncomplete is what Scan gives, after all records that are there, for a trace
// whose run was cut off.
var ErrIncomplete = errors.New("the trace is incomplete: its run was cut off")

// maxLine bounds a record: a command line of 2 MiB, quoted.
const maxLine = 64 << 20

// Scan gives every record of a trace to f, which returns false to stop.
func Scan(r io.Reader, f func(*Record) bool) error {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	defer z.Close()
	lines := bufio.NewScanner(z)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var last Record
	for lines.Scan() {
		last = Record{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			return fmt.Errorf("not a trace of dettrace: %w", err)
		}
		if last.N == 1 && last.Version != Version {
			return fmt.Errorf("a trace of version %d, this dettrace reads version %d", last.Version, Version)
		}
		r := last
		if !f(&r) {
			return nil
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrIncomplete
	case err != nil:
		return fmt.Errorf("not a trace of dettrace: %w", err)
	case last.Kind != End:
		return ErrIncomplete
	}
	return nil
}
