package cache

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"strconv"

	"dettrace/internal/detfs"
	"dettrace/internal/image"
	"dettrace/internal/run"
)

// recorder keeps what leaves a container on its way out.
type recorder struct {
	run.Source // the container's
	w          *workspace
	stdio      *blobWriter
	written    map[blob]string // path of each blob in the workspace
	e          entry
	learned    []detfs.Learned
	err        error // the first; the run is not stored
}

func newRecorder(w *workspace) *recorder {
	return &recorder{
		w: w, stdio: w.blob("stdio"), written: make(map[blob]string),
		e: entry{Tars: make(map[string]blob), Globs: make(map[string][]string)},
	}
}

// wrap is run.Spec.Record.
func (r *recorder) wrap(src run.Source) run.Source {
	r.Source = src
	return r
}

func (r *recorder) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// done takes a finished blob.
func (r *recorder) done(b *blobWriter) blob {
	made, err := b.finish()
	r.note(err)
	r.written[made] = b.path
	return made
}

func (r *recorder) Finish(digest bool) (detfs.Summary, error) {
	s, err := r.Source.Finish(digest)
	r.e.Summary = s
	return s, err
}

func (r *recorder) Learned(list bool, outputs []string) ([]detfs.Learned, error) {
	l, err := r.Source.Learned(list, outputs)
	r.learned = l
	return l, err
}

func (r *recorder) Glob(pattern string) ([]string, error) {
	found, err := r.Source.Glob(pattern)
	escaped := make([]string, len(found))
	for i, p := range found {
		escaped[i] = image.EscapePath(p)
	}
	r.e.Globs[image.EscapePath(pattern)] = escaped
	return found, err
}

func (r *recorder) WriteTar(w io.Writer, req detfs.TarRequest) error {
	b := r.w.blob("tar-" + strconv.Itoa(len(r.e.Tars)))
	err := r.Source.WriteTar(io.MultiWriter(w, b), req)
	r.note(err)
	r.e.Tars[requestName(req)] = r.done(b)
	return err
}

// requestName tells requests apart.
func requestName(req detfs.TarRequest) string {
	for _, l := range [][]string{req.Paths, req.Under} {
		for i := range l {
			l[i] = image.EscapePath(l[i])
		}
	}
	b, _ := json.Marshal(req) // strings and booleans always marshal
	return string(b)
}

// The streams are kept as frames in the order of writing: one byte for the
// stream (1 or 2), four for the length (little endian), the bytes.
type frameWriter struct {
	to     io.Writer
	stream byte
	b      *blobWriter
}

func (f *frameWriter) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if f.to != nil {
		n, err = f.to.Write(p)
	}
	_, _ = f.b.Write(binary.LittleEndian.AppendUint32([]byte{f.stream}, uint32(n)))
	_, _ = f.b.Write(p[:n])
	return n, err
}

// playFrames writes the streams again.
func playFrames(r io.Reader, out, err io.Writer) error {
	var head [5]byte
	for {
		if _, e := io.ReadFull(r, head[:]); e == io.EOF {
			return nil
		} else if e != nil {
			return e
		}
		to := out
		if head[0] == 2 {
			to = err
		}
		if to == nil {
			to = io.Discard
		}
		if _, e := io.CopyN(to, r, int64(binary.LittleEndian.Uint32(head[1:]))); e != nil {
			return e
		}
	}
}
