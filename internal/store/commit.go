package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/rootfs"
)

// manySyncs is from how many files on one syncfs(2) is cheaper than an fsync(2)
// of each, although it writes what others left unwritten as well.
const manySyncs = 64

// Commit makes the tree an image with a config, gives it a name unless that is
// "", and notes where it came from. An image that is in the store already gets
// the name and the note. After an error the store is as it was.
func (b *Build) Commit(c Config, name string, force bool, from Origin) (Image, error) {
	if err := c.check(); err != nil {
		return Image{}, err
	}
	config, err := c.Canonical()
	if err != nil {
		return Image{}, err
	}
	b.wait()
	if err := b.failed(); err != nil {
		return Image{}, err
	}
	b.Tree.Number()
	img := filepath.Join(b.dir, "image")
	h, err := b.describe(img, config)
	if err == nil && name != "" {
		// Before anything is in the store, so that nothing is left there.
		err = b.s.CheckFree(name, digestPrefix+h, force)
	}
	if err == nil {
		err = b.publish(img, h, from)
	}
	if err == nil && name != "" {
		err = b.s.setName(name, digestPrefix+h, force)
	}
	if err != nil {
		return Image{}, full(err)
	}
	return b.s.describe(digestPrefix + h)
}

// describe writes what stands below images/HEX.
func (b *Build) describe(dir, config string) (string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "history"), 0o700); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	h := ""
	err := writeSynced(filepath.Join(dir, "manifest"), func(w io.Writer) (err error) {
		h, err = b.writeManifest(w, config)
		return err
	})
	if err != nil {
		return "", err
	}
	index, err := buildIndex(b.Tree, config)
	if err == nil {
		err = writeSynced(filepath.Join(dir, "index"), index.writeTo)
	}
	if err == nil {
		err = writeSynced(filepath.Join(dir, "lock"), func(io.Writer) error { return nil })
	}
	return h, err
}

func writeSynced(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// publish moves content and then the image to their places.
func (b *Build) publish(img, h string, from Origin) error {
	s := b.s
	var moves []move
	seen := make(map[[sha256.Size]byte]bool)
	// Only what the tree has: other files were replaced by later entries.
	err := b.Tree.Walk(func(_ string, n *rootfs.Node) error {
		if name, ok := b.staged[n.Digest]; ok && n.IsRegular() && n.Size > 0 && !seen[n.Digest] {
			seen[n.Digest] = true
			moves = append(moves, move{filepath.Join(b.dir, name), s.path(blobsDir, blobName(n.Digest))})
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mayDie()
	if err := s.syncFiles(moves); err != nil {
		return err
	}
	var dirs []string
	for _, m := range moves {
		s.mayDie()
		if d := filepath.Dir(m.to); !slices.Contains(dirs, d) {
			if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("store: %w", err)
			}
			dirs = append(dirs, d)
		}
		if err := os.Rename(m.from, m.to); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	if err := s.syncDirs(append(dirs, s.path(blobsDir))); err != nil {
		return err
	}
	record, content, err := originFile(from)
	if err == nil {
		err = writeSynced(filepath.Join(img, "history", record), func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
	}
	if err != nil {
		return err
	}
	return s.place(img, h, record)
}

type move struct{ from, to string }

// place renames an image to its place, or adds a record to the one there.
func (s *Store) place(img, h, record string) error {
	to := s.path("images", h)
	if err := s.syncDirs([]string{filepath.Join(img, "history"), img}); err != nil {
		return err
	}
	s.mayDie()
	err := unix.Renameat2(unix.AT_FDCWD, img, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // a file system without the flag
		err = unix.Rename(img, to) // fails for a directory that is not empty
	}
	switch err {
	case nil:
		s.mayDie()
		return syncDir(s.path("images"))
	case unix.EEXIST, unix.ENOTEMPTY:
	default:
		return fmt.Errorf("store: %s: %w", to, err)
	}
	if err := os.MkdirAll(filepath.Join(to, "history"), 0o700); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := os.Rename(filepath.Join(img, "history", record), filepath.Join(to, "history", record)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return syncDir(filepath.Join(to, "history"))
}

// syncFiles brings content to the disk before it gets its name: a name never
// stands for less than what it says, whenever the power fails.
func (s *Store) syncFiles(moves []move) error {
	if len(moves) > manySyncs {
		return s.syncAll()
	}
	for _, m := range moves {
		f, err := os.Open(m.from)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

func (s *Store) syncDirs(dirs []string) error {
	if len(dirs) > manySyncs {
		return s.syncAll()
	}
	for _, d := range dirs {
		if err := syncDir(d); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

func (s *Store) syncAll() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("store: syncfs: %w", err)
	}
	return nil
}
