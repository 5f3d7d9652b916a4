// Package oci reads images as others keep them: OCI image layouts, what
// `docker save` writes, and registries. It gives an image's layers and config;
// what is made of them is the business of package exchange. Everything that is
// read is checked against the digests that the image names, and nothing is
// trusted besides.
package oci

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"dettrace/internal/compress"
	"dettrace/internal/hint"
	"dettrace/internal/store"
)

// maxJSON bounds manifests and configs; the distribution specification asks
// registries for 4 MiB.
const maxJSON = 4 << 20

// Image is an image whose layers are still to be read.
type Image struct {
	Ref    string // what its source calls it, or ""
	Digest string // of its manifest (OCI) or its config (docker save)
	Config store.Config
	Layers []Layer
}

// Layer is one of an image's layers, the lowest first.
type Layer struct {
	Name   string // for messages
	Size   int64  // bytes as packed, -1 when not known
	Digest string // of the packed bytes, "" when the source has none
	DiffID string // of the tar archive
	open   func() (io.ReadCloser, error)
}

// Read gives the layer's tar archive to use and then checks both digests; limit
// bounds what may follow the archive's end marker. An error of use comes first.
func (l Layer) Read(limit int64, use func(io.Reader) error) error {
	raw, err := l.open()
	if err != nil {
		return fmt.Errorf("layer %s: %w", l.Name, err)
	}
	defer raw.Close()
	packed, plain := sha256.New(), sha256.New()
	body, _, err := compress.NewReader(io.TeeReader(raw, packed), compress.WindowStrict)
	if err != nil {
		return fmt.Errorf("layer %s: %w", l.Name, err)
	}
	defer body.Close()
	// Unpacking is the slowest part: it has a goroutine of its own.
	ahead := compress.Ahead(body)
	defer ahead.Close()
	tar := io.TeeReader(ahead, plain)
	if err := use(tar); err != nil {
		return fmt.Errorf("layer %s: %w", l.Name, err)
	}
	if err := drain(tar, limit); err != nil {
		return fmt.Errorf("layer %s: %w", l.Name, err)
	}
	if err := ahead.Close(); err != nil {
		return err
	}
	// What follows a compressed stream still belongs to the blob.
	if _, err := io.Copy(packed, raw); err != nil {
		return fmt.Errorf("layer %s: %w", l.Name, err)
	}
	if err := check("layer "+l.Name, l.Digest, packed); err != nil {
		return err
	}
	return check("layer "+l.Name+", unpacked", l.DiffID, plain)
}

func drain(r io.Reader, limit int64) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, max(limit, 1<<20)))
	if err == nil && n >= max(limit, 1<<20) {
		return errors.New("too much follows the end of the archive")
	}
	return err
}

// check compares a digest; want may be "".
func check(what, want string, got hash.Hash) error {
	if have := "sha256:" + hex.EncodeToString(got.Sum(nil)); want != "" && have != want {
		return hint.With(fmt.Errorf("%s: digest is %s, not %s", what, have, want), "it was damaged or changed; get it again")
	}
	return nil
}

// setConfig takes over an image's config, whose bytes were checked.
func (img *Image) setConfig(b []byte) error {
	c, err := v1.ParseConfigFile(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if c.OS != "" && c.OS != "linux" || c.Architecture != "" && c.Architecture != "amd64" {
		return hint.With(fmt.Errorf("image is for %s/%s", c.OS, c.Architecture), "dettrace runs linux/amd64")
	}
	if len(c.RootFS.DiffIDs) != len(img.Layers) {
		return fmt.Errorf("config names %d layers, the manifest %d", len(c.RootFS.DiffIDs), len(img.Layers))
	}
	for i, d := range c.RootFS.DiffIDs {
		if err := onlySHA256(d); err != nil {
			return err
		}
		img.Layers[i].DiffID = d.String()
	}
	img.Config = store.Config{
		Cmd: c.Config.Cmd, Entrypoint: c.Config.Entrypoint, Env: c.Config.Env,
		User: c.Config.User, WorkingDir: c.Config.WorkingDir,
	}
	return nil
}

func onlySHA256(h v1.Hash) error {
	if _, err := v1.NewHash(h.String()); err != nil || h.Algorithm != "sha256" {
		return fmt.Errorf("digest %.100q: not a SHA-256", h.String())
	}
	return nil
}

// wanted reports whether a descriptor's platform is ours, or none.
func wanted(p *v1.Platform) bool {
	return p == nil || p.OS == "" && p.Architecture == "" || p.OS == "linux" && p.Architecture == "amd64"
}
