package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"dettrace/internal/compress"
	"dettrace/internal/detfs"
	"dettrace/internal/image"
	"dettrace/internal/rootfs"
	"dettrace/internal/store"
)

// commit makes image and changes an image of the store. Changes below inputs
// and in directories that every container has for itself are no part of it.
func (c *container) commit() (err error) {
	s := &c.spec
	st, err := store.Open(s.CommitStore)
	if err != nil {
		return err
	}
	b, err := st.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if errors.Is(err, store.ErrInterrupted) {
			err = ErrInterrupted
		}
		err = errors.Join(err, b.Close())
	}()
	b.Interrupt = s.Interrupt
	c.filled.Store(b)
	c.enter(phaseCommit)
	defer c.enter(phaseOutputs)
	defer c.filled.Store(nil)
	parent, err := c.base(st, b)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	err = c.pipeTar(detfs.TarRequest{Changes: true}, func(r io.Reader) error {
		if err := b.Apply(r, rootfs.Options{Layer: true, Skip: c.notCommitted}); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r) // a producer that failed says so at the end
		return err
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	settings, err := json.Marshal(c.settings())
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	from := store.Origin{Kind: "commit", Parent: parent, Command: s.MaskedCommand(), Settings: settings}
	if c.mask != nil {
		from.Settings = json.RawMessage(c.mask.Text(string(settings)))
	}
	img, err := b.Commit(s.Config, s.Commit, s.Force, from)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	c.committed = img.Digest
	return nil
}

// base fills b with the image that the run began with, and gives its digest:
// for one that is not in the store, what importing it would give.
func (c *container) base(st *store.Store, b *store.Build) (parent string, err error) {
	s := &c.spec
	if s.Store != "" {
		b.Tree, _, err = st.Tree(s.Image)
		return s.Image, err
	}
	if path, ok := strings.CutPrefix(s.Image, "tar:"); ok {
		err = addArchive(b, path)
	} else {
		var l image.Layer
		l, err = image.Open(s.Image, image.Options{KeepMtime: true, Epoch: s.EpochNS})
		if err == nil {
			_, err = b.AddLayer(l)
			err = errors.Join(err, l.Close())
		}
	}
	if err != nil {
		return "", err
	}
	return b.Digest(s.Config)
}

func addArchive(b *store.Build, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	body, _, err := compress.NewReader(f, compress.WindowTrusted)
	if err != nil {
		return err
	}
	defer body.Close()
	return b.Apply(body, rootfs.Options{})
}

// notCommitted reports paths whose changes no image gets.
func (c *container) notCommitted(path string) bool {
	for _, d := range baseDirs(c.spec.Workdir) {
		if d.Fresh && below(path, d.Path) {
			return true
		}
	}
	for _, in := range c.spec.Inputs {
		if below(path, in.Guest) {
			return true
		}
	}
	return false
}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
