package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Options say how an archive is applied.
type Options struct {
	// Content takes the content of regular file n. r gives exactly n.Size
	// bytes, holes as zeros; what is not read of it is skipped. The file may
	// be replaced by a later entry, and then is not in the tree at the end.
	Content func(n *Node, h *tar.Header, r io.Reader) error
	// Layer: the archive is a layer of the OCI image specification, so
	// names beginning with ".wh." take away what earlier layers have.
	Layer bool
	// Skip leaves out entries by their clean absolute path, or is nil.
	Skip func(path string) bool
	// Global sees the records of PAX global headers, or is nil.
	Global func(records map[string]string) error
	// Budget bounds what the archive may hold, or is nil.
	Budget *Budget
}

// Apply reads all entries of the archive r, in order: a later entry replaces an
// earlier one of the same name, as unpacking would. It stops behind the end
// marker, so that whoever checks a digest of r reads the rest.
// Number is to be called after the last archive.
func (t *Tree) Apply(r io.Reader, o Options) error {
	t.layer++
	// A layer has a digest, and many lack the marker.
	var end *ending
	if !o.Layer {
		r, end = watchEnd(r)
	}
	a := &applier{t: t, o: o, tr: tar.NewReader(r)}
	if o.Budget == nil {
		a.o.Budget = Unlimited()
	}
	t.budget = a.o.Budget
	for {
		if end != nil {
			end.entry()
		}
		h, err := a.tr.Next()
		if err == io.EOF && end != nil {
			if err := end.complete(); err != nil {
				return fmt.Errorf("after %d entries: %w", a.count, err)
			}
		}
		if err == io.EOF {
			break
		}
		// An absolute name or one with ".." is no danger here: names are
		// cut into components below.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("after %d entries: %w", a.count, err)
		}
		a.count++
		if err := a.entry(h); err != nil {
			return fmt.Errorf("entry %s: %w", quoteName(h.Name), err)
		}
	}
	for _, p := range a.markers {
		t.whiteout(p, maxLinks)
	}
	if o.Layer {
		t.dropAufs()
	}
	return nil
}

// quoteName shows a name of any length and bytes in a message.
func quoteName(s string) string {
	if len(s) > 300 {
		return fmt.Sprintf("%q...", s[:300])
	}
	return fmt.Sprintf("%q", s)
}

// applier is one archive on its way into the tree.
type applier struct {
	t       *Tree
	o       Options
	tr      *tar.Reader
	count   int
	markers []string // whiteouts seen, applied once more at the end
}

func (a *applier) entry(h *tar.Header) error {
	if err := a.o.Budget.entry(h); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		if a.o.Global != nil {
			return a.o.Global(h.PAXRecords)
		}
		return nil // comment of git-archive(1)
	case 'V': // volume label
		return nil
	case 'M':
		return errors.New("is the rest of a file from another volume")
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	if a.o.Layer && strings.HasPrefix(path.Base(name), whiteoutPrefix) {
		if done, err := a.marker(name); done || err != nil {
			return err
		}
	}
	if a.o.Skip != nil && a.o.Skip(name) {
		return nil
	}
	if h.Typeflag == tar.TypeLink {
		return a.hardLink(name, h.Linkname)
	}
	n, err := a.node(h)
	if err != nil {
		return err
	}
	return a.place(name, n)
}

func (a *applier) place(name string, n *Node) error {
	t := a.t
	if name == "/" {
		if !n.IsDir() {
			return unix.ENOTDIR
		}
		n.children = t.Root.children
		t.Root = n
		return nil
	}
	d, err := t.parent(name)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if old := d.Child(base); old != nil && old.IsDir() && n.IsDir() {
		n.children = old.children
	}
	d.children[base] = dent{n, t.layer}
	return nil
}

func (a *applier) hardLink(name, to string) error {
	target, err := cleanName(to)
	if err != nil {
		return fmt.Errorf("hard link to %s: %w", quoteName(to), err)
	}
	var n *Node
	if d, err := a.t.find(path.Dir(target), maxLinks); err == nil {
		n = d.Child(path.Base(target))
	}
	if n == nil {
		return fmt.Errorf("hard link to %s, which does not come before it: %w", quoteName(to), unix.ENOENT)
	}
	if n.IsDir() || name == "/" {
		return fmt.Errorf("hard link to %s: %w", quoteName(to), unix.EISDIR)
	}
	return a.place(name, n)
}

