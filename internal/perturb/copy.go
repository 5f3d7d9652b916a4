package perturb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// MaxCopy is how many bytes of inputs are copied; larger ones are used where
// they are.
const MaxCopy = 512 << 20

// ErrTooLarge means that an input has more than MaxCopy bytes.
var ErrTooLarge = fmt.Errorf("more than %d MiB", MaxCopy>>20)

// Copy makes a copy of the file or directory from at to, which must not exist, with every
// directory's files made in reverse order, so that inode numbers and the order
// of directories differ. Content, modes, links and attributes of users are kept. room is lowered by
// the bytes copied. The directory without is left out: that of the copies, which may be in from.
func Copy(from, to string, room *int64, without string) error {
	c := copier{room: room, links: map[[2]uint64]string{}}
	return c.all(from, to, without)
}

// CopyImage is Copy of a directory that is an image: devices and FIFOs, owners and
// capabilities are part of it, and sockets are not. What the caller may not copy
// is an error.
func CopyImage(from, to string, room *int64, without string) error {
	c := copier{room: room, links: map[[2]uint64]string{}, image: true}
	return c.all(from, to, without)
}

type copier struct {
	room  *int64
	links map[[2]uint64]string
	image bool
	// without is the device and inode number of the directory that is left out.
	without [2]uint64
}

func (c *copier) all(from, to, without string) error {
	var st unix.Stat_t
	if err := unix.Stat(without, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: without, Err: err}
	}
	c.without = [2]uint64{st.Dev, st.Ino}
	return c.copy(from, to)
}

func (c *copier) copy(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: from, Err: err}
	}
	if c.image && os.Geteuid() != 0 && int(st.Uid) != os.Geteuid() {
		return &fs.PathError{Op: "copy", Path: from, Err: errors.New("belongs to somebody else")}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		if c.image {
			return nil
		}
	case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO:
		if c.image {
			return c.node(from, to, &st)
		}
	case unix.S_IFDIR:
		if c.without == [2]uint64{st.Dev, st.Ino} {
			return nil
		}
		return c.dir(from, to, &st)
	case unix.S_IFLNK:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, to); err != nil {
			return err
		}
		if err := own(to, &st); err != nil {
			return err
		}
		return times(to, &st)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return &fs.PathError{Op: "copy", Path: from, Err: errors.New("neither a file, a directory nor a symlink")}
	}
	id := [2]uint64{st.Dev, st.Ino}
	if first, ok := c.links[id]; ok {
		return os.Link(first, to)
	}
	if st.Nlink > 1 {
		c.links[id] = to
	}
	if *c.room -= st.Size; *c.room < 0 {
		return ErrTooLarge
	}
	return c.file(from, to, &st)
}

// node copies a device or a FIFO.
func (c *copier) node(from, to string, st *unix.Stat_t) error {
	if err := unix.Mknod(to, st.Mode&unix.S_IFMT|0o600, int(st.Rdev)); err != nil {
		return &fs.PathError{Op: "mknod", Path: from, Err: err}
	}
	return c.finish(from, to, st)
}

func (c *copier) dir(from, to string, st *unix.Stat_t) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range slices.Backward(entries) {
		if err := c.copy(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return c.finish(from, to, st)
}

func (c *copier) file(from, to string, st *unix.Stat_t) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read: nothing can be lost
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return c.finish(from, to, st)
}

// finish gives a copy the metadata that a container shows.
func (c *copier) finish(from, to string, st *unix.Stat_t) error {
	if err := own(to, st); err != nil { // which takes capabilities away
		return err
	}
	if err := c.attributes(from, to); err != nil {
		return err
	}
	if err := os.Chmod(to, fs.FileMode(st.Mode&0o777)|bits(st.Mode)); err != nil {
		return err
	}
	return times(to, st)
}

func times(to string, st *unix.Stat_t) error {
	err := unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &fs.PathError{Op: "utimensat", Path: to, Err: err}
	}
	return nil
}

// own gives a copy its owner, where we may.
func own(to string, st *unix.Stat_t) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(to, int(st.Uid), int(st.Gid))
}

func bits(mode uint32) (m fs.FileMode) {
	for _, b := range []struct {
		bit uint32
		m   fs.FileMode
	}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}} {
		if mode&b.bit != 0 {
			m |= b.m
		}
	}
	return m
}

// attributes copies extended attributes of users (xattr(7)), and of an image
// those that it is made of.
func (c *copier) attributes(from, to string) error {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(from, buf)
	if err != nil || n == 0 { // a file system without them
		return nil
	}
	for _, name := range splitNul(buf[:n]) {
		if !strings.HasPrefix(name, "user.") && !(c.image && name == "security.capability") {
			continue
		}
		v := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(from, name, v)
		if err == nil {
			err = unix.Lsetxattr(to, name, v[:n], 0)
		}
		if err != nil {
			return &fs.PathError{Op: "copy " + name, Path: from, Err: err}
		}
	}
	return nil
}

func splitNul(b []byte) (out []string) {
	for start, i := 0, 0; i < len(b); i++ {
		if b[i] == 0 {
			out, start = append(out, string(b[start:i])), i+1
		}
	}
	return out
}

// Chill drops what the page cache has of the files below top.
func Chill(top string) error {
	return filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return nil // it belongs to somebody else
		}
		defer f.Close() // only read: nothing can be lost
		const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
		_ = unix.SyncFileRange(int(f.Fd()), 0, 0, all) // only clean pages can be dropped
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		return nil
	})
}

// Give makes all of a copy belong to another user, with what everyone can read.
func Give(top string, uid int) error {
	return filepath.WalkDir(top, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, uid, uid)
	})
}
