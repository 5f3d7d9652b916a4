package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxSparse   = 64 << 30 // as large as the guest's file system
	maxTarLinks = 40       // symlinks in one path, as path_resolution(7)
	maxTarDepth = 2000     // components in one path; PATH_MAX allows 2048
)

// offsetReader lets archive/tar read r and tells where the content of an entry
// is: the reader buffers nothing, so after Next it stands at the first byte.
type offsetReader struct {
	r         io.ReaderAt
	off, size int64
}

func (o *offsetReader) Read(b []byte) (int, error) {
	if o.off >= o.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), o.size-o.off)]
	k, err := o.r.ReadAt(b, o.off)
	o.off += int64(k)
	if k > 0 {
		err = nil
	}
	return k, err
}

func (o *offsetReader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += o.off
	case io.SeekEnd:
		off += o.size
	}
	if off < 0 {
		return 0, unix.EINVAL
	}
	o.off = off
	return off, nil
}

// indexer makes the tree of an archive.
type indexer struct {
	tree  *tarTree
	epoch int64
	src   io.ReaderAt
	at    *offsetReader
	tr    *tar.Reader
	spool *spool // takes the content of sparse files
	limit int64  // bytes one of them may expand to, holes included
}

// indexTar reads all headers of the archive r, in order: a later entry
// replaces an earlier one of the same name, as unpacking would.
func indexTar(r io.ReaderAt, size, epoch int64, sp *spool, limit int64) (*tarTree, error) {
	x := &indexer{tree: &tarTree{}, epoch: epoch, src: r, at: &offsetReader{r: r, size: size}, spool: sp, limit: limit}
	x.tree.root = x.impliedDir()
	x.tr = tar.NewReader(x.at)
	for {
		h, err := x.tr.Next()
		if err == io.EOF {
			break
		}
		// An absolute name or one with ".." is no danger here: names are
		// cut into components below.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("offset %d: %w", x.at.off, err)
		}
		if err := x.entry(h); err != nil {
			return nil, fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
	x.tree.number()
	return x.tree, nil
}

func (x *indexer) impliedDir() *tarNode {
	return &tarNode{
		meta:    Meta{Mode: unix.S_IFDIR | 0o755, Size: dirSize, Mtime: x.epoch},
		implied: true, children: make(map[string]*tarNode),
	}
}

func (x *indexer) entry(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader, 'V': // comment of git-archive(1), volume label
		return nil
	case 'M':
		return errors.New("is the rest of a file from another volume")
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeLink {
		return x.hardLink(name, h.Linkname)
	}
	n, err := x.node(h)
	if err != nil {
		return err
	}
	if name == "/" {
		if !n.isDir() {
			return unix.ENOTDIR
		}
		n.children = x.tree.root.children
		x.tree.root = n
		return nil
	}
	d, err := x.parent(name)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if old := d.children[base]; old != nil && old.isDir() && n.isDir() {
		n.children = old.children
	}
	d.children[base] = n
	return nil
}

// cleanName makes a name absolute without "." and "..", which ends at the top.
func cleanName(s string) (string, error) {
	if strings.Contains(s, "\x00") {
		return "", errors.New("name holds a NUL")
	}
	p := path.Clean("/" + s)
	depth := 0
	for c := range strings.SplitSeq(p, "/") {
		if len(c) > 255 {
			return "", unix.ENAMETOOLONG
		}
		depth++
	}
	if depth > maxTarDepth {
		return "", unix.ENAMETOOLONG
	}
	return p, nil
}

// parent finds the directory of name, making what is missing. A symlink on
// the way is followed inside the archive only, as chroot(2) would.
func (x *indexer) parent(name string) (*tarNode, error) {
	return x.walk(path.Dir(name), true)
}

func (x *indexer) walk(p string, make bool) (*tarNode, error) {
	stack := []*tarNode{x.tree.root}
	todo := components(p)
	links := 0
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if c == ".." {
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			continue
		}
		d := stack[len(stack)-1]
		n := d.children[c]
		if n == nil {
			if !make || links > 0 {
				return nil, fmt.Errorf("parent %q: %w", c, unix.ENOENT)
			}
			n = x.impliedDir()
			d.children[c] = n
		}
		switch n.meta.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			stack = append(stack, n)
		case unix.S_IFLNK:
			if links++; links > maxTarLinks {
				return nil, fmt.Errorf("parent %q: %w", c, unix.ELOOP)
			}
			if strings.HasPrefix(n.target, "/") {
				stack = stack[:1]
			}
			todo = append(components(n.target), todo...)
		default:
			return nil, fmt.Errorf("parent %q: %w", c, unix.ENOTDIR)
		}
	}
	return stack[len(stack)-1], nil
}

