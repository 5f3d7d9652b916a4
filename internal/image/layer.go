// Package image gives read-only file trees ("layers"): the initial file
// system of a run and its inputs. A layer comes from the host's root, a
// directory, or a tar; what the guest sees of it never depends on the host's
// inode numbers, directory order, times or file system type.
package image

import (
	"io"
	"os"

	"dettrace/internal/rootfs"
)

// Layer is one read-only tree. Layers are used by one goroutine at a time.
type Layer interface {
	// Root is the top directory (or, for a single-file input, the file).
	Root() (Node, error)
	// Observed lists everything that was learned through the layer, sorted by
	// path and kind: files read, directories listed, failed look-ups, links
	// read, metadata and attributes seen. It computes the digests of content
	// now, not when a file is read: a run that is not asked pays nothing.
	Observed() ([]Observation, error)
	// Verify reports an error that wraps ErrChanged when anything observed
	// is different on the host now.
	Verify() error
	// Digest identifies the layer: the canonical manifest for complete
	// layers (tar), ObservedDigest of Observed for lazily read ones.
	Digest() (string, error)
	// Portable is false for trees that exist on one host only (host root).
	Portable() bool
	Close() error
}

// Meta is the metadata of a node as the guest shall see it.
type Meta struct {
	Mode     uint32 // st_mode: type and permission bits
	UID, GID uint32
	Size     int64  // bytes; for symlinks the length of the target
	Rdev     uint64 // device nodes
	Mtime    int64  // ns since 1970, already normalised or clamped
	Nlink    uint32 // names inside the layer; 1 when not known
	// Ino is the identity inside the layer: equal for hard links of one
	// file, else distinct; a pure function of the layer's names and content
	// (never a host inode number). For lazily read layers the first 63 bits
	// of a hash of the path.
	Ino uint64
}

// Node is one file of a layer. Nodes hold no descriptors.
type Node interface {
	Meta() Meta
	// Lookup finds one name in a directory; fs.ErrNotExist when missing.
	Lookup(name string) (Node, error)
	// ReadDir lists a directory sorted bytewise, without "." and "..".
	ReadDir() ([]Dirent, error)
	Readlink() (string, error)
	// Open opens a regular file for reading. The caller closes it.
	Open() (File, error)
	// Xattrs are sorted by name.
	Xattrs() ([]Xattr, error)
}

// Dirent is one directory entry; Type is the S_IFMT part of st_mode.
type Dirent struct {
	Name string
	Ino  uint64
	Type uint32
}

// Xattr is one extended attribute.
type Xattr = rootfs.Xattr

// File is an open regular file of a layer.
type File interface {
	io.ReaderAt
	io.Closer
}

// Descriptor is the host's descriptor of f, which stays f's; ok is false if f is no
// file of the host, or only part of one.
func Descriptor(f File) (fd int, ok bool) {
	switch f := f.(type) {
	case *hostFile:
		return f.fd, true
	case *os.File:
		return int(f.Fd()), true
	}
	return -1, false
}

// Unchanged reports an error that wraps ErrChanged when f is not what it was
// when it was looked up. Files of layers that the host cannot change never do.
func Unchanged(f File) error {
	if c, ok := f.(interface{ unchanged() error }); ok {
		return c.unchanged()
	}
	return nil
}

// Newest is the newest change time on the host, in ns since 1970, of a file
// that was read through l: a file that changed later than a run began may have
// changed twice in one tick, which Verify cannot see. 0: the host cannot change
// what is read without Verify noticing it.
func Newest(l Layer) int64 {
	if c, ok := l.(interface{ newest() int64 }); ok {
		return c.newest()
	}
	return 0
}
