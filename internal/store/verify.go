package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"dettrace/internal/rootfs"
)

// Problem is something in the store that is not what its digest says.
type Problem struct {
	Path  string `json:"path"` // in the image, or "manifest" or "index"
	Error string `json:"error"`
}

// Verified is what Verify has read, for several images. Progress may be called at
// any time.
type Verified struct {
	// Interrupt, if not nil, is closed when nobody wants the answer any more:
	// Verify fails with ErrInterrupted then.
	Interrupt <-chan struct{}

	done         map[[sha256.Size]byte]bool // content that is what its digest says
	files, bytes atomic.Int64
}

// Progress is how many files and bytes have been read.
func (v *Verified) Progress() (files, bytes int64) { return v.files.Load(), v.bytes.Load() }

// Write counts bytes that are read.
func (v *Verified) Write(b []byte) (int, error) {
	select {
	case <-v.Interrupt:
		return 0, ErrInterrupted
	default:
	}
	v.bytes.Add(int64(len(b)))
	return len(b), nil
}

// Verify reads all of an image: its manifest, its index, and every content
// that is not in v yet, to which it adds them.
func (s *Store) Verify(digest string, v *Verified) ([]Problem, error) {
	h, err := hexOf(digest)
	if err != nil {
		return nil, err
	}
	if !s.has(h) {
		return nil, s.missing(digest)
	}
	t, config, err := s.readManifest(h)
	if err != nil {
		return []Problem{{"manifest", err.Error()}}, nil
	}
	var out []Problem
	w, err := buildIndex(t, config)
	if err != nil {
		return nil, err
	}
	var want bytes.Buffer
	if err := w.writeTo(&want); err != nil {
		return nil, err
	}
	if have, err := os.ReadFile(s.path("images", h, "index")); err != nil {
		out = append(out, Problem{"index", err.Error()})
	} else if !bytes.Equal(have, want.Bytes()) {
		out = append(out, Problem{"index", "does not agree with the manifest"})
	}
	err = t.Walk(func(p string, n *rootfs.Node) error {
		if !n.IsRegular() || n.Size == 0 || v.done[n.Digest] {
			return nil
		}
		v.files.Add(1)
		err := s.verifyBlob(n, v)
		if errors.Is(err, ErrInterrupted) {
			return err
		}
		if err != nil {
			out = append(out, Problem{p, err.Error()})
			return nil
		}
		if v.done == nil {
			v.done = map[[sha256.Size]byte]bool{}
		}
		v.done[n.Digest] = true
		return nil
	})
	return out, err
}

func (s *Store) verifyBlob(n *rootfs.Node, v *Verified) error {
	f, err := os.Open(s.path(blobsDir, blobName(n.Digest)))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	k, err := io.Copy(io.MultiWriter(v, sum), f)
	switch {
	case err != nil:
		return err
	case k != n.Size:
		return fmt.Errorf("content %s has %d bytes, not %d", hex.EncodeToString(n.Digest[:]), k, n.Size)
	case !bytes.Equal(sum.Sum(nil), n.Digest[:]):
		return fmt.Errorf("content %s does not have its digest", hex.EncodeToString(n.Digest[:]))
	}
	return nil
}
