package output

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

// tree makes files below one directory from tar entries. All paths are
// relative to the root and clean.
type tree struct {
	root int // O_PATH
	opts Options
	buf  []byte
	// dir is the parent of the last entry; entries come sorted, so it is
	// nearly always the next one's too.
	dirRel string
	dirFD  int
	// dirs get their mode and time last: they must stay writable, and every
	// new entry changes the time.
	dirs    []dirMeta
	skipped map[string]bool
}

type dirMeta struct {
	rel   string
	mode  uint32
	mtime time.Time
}

func newTree(root int, opts Options) *tree {
	return &tree{root: root, opts: opts, buf: make([]byte, 256<<10), dirFD: -1, skipped: make(map[string]bool)}
}

func (t *tree) close() {
	if t.dirFD >= 0 {
		_ = unix.Close(t.dirFD)
		t.dirFD = -1
	}
}

// parent opens the directory of rel and gives the last name.
func (t *tree) parent(rel string) (int, string, error) {
	dir, name := splitRel(rel)
	if t.dirFD >= 0 && dir == t.dirRel {
		return t.dirFD, name, nil
	}
	t.close()
	fd, err := openBeneath(t.root, dir)
	if err != nil {
		return -1, "", err
	}
	t.dirRel, t.dirFD = dir, fd
	return fd, name, nil
}

// add makes one entry. guest is its guest path, for messages; link the
// already made entry that a hard link means.
func (t *tree) add(h *tar.Header, r io.Reader, rel, guest, link string) error {
	dir, name, err := t.parent(rel)
	if err != nil {
		return fmt.Errorf("%s: %w", guest, err)
	}
	if h.Mode&0o6000 != 0 && h.Typeflag != tar.TypeLink && h.Typeflag != tar.TypeSymlink {
		t.opts.skip(guest, "set-id bits dropped")
	}
	mode := uint32(h.Mode) & 0o777
	switch h.Typeflag {
	case tar.TypeReg:
		err = t.file(dir, name, mode, h, r)
	case tar.TypeDir:
		// Writable for us until finish; the kernel applies the umask.
		if err = unix.Mkdirat(dir, name, mode|0o700); err == nil {
			t.dirs = append(t.dirs, dirMeta{rel, mode, h.ModTime})
		}
	case tar.TypeSymlink:
		if err = unix.Symlinkat(h.Linkname, dir, name); err == nil {
			err = setTime(dir, name, h.ModTime)
		}
	case tar.TypeLink:
		if t.skipped[link] {
			t.leaveOut(rel, guest, "link to something left out")
			return nil
		}
		err = t.link(dir, name, link)
	case tar.TypeChar, tar.TypeBlock:
		t.leaveOut(rel, guest, "device")
	case tar.TypeFifo:
		t.leaveOut(rel, guest, "fifo")
	default:
		t.leaveOut(rel, guest, "unknown type")
	}
	if err != nil {
		return explain(fmt.Errorf("%s: %w", guest, err))
	}
	return nil
}

func (t *tree) leaveOut(rel, guest, why string) {
	t.skipped[rel] = true
	t.opts.skip(guest, why)
}

func (t *tree) file(dir int, name string, mode uint32, h *tar.Header, r io.Reader) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Openat(dir, name, flags, mode) })
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	// Hide ReadFrom: with it CopyBuffer would not use our buffer.
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, t.buf)
	if err == nil {
		err = setTimeFD(fd, h.ModTime)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// link makes a hard link, or a copy where the file system has no links.
func (t *tree) link(dir int, name, target string) error {
	targetDir, targetName := splitRel(target)
	from, err := openBeneath(t.root, targetDir)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	// Flags 0: a symlink is linked and not followed.
	err = unix.Linkat(from, targetName, dir, name, 0)
	if err != unix.EPERM && err != unix.EMLINK && err != unix.EOPNOTSUPP {
		return err
	}
	return t.duplicate(from, targetName, dir, name)
}

func (t *tree) duplicate(from int, fromName string, dir int, name string) error {
	fd, err := unix.Openat(from, fromName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	src := os.NewFile(uintptr(fd), fromName)
	defer src.Close() // only read
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return unix.EINVAL
	}
	return t.file(dir, name, uint32(info.Mode().Perm()), &tar.Header{ModTime: info.ModTime()}, src)
}

// finish sets modes and times of directories, innermost first.
func (t *tree) finish() error {
	for i := len(t.dirs) - 1; i >= 0; i-- {
		d := t.dirs[i]
		dir, name, err := t.parent(d.rel)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("%s: %w", d.rel, err)
		}
		if err := setTime(dir, name, d.mtime); err != nil {
			return fmt.Errorf("%s: %w", d.rel, err)
		}
		// What the umask left of mode|0700, without the bits only we needed.
		if want := st.Mode & 0o777 & d.mode; want != st.Mode&0o777 {
			if err := unix.Fchmodat(dir, name, want, 0); err != nil {
				return fmt.Errorf("%s: %w", d.rel, err)
			}
		}
	}
	return nil
}

func setTime(dir int, name string, mtime time.Time) error {
	ts, err := timespecs(mtime)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(dir, name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// setTimeFD goes through /proc because utimensat(2) by descriptor needs a
// null path, which the library does not offer.
func setTimeFD(fd int, mtime time.Time) error {
	ts, err := timespecs(mtime)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), ts, 0)
}

// timespecs is access and modification time, the same: when the host reads
// it is no business of the guest's clock.
func timespecs(mtime time.Time) ([]unix.Timespec, error) {
	ts, err := unix.TimeToTimespec(mtime)
	if err != nil {
		return nil, err
	}
	return []unix.Timespec{ts, ts}, nil
}

// explain adds what to do about a full disk.
func explain(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return hint.With(err, "the host's file system is full; nothing was left there")
	}
	return err
}
