package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/digests"
	"dettrace/internal/effective"
	"dettrace/internal/image"
	"dettrace/internal/run"
)

// Part is one setting that a result depends on.
type Part = effective.Setting

// watched is a file of the host that is digested before the run and must be
// the same after it.
type watched struct {
	path  string
	stamp digests.Stamp
}

func (w watched) same() bool {
	var st unix.Stat_t
	return unix.Stat(w.path, &st) == nil && stampOf(&st) == w.stamp
}

func stampOf(st *unix.Stat_t) digests.Stamp {
	return digests.Stamp{Dev: st.Dev, Ino: st.Ino, Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}
}

// digestOf digests a host file; a known one is not read.
func (c *Cache) digestOf(path string) (string, watched, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", watched{}, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", watched{}, err
	}
	w := watched{path, stampOf(&st)}
	if d, ok := c.digests.Get(w.stamp); ok {
		return d, w, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", watched{}, err
	}
	d := "sha256:" + hex.EncodeToString(h.Sum(nil))
	if !w.same() {
		return "", watched{}, fmt.Errorf("%s: %w", path, image.ErrChanged)
	}
	c.digests.Put(w.stamp, d)
	return d, w, nil
}

// parts are all that a result of spec depends on but what it reads, in a fixed
// order, and the files that stand behind them.
func (c *Cache) parts(spec *run.Spec, stdin string) ([]Part, []watched, error) {
	var files []watched
	digest := func(path string) (string, error) {
		d, w, err := c.digestOf(path)
		files = append(files, w)
		return d, err
	}
	parts, err := effective.Host(digest)
	if err != nil {
		return nil, nil, err
	}
	own, err := effective.Of(spec, stdin, digest)
	return append(parts, own...), files, err
}

// errTerminal is standard input that nobody can give again.
var errTerminal = errors.New("standard input is a terminal")

// stdin digests spec.Stdin. One that can be read only once is read to its end
// into an unnamed file first; done closes it.
func (c *Cache) stdin(spec *run.Spec) (digest string, file *watched, done func(), err error) {
	done = func() {}
	if spec.Stdin == nil {
		return "empty", nil, done, nil
	}
	f, isFile := spec.Stdin.(*os.File)
	var st unix.Stat_t
	if isFile {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return "", nil, done, errTerminal
		}
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return "", nil, done, err
		}
	}
	if !isFile || st.Mode&unix.S_IFMT != unix.S_IFREG {
		spool, err := os.CreateTemp(spec.StateDir, "dettrace-stdin-")
		if err != nil {
			return "", nil, done, err
		}
		done = func() { spool.Close() }
		if err := os.Remove(spool.Name()); err != nil {
			return "", nil, done, err
		}
		if _, err := io.Copy(spool, spec.Stdin); err != nil {
			return "", nil, done, err
		}
		if _, err := spool.Seek(0, io.SeekStart); err != nil {
			return "", nil, done, err
		}
		spec.Stdin, f = spool, spool
	} else {
		file = &watched{"/proc/self/fd/" + strconv.Itoa(int(f.Fd())), stampOf(&st)}
	}
	start, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", nil, done, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", nil, done, err
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return "", nil, done, err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), file, done, nil
}