// components cuts a path, keeping "..".
func components(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(c string) bool { return c == "" || c == "." })
}

func (x *indexer) hardLink(name, to string) error {
	target, err := cleanName(to)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", to, err)
	}
	var n *tarNode
	if d, err := x.walk(path.Dir(target), false); err == nil {
		n = d.children[path.Base(target)]
	}
	if n == nil {
		return fmt.Errorf("hard link to %q, which does not come before it: %w", to, unix.ENOENT)
	}
	if n.isDir() || name == "/" {
		return fmt.Errorf("hard link to %q: %w", to, unix.EISDIR)
	}
	d, err := x.parent(name)
	if err != nil {
		return err
	}
	d.children[path.Base(name)] = n
	return nil
}

// node makes the inode of an entry.
func (x *indexer) node(h *tar.Header) (*tarNode, error) {
	if h.Uid < 0 || h.Uid >= math.MaxUint32 || h.Gid < 0 || h.Gid >= math.MaxUint32 {
		return nil, fmt.Errorf("owner %d:%d is out of range", h.Uid, h.Gid)
	}
	n := &tarNode{mtime: mtimeNS(h), xattrs: tarXattrs(h)}
	n.meta = Meta{
		Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid),
		Mtime: min(n.mtime, x.epoch),
	}
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		n.meta.Mode |= unix.S_IFREG
		return n, x.content(n, h)
	case tar.TypeDir, 'D': // 'D': a directory of an incremental GNU archive
		n.meta.Mode |= unix.S_IFDIR
		n.meta.Size = dirSize
		n.children = make(map[string]*tarNode)
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) >= unix.PathMax || strings.Contains(h.Linkname, "\x00") {
			return nil, errors.New("symlink has no valid target")
		}
		n.meta.Mode = unix.S_IFLNK | 0o777 // symlink(7): the mode is not used
		n.target = h.Linkname
		n.meta.Size = int64(len(n.target))
	case tar.TypeChar, tar.TypeBlock:
		n.meta.Mode |= unix.S_IFCHR
		if h.Typeflag == tar.TypeBlock {
			n.meta.Mode = n.meta.Mode&0o7777 | unix.S_IFBLK
		}
		// The kernel has 12 bits for the major and 20 for the minor number.
		if h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20 {
			return nil, fmt.Errorf("device %d:%d is out of range", h.Devmajor, h.Devminor)
		}
		n.meta.Rdev = unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	case tar.TypeFifo:
		n.meta.Mode |= unix.S_IFIFO
	default:
		return nil, fmt.Errorf("unknown type %q", h.Typeflag)
	}
	return n, nil
}

// content finds the bytes of a regular file.
func (x *indexer) content(n *tarNode, h *tar.Header) error {
	n.meta.Size = h.Size
	if !isSparse(h) {
		n.src, n.off = x.src, x.at.off
		if h.Size < 0 || h.Size > x.at.size-n.off {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	if h.Size < 0 || h.Size > x.limit {
		return fmt.Errorf("sparse file of %d bytes: %w", h.Size, unix.EFBIG)
	}
	off, size, err := x.spool.add(x.tr)
	if err != nil {
		return err
	}
	if size != h.Size {
		return io.ErrUnexpectedEOF
	}
	n.src, n.off = x.spool, off
	return nil
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	return h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" ||
		h.PAXRecords["GNU.sparse.numblocks"] != "" || h.PAXRecords["GNU.sparse.size"] != ""
}

// mtimeNS is the time in ns since 1970, at least 0: few programs expect
// files from before.
func mtimeNS(h *tar.Header) int64 {
	switch sec := h.ModTime.Unix(); {
	case sec < 0:
		return 0
	case sec >= math.MaxInt64/1_000_000_000:
		return math.MaxInt64
	}
	return h.ModTime.UnixNano()
}

func tarXattrs(h *tar.Header) []Xattr {
	var out []Xattr
	for _, k := range sortedKeys(h.PAXRecords) {
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok && name != "" {
			out = append(out, Xattr{Name: name, Value: []byte(h.PAXRecords[k])})
		}
	}
	return out
}
