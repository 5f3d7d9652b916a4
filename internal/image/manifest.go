package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"dettrace/internal/rootfs"
)

// Digest is over the canonical manifest, so it is the identity that the
// archive has as an image of the store. How the archive was packed, compressed
// or ordered does not matter, nor does the epoch of the run.
func (l *tarLayer) Digest() (string, error) {
	if l.digest != "" {
		return l.digest, nil
	}
	err := l.tree.Walk(func(p string, n *rootfs.Node) error {
		if !n.IsRegular() {
			return nil
		}
		if err := l.node(n).sum(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		return nil
	})
	h := sha256.New()
	if err == nil {
		err = l.tree.WriteManifest(h, "")
	}
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	l.digest = sumString(h)
	return l.digest, nil
}

// ContentDigest implements contentNode.
func (n tarNode) ContentDigest() (string, error) {
	if err := n.sum(); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(n.n.Digest[:]), nil
}

// sum computes the digest of a regular file.
func (n tarNode) sum() error {
	h := sha256.New()
	f, err := n.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	k, err := io.Copy(h, io.NewSectionReader(f, 0, n.n.Size))
	if err == nil && k != n.n.Size {
		err = io.ErrUnexpectedEOF
	}
	h.Sum(n.n.Digest[:0])
	return err
}
