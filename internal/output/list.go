package output

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strings"
)

// File is one entry of an output, for lists of what was made.
type File struct {
	Guest  string // absolute guest path
	Type   string // "file", "dir", "symlink"
	Mode   uint32 // permission bits as on the host, before the umask
	Size   int64
	Digest string // "sha256:...", of a file's content
	Target string // of a symlink
}

// lister hashes entries on their way and tells Options.List of each.
type lister struct {
	list   func(File)
	digest map[string]File // by guest path, for hard links
}

// entry gives the reader to make the entry from, and what to call afterwards.
func (l *lister) entry(h *tar.Header, r io.Reader, guest string) (io.Reader, func()) {
	f := File{Guest: guest, Mode: uint32(h.Mode) & 0o777, Size: h.Size}
	var sum hash.Hash
	switch h.Typeflag {
	case tar.TypeReg:
		f.Type = "file"
		sum = sha256.New()
		r = io.TeeReader(r, sum)
	case tar.TypeDir:
		f.Type = "dir"
	case tar.TypeSymlink:
		f.Type, f.Target, f.Mode = "symlink", h.Linkname, 0
	case tar.TypeLink:
		first, ok := l.digest["/"+strings.TrimPrefix(h.Linkname, "/")]
		if !ok {
			return r, func() {} // to something that was left out
		}
		f = first
		f.Guest = guest
	default:
		return r, func() {}
	}
	return r, func() {
		if sum != nil {
			f.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
		}
		l.digest[guest] = f
		l.list(f)
	}
}
