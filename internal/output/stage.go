package output

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

// stagePattern names staging directories; one that a killed run left behind
// can be told and removed.
const stagePattern = ".dettrace-*"

// stageName is the entry of a staging directory that becomes the target.
const stageName = "out"

// stage is a private directory beside a target, on the same file system, in
// which the target is made. Nobody else can write there (mode 0700).
type stage struct {
	path string   // of the staging directory
	fd   int      // the same, O_PATH
	made []string // parents of the target that did not exist, outermost first
	host string   // the target
}

// newStage makes missing parents of host and a staging directory beside it.
func newStage(host string) (*stage, error) {
	s := &stage{fd: -1, host: host}
	parent := filepath.Dir(host)
	if err := s.makeParents(parent); err != nil {
		s.discard()
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, stagePattern)
	if err != nil {
		s.discard()
		return nil, hint.With(err, "the directory "+parent+" must be writable")
	}
	s.path = dir
	if s.fd, err = openDir(dir); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

func (s *stage) makeParents(dir string) error {
	var missing []string
	for {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		missing = append(missing, dir)
		dir = filepath.Dir(dir)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := os.Mkdir(missing[i], 0o777); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		s.made = append(s.made, missing[i])
	}
	return nil
}

// commit renames the staged entry to the target: new, or (force) in exchange
// for what is there, which then goes away with the staging directory.
func (s *stage) commit(force bool) error {
	from := filepath.Join(s.path, stageName)
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, s.host, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // file systems without the flag, such as NFS
		if _, statErr := os.Lstat(s.host); errors.Is(statErr, os.ErrNotExist) {
			err = unix.Rename(from, s.host)
		} else {
			err = unix.EEXIST
		}
	}
	if err == unix.EEXIST && force {
		if info, err := os.Lstat(s.host); err == nil && info.Mode()&(os.ModeDevice|os.ModeNamedPipe|os.ModeSocket) != 0 {
			return fmt.Errorf("output %s: is no file, and is not replaced", s.host)
		}
		err = s.replace(from)
	}
	if err == unix.EEXIST {
		return hint.With(fmt.Errorf("output %s: already exists", s.host), "--force replaces it")
	}
	if err != nil {
		return fmt.Errorf("output %s: rename: %w", s.host, err)
	}
	s.made = nil // they hold the target now
	return nil
}

// replace exchanges the staged entry and the target in one step where the
// file system can, else with a moment in which neither is there.
func (s *stage) replace(from string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, s.host, unix.RENAME_EXCHANGE)
	if err != unix.EINVAL && err != unix.ENOSYS {
		return err
	}
	if err := unix.Rename(s.host, filepath.Join(s.path, "old")); err != nil {
		return err
	}
	return unix.Rename(from, s.host)
}

// discard removes the staging directory and parents that were made for
// nothing. Errors leave a directory with a telling name; there is nobody to
// help.
func (s *stage) discard() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
	if s.path != "" {
		if fd, err := openDir(filepath.Dir(s.path)); err == nil {
			_ = removeAt(fd, filepath.Base(s.path))
			_ = unix.Close(fd)
		}
		s.path = ""
	}
	for i := len(s.made) - 1; i >= 0; i-- {
		_ = os.Remove(s.made[i]) // only when empty
	}
	s.made = nil
}
