package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// chunk is how much of a path one openat2 takes; the kernel's limit is
// PATH_MAX, and a guest can nest deeper than that.
const chunk = 2048

// openBeneath opens the directory rel ("." for root itself) for *at calls.
// No component may be a symlink, so a tree that changes under us, or one that
// a hostile tar has just made, cannot lead outside.
func openBeneath(root int, rel string) (int, error) {
	how := &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	at, rest := root, rel
	for {
		part := rest
		rest = ""
		if len(part) > chunk {
			if i := strings.LastIndexByte(part[:chunk], '/'); i > 0 {
				part, rest = part[:i], part[i+1:]
			}
		}
		fd, err := retry(func() (int, error) { return unix.Openat2(at, part, how) })
		if at != root {
			_ = unix.Close(at) // O_PATH: closing cannot fail
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: rel, Err: err}
		}
		if rest == "" {
			return fd, nil
		}
		at = fd
	}
}

// retry repeats a call that a signal interrupted, or that openat2 asks to
// repeat (EAGAIN) because the tree was being renamed.
func retry[T any](call func() (T, error)) (T, error) {
	for range 1000 {
		v, err := call()
		if err != unix.EINTR && err != unix.EAGAIN {
			return v, err
		}
	}
	return call()
}

// splitRel is the parent (or ".") and the last name of a relative path.
func splitRel(rel string) (dir, name string) {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i], rel[i+1:]
	}
	return ".", rel
}

// openDir opens a directory of the host by its ordinary path, links followed:
// it is the user's own.
func openDir(p string) (int, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: p, Err: err}
	}
	return fd, nil
}

// removeAt removes name and all below it, following nothing. What is not
// there is fine.
func removeAt(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	var st unix.Stat_t
	if statErr := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); statErr != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &os.PathError{Op: "unlink", Path: name, Err: err}
	}
	if err := clearAt(dir, name); err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "rmdir", Path: name, Err: err}
	}
	return nil
}

// clearAt removes everything in the directory name but the names in keep.
func clearAt(dir int, name string, keep ...string) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, flags, 0)
	if err == unix.EACCES { // a directory of our own without r or x
		_ = unix.Fchmodat(dir, name, 0o700, 0)
		fd, err = unix.Openat(dir, name, flags, 0)
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	names, err := f.Readdirnames(-1)
	var chmodded bool
	for _, n := range names {
		if err != nil {
			break
		}
		if contains(keep, n) {
			continue
		}
		err = removeAt(fd, n)
		if errors.Is(err, fs.ErrPermission) && !chmodded {
			chmodded = true
			_ = unix.Fchmod(fd, 0o700)
			err = removeAt(fd, n)
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
