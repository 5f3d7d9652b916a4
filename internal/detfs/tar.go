package detfs

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/image"
	"dettrace/internal/rootfs"
)

// Whiteout names, as in the OCI image layer specification.
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// tarWriter writes nodes as one canonical tar: PAX, no user names, times and
// owners as the guest saw them. Sockets are left out; tar has no type for them.
type tarWriter struct {
	f    *fsys
	w    *tar.Writer
	seen map[*node]string // first name of files with several
	buf  []byte
	dry  bool // write nothing, but look at all that would be written
}

func (f *fsys) writeTar(w io.Writer, r TarRequest) error {
	t := &tarWriter{f: f, w: tar.NewWriter(w), seen: make(map[*node]string), buf: make([]byte, 256<<10)}
	var err error
	if r.Changes {
		err = f.changes(func(it item) error {
			for _, u := range r.Under {
				if below(it.path, u) {
					return t.change(it)
				}
			}
			if len(r.Under) > 0 {
				return nil
			}
			return t.change(it)
		})
	}
	for _, p := range r.Paths {
		if err == nil {
			err = t.tree(path.Clean("/" + p))
		}
	}
	if err != nil {
		return err
	}
	if err := t.w.Close(); err != nil {
		return fmt.Errorf("detfs: tar: %w", err)
	}
	return nil
}

func (t *tarWriter) change(it item) error {
	if it.kind == "deleted" {
		return t.marker(path.Join(path.Dir(it.path), whiteoutPrefix+path.Base(it.path)))
	}
	if err := t.node(it.path, it.n); err != nil || !it.opaque {
		return err
	}
	return t.marker(path.Join(it.path, whiteoutOpaque))
}

// tree writes p and all below it.
func (t *tarWriter) tree(p string) error {
	n, errno := t.f.at(p)
	if errno != 0 {
		return &walkError{p, errno}
	}
	if err := t.node(p, n); err != nil || !n.isDir() {
		return err
	}
	return t.f.merged(n, strings.TrimRight(p, "/"), "", func(it item) error { return t.node(it.path, it.n) })
}

func (t *tarWriter) marker(p string) error {
	return t.header(&tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(p, "/"),
		ModTime: time.Unix(0, t.f.cfg.Epoch), Format: tar.FormatPAX,
	})
}

func (t *tarWriter) header(h *tar.Header) error {
	if err := t.w.WriteHeader(h); err != nil {
		return fmt.Errorf("detfs: tar: %s: %w", h.Name, err)
	}
	return nil
}

func (t *tarWriter) node(p string, n *node) error {
	h := &tar.Header{
		Name: strings.TrimPrefix(p, "/"), Mode: int64(n.mode & 0o7777),
		Uid: int(n.uid), Gid: int(n.gid), ModTime: time.Unix(0, n.mtime), Format: tar.FormatPAX,
	}
	switch n.mode & syscall.S_IFMT {
	case syscall.S_IFSOCK:
		return nil
	case syscall.S_IFDIR:
		h.Typeflag = tar.TypeDir
		h.Name = path.Join("./", h.Name) + "/"
	case syscall.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, n.size
	case syscall.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		target, errno := t.f.readlink(n)
		if errno != 0 {
			return &walkError{p, errno}
		}
		h.Linkname = target
	case syscall.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case syscall.S_IFCHR, syscall.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if n.mode&syscall.S_IFMT == syscall.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(uint64(n.rdev))), int64(unix.Minor(uint64(n.rdev)))
	}
	if n.nlink > 1 && !n.isDir() && !t.dry {
		if first, ok := t.seen[n]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
			return t.header(h)
		}
		t.seen[n] = h.Name
	}
	if errno := t.f.loadXattrs(n); errno != 0 {
		return &walkError{p, errno}
	}
	if t.dry {
		return t.look(p, n)
	}
	h.PAXRecords = rootfs.XattrRecords(n.xattrs)
	if err := t.header(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	return t.content(p, n)
}

func (t *tarWriter) content(p string, n *node) error {
	for off := int64(0); off < n.size; {
		k, err := t.f.readNode(n, t.buf, off)
		if err != nil {
			t.f.fatal(fmt.Errorf("detfs: read %s: %w", p, err))
			return fmt.Errorf("detfs: read %s: %w", p, err)
		}
		if _, err := t.w.Write(t.buf[:k]); err != nil {
			return fmt.Errorf("detfs: tar: %w", err)
		}
		off += int64(k)
	}
	// Layers are verified before anything is copied out.
	if file := t.f.open.has(n); file != nil {
		if err := image.Unchanged(file); err != nil {
			return fmt.Errorf("detfs: read %s: %w", p, err)
		}
	}
	return nil
}

// look makes the layer know that n's content is wanted.
func (t *tarWriter) look(p string, n *node) error {
	if !n.isReg() || n.lower == nil || n.size == 0 || n.data != nil && n.data.base == 0 {
		return nil
	}
	if _, err := t.f.open.get(n); err != nil {
		return fmt.Errorf("detfs: open %s: %w", p, err)
	}
	return nil
}
