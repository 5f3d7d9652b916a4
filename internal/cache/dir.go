package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dettrace/internal/digests"
	"dettrace/internal/hint"
)

// Cache is a folder of stored runs.
type Cache struct {
	dir     string
	limit   int64 // bytes; 0: none
	digests *digests.Cache
}

// Open opens the cache in dir, which is made when needed. limit is the most
// bytes it may keep, 0 for no limit.
func Open(dir string, limit int64) (*Cache, error) {
	c := &Cache{dir: dir, limit: limit}
	for _, d := range []string{"", "entries", "blobs", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, hint.With(fmt.Errorf("cache: %w", err), "name another place with --cache-dir")
		}
	}
	// https://bford.info/cachedir/: backups leave it out.
	tag := filepath.Join(dir, "CACHEDIR.TAG")
	if _, err := os.Stat(tag); errors.Is(err, fs.ErrNotExist) {
		_ = os.WriteFile(tag, []byte("Signature: 8a477f597d28d172789f06886806bc55\n# Results of runs, kept by dettrace; can be removed at any time.\n"), 0o600)
	}
	c.digests = digests.Open(c.digestFile())
	return c, nil
}

func (c *Cache) digestFile() string { return filepath.Join(c.dir, "digests") }

// lock takes the lock, shared or alone, and gives what ends it.
func (c *Cache) lock(how int) (func(), error) {
	f, err := os.OpenFile(filepath.Join(c.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != unix.EINTR {
			f.Close()
			return nil, fmt.Errorf("cache: lock: %w", err)
		}
	}
}

// workspace is a folder below tmp that its owner holds a lock on, so that one
// left behind by a killed process can be told.
type workspace struct {
	path string
	held *os.File
}

func (c *Cache) workspace() (*workspace, error) {
	path, err := os.MkdirTemp(filepath.Join(c.dir, "tmp"), "run-")
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	f, err := os.Open(path)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &workspace{path, f}, nil
}

// close removes what is left. An error leaves a folder for sweep.
func (w *workspace) close() {
	_ = os.RemoveAll(w.path)
	_ = w.held.Close()
}

// sweep removes workspaces that nobody holds.
func (c *Cache) sweep() {
	tmp := filepath.Join(c.dir, "tmp")
	list, err := os.ReadDir(tmp)
	if err != nil {
		return
	}
	for _, e := range list {
		p := filepath.Join(tmp, e.Name())
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(p)
		}
		_ = f.Close()
	}
}
