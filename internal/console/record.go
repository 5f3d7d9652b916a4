package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
)

// A record is JSON lines: a Header, what was typed in order, and an End with a
// digest of all lines before it. Bytes are written as the characters U+0000 to
// U+00FF, so that what people type can be read.

const (
	format  = "dettrace-input"
	version = 1
)

// Header says of what run a record is.
type Header struct {
	Format   string   `json:"format"`
	Version  int      `json:"version"`
	Terminal string   `json:"terminal"` // its Size; "": input without a terminal
	Command  []string `json:"command"`
}

// End is how the run ended; a replay ends the same.
type End struct {
	Events uint64 `json:"events"`
	NS     int64  `json:"ns"` // logical time
	Status int    `json:"status"`
	Output string `json:"output,omitempty"` // digest of what was written to the terminal
	Error  string `json:"error,omitempty"`  // dettrace's own: the run was cut off
}

// line is any line after the header.
type line struct {
	*Place
	Keys   *string `json:"keys,omitempty"`
	Flush  bool    `json:"flush,omitempty"`
	Hangup bool    `json:"hangup,omitempty"`
	End    *End    `json:"end,omitempty"`
	Sum    string  `json:"sum,omitempty"`
}

// Recorder keeps what is typed. The first error is kept and given by Finish.
type Recorder struct {
	w   io.Writer
	sum hash.Hash
	err error
}

// NewRecorder begins a record.
func NewRecorder(w io.Writer, terminal string, command []string) *Recorder {
	r := &Recorder{w: w, sum: sha256.New()}
	r.put(Header{format, version, terminal, command})
	return r
}

func (r *Recorder) put(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		r.err = err
	}
	if r.err != nil {
		return
	}
	b = append(b, '\n')
	r.sum.Write(b)
	_, r.err = r.w.Write(b)
}

// Typed notes k.
func (r *Recorder) Typed(k *Keys) {
	l := line{Place: &k.Place, Flush: k.Flush, Hangup: k.Hangup}
	if !k.Hangup {
		text := encode(k.Bytes)
		l.Keys = &text
	}
	r.put(l)
}

// Reader is in, noting what is read of it. Without a terminal reads are a
// function of the bytes alone, so nothing is said of places.
func (r *Recorder) Reader(in io.Reader) io.Reader { return &recordedReader{in, r} }

type recordedReader struct {
	in io.Reader
	r  *Recorder
}

func (x *recordedReader) Read(p []byte) (int, error) {
	n, err := x.in.Read(p)
	if n > 0 {
		text := encode(p[:n])
		x.r.put(line{Keys: &text})
	}
	return n, err
}

// Finish writes the last line.
func (r *Recorder) Finish(e End) error {
	sum := hex.EncodeToString(r.sum.Sum(nil))
	r.put(line{End: &e, Sum: sum})
	if r.err != nil {
		return fmt.Errorf("record of typed input: %w", r.err)
	}
	return nil
}

func encode(p []byte) string {
	r := make([]rune, len(p))
	for i, c := range p {
		r[i] = rune(c)
	}
	return string(r)
}

func decode(s string) ([]byte, bool) {
	p := []byte{}
	for _, c := range s {
		if c > 0xff {
			return nil, false
		}
		p = append(p, byte(c))
	}
	return p, true
}
