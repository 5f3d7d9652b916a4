package cache

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// errDamaged is an entry or a blob that is not what its digest says.
var errDamaged = errors.New("damaged")

// blob is one file of the store.
type blob struct {
	Digest string `json:"sha256"` // hex
	Size   int64  `json:"size"`
}

func (c *Cache) blobPath(b blob) string {
	if len(b.Digest) != 2*sha256.Size {
		return filepath.Join(c.dir, "blobs", "none")
	}
	return filepath.Join(c.dir, "blobs", b.Digest[:2], b.Digest)
}

// blobWriter writes a new blob into a workspace. Its first error is kept and
// ends only the storing: a cache without room must not fail a run.
type blobWriter struct {
	path string
	f    *os.File
	w    *bufio.Writer
	sum  hash.Hash
	size int64
	err  error
}

func (w *workspace) blob(name string) *blobWriter {
	b := &blobWriter{path: filepath.Join(w.path, name), sum: sha256.New()}
	b.f, b.err = os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if b.err == nil {
		b.w = bufio.NewWriterSize(b.f, 64<<10)
	}
	return b
}

// Write never fails.
func (b *blobWriter) Write(p []byte) (int, error) {
	if b.err == nil {
		b.sum.Write(p)
		b.size += int64(len(p))
		_, b.err = b.w.Write(p)
	}
	return len(p), nil
}

// finish closes the file; it is in the workspace still.
func (b *blobWriter) finish() (blob, error) {
	if b.f == nil {
		return blob{}, b.err
	}
	if b.err == nil {
		b.err = b.w.Flush()
	}
	if err := b.f.Close(); b.err == nil {
		b.err = err
	}
	return blob{hex.EncodeToString(b.sum.Sum(nil)), b.size}, b.err
}

// keep moves a finished blob to its place. One that is there already is
// replaced: it may be damaged.
func (c *Cache) keep(b blob, from string) error {
	to := c.blobPath(b)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// open opens a blob and checks it. The caller closes it; should it be removed
// meanwhile, it can still be read.
func (c *Cache) open(b blob) (*os.File, error) {
	f, err := os.Open(c.blobPath(b))
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err == nil && (n != b.Size || hex.EncodeToString(h.Sum(nil)) != b.Digest) {
		err = fmt.Errorf("blob %s: %w", b.Digest, errDamaged)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