// node makes the inode of an entry.
func (a *applier) node(h *tar.Header) (*Node, error) {
	if h.Uid < 0 || h.Uid >= math.MaxUint32 || h.Gid < 0 || h.Gid >= math.MaxUint32 {
		return nil, fmt.Errorf("owner %d:%d is out of range", h.Uid, h.Gid)
	}
	n := &Node{
		Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid),
		Mtime: mtimeNS(h), layer: a.t.layer,
	}
	var err error
	if n.Xattrs, err = xattrs(h); err != nil {
		return nil, err
	}
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		n.Mode |= unix.S_IFREG
		n.Size = h.Size
		return n, a.o.Content(n, h, a.tr)
	case tar.TypeDir, 'D': // 'D': a directory of an incremental GNU archive
		n.Mode |= unix.S_IFDIR
		n.children = make(map[string]dent)
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) >= unix.PathMax || strings.Contains(h.Linkname, "\x00") {
			return nil, errors.New("symlink has no valid target")
		}
		n.Mode = unix.S_IFLNK | 0o777 // symlink(7): the mode is not used
		n.Target = h.Linkname
	case tar.TypeChar, tar.TypeBlock:
		n.Mode |= unix.S_IFCHR
		if h.Typeflag == tar.TypeBlock {
			n.Mode = n.Mode&0o7777 | unix.S_IFBLK
		}
		// The kernel has 12 bits for the major and 20 for the minor number.
		if h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20 {
			return nil, fmt.Errorf("device %d:%d is out of range", h.Devmajor, h.Devminor)
		}
		n.Rdev = unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	case tar.TypeFifo:
		n.Mode |= unix.S_IFIFO
	default:
		return nil, fmt.Errorf("unknown type %q", h.Typeflag)
	}
	return n, nil
}

// IsSparse reports whether the content of an entry is not as it is in the
// archive, but with holes.
func IsSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	return h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" ||
		h.PAXRecords["GNU.sparse.numblocks"] != "" || h.PAXRecords["GNU.sparse.size"] != ""
}

// mtimeNS is the time in ns since 1970. Times outside of what int64 holds (1677
// to 2262) become its nearest.
func mtimeNS(h *tar.Header) int64 {
	switch sec := h.ModTime.Unix(); {
	case h.ModTime.IsZero():
		return 0 // Go's own, for a header without a time
	case sec <= math.MinInt64/1_000_000_000:
		return math.MinInt64
	case sec >= math.MaxInt64/1_000_000_000:
		return math.MaxInt64
	}
	return h.ModTime.UnixNano()
}

// XattrRecords are the PAX records of attributes; nil for none.
func XattrRecords(xs []Xattr) map[string]string {
	if len(xs) == 0 {
		return nil
	}
	out := make(map[string]string, len(xs))
	for _, x := range xs {
		out[xattrPrefix+strings.ReplaceAll(x.Name, "=", "%3D")] = string(x.Value)
	}
	return out
}

const xattrPrefix = "SCHILY.xattr."

// HeaderXattrs are the attributes of an entry whose PAX records XattrRecords made.
func HeaderXattrs(h *tar.Header) ([]Xattr, error) { return xattrs(h) }

// xattrs are the attributes of an entry. A PAX keyword cannot hold "=", which
// is written as libarchive does.
func xattrs(h *tar.Header) ([]Xattr, error) {
	var out []Xattr
	for _, k := range sortedKeys(h.PAXRecords) {
		name, ok := strings.CutPrefix(k, xattrPrefix)
		if !ok || name == "" {
			continue
		}
		// xattr(7): limits of the kernel's interface.
		if v := h.PAXRecords[k]; len(name) > 255 || len(v) > 64<<10 {
			return nil, fmt.Errorf("attribute %s of %d bytes: %w", quoteName(name), len(v), unix.E2BIG)
		}
		out = append(out, Xattr{Name: strings.ReplaceAll(name, "%3D", "="), Value: []byte(h.PAXRecords[k])})
	}
	return sortXattrs(out)
}
