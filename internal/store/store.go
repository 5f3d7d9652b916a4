// Package store keeps images: content-addressed, append-only, on the host's
// disk.
//
//	version               "1"
//	lock                  flock(2): shared by whoever adds, exclusive for GC
//	blobs/sha256/ab/cd... content of regular files, each once
//	images/HEX/manifest   canonical form (package rootfs); HEX is its SHA-256
//	images/HEX/index      the same to be used as it is, see index.go
//	images/HEX/lock       flock(2): shared by whoever uses the image
//	images/HEX/history/   how the image came about, one JSON file each
//	names/NAME            digest that a name stands for; "/" is written %2F
//	tmp/                  what is being made
//
// Everything is made below tmp and renamed to its place when it is complete and
// on the disk, content before images before names. So a process that dies, at
// whatever moment, leaves nothing but rubbish in tmp, which the next one
// removes. Lock order: store, then image.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

const (
	version  = "1\n"
	blobsDir = "blobs/sha256"
)

// Store is one directory. Nothing is made there before something is added.
type Store struct {
	dir string
	// step, if not nil, is called where a process may die: tests do so at
	// each of them.
	step func()
}

func (s *Store) mayDie() {
	if s.step != nil {
		s.step()
	}
}

// Open opens the store at an absolute path, which need not exist yet.
func Open(dir string) (*Store, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("store %s: not an absolute path", dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "version"))
	strange := errors.Is(err, fs.ErrNotExist) && foreign(dir)
	if strange { // or another process has just made it
		b, err = os.ReadFile(filepath.Join(dir, "version"))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if strange {
			return nil, hint.With(fmt.Errorf("store %s: neither empty nor a store", dir), "name another directory with --store")
		}
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	case string(b) != version:
		return nil, hint.With(fmt.Errorf("store %s: version %.20q is not known", dir, strings.TrimSpace(string(b))),
			"it was made by another version of dettrace; name another directory with --store")
	}
	return &Store{dir: filepath.Clean(dir)}, nil
}

// foreign reports whether a directory holds anything that a store does not
// begin with: a process may have died while it made one.
func foreign(dir string) bool {
	names, _ := os.ReadDir(dir) // one that cannot be read gives its error later
	for _, n := range names {
		switch n.Name() {
		case "blobs", "images", "names", "tmp", "lock":
		default:
			return true
		}
	}
	return false
}

// ErrNoPlace says that nothing tells where the store is.
var ErrNoPlace = errors.New("no place for the store: HOME is not set")

// DefaultDir is where the store is without --store: DETTRACE_STORE, else
// dettrace/store in $XDG_DATA_HOME or ~/.local/share. get reads the host's
// environment.
func DefaultDir(get func(string) string) (string, error) {
	if dir := get("DETTRACE_STORE"); dir != "" {
		return dir, nil
	}
	// XDG base directories: a relative path is to be ignored.
	if data := get("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "dettrace", "store"), nil
	}
	if home := get("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "dettrace", "store"), nil
	}
	return "", hint.With(ErrNoPlace, "name one with --store DIR or DETTRACE_STORE")
}

// Dir is the store's directory, absolute.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// create makes the store's directories. Contents of images may be secret to
// others (/etc/shadow), so only the owner gets in.
func (s *Store) create() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if _, err := os.Stat(s.path("version")); err == nil {
		return nil
	}
	for _, d := range []string{blobsDir, "images", "names", "tmp"} {
		if err := os.MkdirAll(s.path(d), 0o700); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	// Several may do this at once; all write the same. The lock keeps the file
	// from being swept away.
	lock, err := s.lock(unix.LOCK_SH)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer unlock(lock)
	f, err := os.CreateTemp(s.path("tmp"), "version-")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	_, err = f.WriteString(version)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path("version"))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return full(fmt.Errorf("store: %w", err))
	}
	return nil
}

// lock takes the lock of the whole store. nil without an error: there is none,
// and none can be made (another's store, or read-only media).
func (s *Store) lock(how int) (*os.File, error) { return flock(s.path("lock"), how) }

// flock opens a lock file and locks it; closing releases it.
func flock(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		f, err = os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if err != nil && how&unix.LOCK_SH != 0 {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if err != unix.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
	}
}

func unlock(f *os.File) {
	if f != nil {
		_ = f.Close() // nothing was written
	}
}

// full adds what to do about a full disk.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return hint.With(err, "the disk of the store is full; nothing was left there. dettrace image gc frees what no name refers to")
	}
	return err
}
