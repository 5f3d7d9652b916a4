package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"dettrace/internal/rootfs"
)

// Problem is something in the store that is not what its digest says.
type Problem struct {
	Path  string `json:"path"` // in the image, or "manifest" or "index"
	Error string `json:"error"`
}

// Verify reads all of an image: its manifest, its index, and every content
// that is not in done, to which it adds them.
func (s *Store) Verify(digest string, done map[[sha256.Size]byte]bool) ([]Problem, error) {
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
		if !n.IsRegular() || n.Size == 0 || done[n.Digest] {
			return nil
		}
		if err := s.verifyBlob(n); err != nil {
			out = append(out, Problem{p, err.Error()})
			return nil
		}
		done[n.Digest] = true
		return nil
	})
	return out, err
}

func (s *Store) verifyBlob(n *rootfs.Node) error {
	f, err := os.Open(s.path(blobsDir, blobName(n.Digest)))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	k, err := io.Copy(sum, f)
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
