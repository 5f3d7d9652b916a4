package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Garbage is what GC removed, or would remove.
type Garbage struct {
	Images []string `json:"images"` // digests, sorted
	InUse  []string `json:"in_use"` // without a name, but a run has them open
	Blobs  int64    `json:"blobs"`
	Bytes  int64    `json:"bytes"` // of blobs
}

// GC removes images that no name refers to and no run uses, and content that
// no image refers to. It waits until nobody adds anything; wait is called
// before, if it has to. With dry nothing is removed.
func (s *Store) GC(dry bool, wait func()) (Garbage, error) {
	g := Garbage{Images: []string{}, InUse: []string{}}
	if _, err := os.Stat(s.path("version")); errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	lock, err := s.lock(unix.LOCK_EX | unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		wait()
		lock, err = s.lock(unix.LOCK_EX)
	}
	if err != nil {
		return g, fmt.Errorf("store: %w", err)
	}
	defer unlock(lock)
	if !dry {
		if err := s.sweep(); err != nil {
			return g, err
		}
	}
	keep, err := s.collectImages(&g, dry)
	if err != nil {
		return g, err
	}
	return g, s.collectBlobs(&g, keep, dry)
}

// collectImages removes images and gives the content that the others need.
func (s *Store) collectImages(g *Garbage, dry bool) (map[[sha256.Size]byte]bool, error) {
	names, err := s.byDigest()
	if err != nil {
		return nil, err
	}
	hexes, err := s.hexes()
	if err != nil {
		return nil, err
	}
	keep := make(map[[sha256.Size]byte]bool)
	for _, h := range hexes {
		if names[digestPrefix+h] == nil {
			removed, err := s.collectImage(h, g, dry)
			if err != nil {
				return nil, err
			}
			if removed {
				continue
			}
		}
		if err := s.mark(h, keep); err != nil {
			return nil, err
		}
	}
	return keep, nil
}

func (s *Store) collectImage(h string, g *Garbage, dry bool) (bool, error) {
	lock, free, err := s.tryLock(h)
	if err != nil {
		return false, err
	}
	if !free {
		g.InUse = append(g.InUse, digestPrefix+h)
		return false, nil
	}
	defer unlock(lock)
	g.Images = append(g.Images, digestPrefix+h)
	if dry {
		return true, nil
	}
	// Gone at once, whenever we die.
	gone := s.path("tmp", "gc-"+h)
	s.mayDie()
	if err := os.Rename(s.path("images", h), gone); err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	s.mayDie()
	if err := os.RemoveAll(gone); err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return true, nil
}

func (s *Store) mark(h string, keep map[[sha256.Size]byte]bool) error {
	m, err := s.index(h)
	if err != nil {
		return err
	}
	for i := range m.head.Nodes {
		n, err := m.node(i)
		if err != nil {
			return errors.Join(err, m.close())
		}
		if n.Mode&unix.S_IFMT == unix.S_IFREG {
			keep[n.Digest] = true
		}
	}
	return m.close()
}

func (s *Store) collectBlobs(g *Garbage, keep map[[sha256.Size]byte]bool, dry bool) error {
	return s.eachBlob(func(digest [sha256.Size]byte, name string, info fs.FileInfo) error {
		if keep[digest] {
			return nil
		}
		g.Blobs++
		g.Bytes += info.Size()
		if dry {
			return nil
		}
		s.mayDie()
		return os.Remove(name)
	})
}

// eachBlob visits all content, sorted by digest.
func (s *Store) eachBlob(do func(digest [sha256.Size]byte, name string, info fs.FileInfo) error) error {
	dirs, err := os.ReadDir(s.path(blobsDir))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, d := range dirs {
		list, err := os.ReadDir(s.path(blobsDir, d.Name()))
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		for _, e := range list {
			sum, err := hex.DecodeString(d.Name() + e.Name())
			if err != nil || len(sum) != sha256.Size {
				continue // not ours
			}
			info, err := e.Info()
			if err == nil {
				err = do([sha256.Size]byte(sum), s.path(blobsDir, d.Name(), e.Name()), info)
			}
			if err != nil {
				return fmt.Errorf("store: %w", err)
			}
		}
	}
	return nil
}
