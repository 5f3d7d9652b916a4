// Package archive looks into the containers that builds make: it lists the
// members of tar, ar (and so .deb), zip, and what gzip, xz, zstd and bzip2
// hold, with their metadata and content. It only reads, and trusts nothing: a
// damaged container is an error, and what it unpacks is bounded.
package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// File is one member of a container, or one file of a tree.
type File struct {
	Path    string // as it is written in the container
	Mode    fs.FileMode
	UID     int
	GID     int
	ModTime int64 // ns since 1970; NoTime where the container has none
	Size    int64
	Link    string            // target of a symbolic or hard link
	Hard    bool              // Link is the name of a member
	Device  uint64            // major<<32 | minor
	Xattrs  map[string]string // and other attributes that the format keeps
	Data    *io.SectionReader // of regular files
}

// NoTime is the ModTime of a member without one.
const NoTime = -1 << 63

// ErrNone means that the bytes are no container that is known here.
var ErrNone = errors.New("not a container")

// ErrTooLarge ends the unpacking of a container that is larger than Limit.
var ErrTooLarge = errors.New("unpacks to more than 8 GiB")

// Limit is how many bytes one Opener may unpack.
const Limit = 8 << 30

// Kind names a container format.
type Kind string

// The formats.
const (
	Tar   Kind = "tar"
	Ar    Kind = "ar"
	Zip   Kind = "zip"
	Gzip  Kind = "gzip"
	Xz    Kind = "xz"
	Zstd  Kind = "zstd"
	Bzip2 Kind = "bzip2"
)

// Sniff tells what r begins with; "" for anything else.
func Sniff(r io.ReaderAt) Kind {
	head := make([]byte, 512)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return ""
	}
	head = head[:n]
	for _, m := range []struct {
		kind  Kind
		magic string
	}{
		{Gzip, "\x1f\x8b\x08"}, {Xz, "\xfd7zXZ\x00"}, {Zstd, "\x28\xb5\x2f\xfd"}, {Bzip2, "BZh"},
		{Ar, "!<arch>\n"}, {Zip, "PK\x03\x04"}, {Zip, "PK\x05\x06"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind
		}
	}
	if isTar(head) {
		return Tar
	}
	return ""
}

// isTar checks the sum of the first header: all bytes, its own field as blanks.
func isTar(b []byte) bool {
	if len(b) < 512 || bytes.Count(b, []byte{0}) == 512 {
		return false
	}
	var want, sum int64
	for _, c := range bytes.Trim(b[148:156], " \x00") {
		if c < '0' || c > '7' {
			return false
		}
		want = want<<3 | int64(c-'0')
	}
	for i, c := range b[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	return sum == want
}

// Opener unpacks containers into one temporary file without a name.
type Opener struct {
	spool *os.File
	end   int64
}

// Close frees what was unpacked; no File's Data may be read after it.
func (o *Opener) Close() error {
	if o.spool == nil {
		return nil
	}
	return o.spool.Close()
}

// Open lists the members of the container in r, in its order. name is that of
// the container, from which that of a compressed stream's content is made. The
// error is ErrNone where r is none.
func (o *Opener) Open(name string, r *io.SectionReader) (Kind, []File, error) {
	kind := Sniff(r)
	var files []File
	var err error
	switch kind {
	case "":
		return "", nil, ErrNone
	case Tar:
		files, err = o.tar(r)
	case Ar:
		files, err = ar(r)
	case Zip:
		files, err = o.zip(r)
	default:
		files, err = o.stream(kind, name, r)
	}
	if err != nil {
		return kind, nil, fmt.Errorf("%s: %w", kind, err)
	}
	return kind, files, nil
}

// keep unpacks all of r and gives it back to read at any place.
func (o *Opener) keep(r io.Reader) (*io.SectionReader, error) {
	if o.spool == nil {
		f, err := os.CreateTemp("", "dettrace-archive-")
		if err != nil {
			return nil, err
		}
		if err := os.Remove(f.Name()); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		o.spool = f
	}
	start := o.end
	n, err := io.Copy(io.NewOffsetWriter(o.spool, start), io.LimitReader(r, Limit-start+1))
	if err != nil {
		return nil, err
	}
	if o.end += n; o.end > Limit {
		return nil, ErrTooLarge
	}
	return io.NewSectionReader(o.spool, start, n), nil
}

// inner is the name of what a compressed file holds.
func inner(name string) string {
	base := path.Base(name)
	for _, s := range []string{".gz", ".xz", ".zst", ".bz2"} {
		if b, ok := strings.CutSuffix(base, s); ok && b != "" {
			return b
		}
	}
	if b, ok := strings.CutSuffix(base, ".tgz"); ok && b != "" {
		return b + ".tar"
	}
	return "content"
}

// Sort orders files by path, for comparing trees whose order means nothing.
func Sort(files []File) {
	slices.SortStableFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// Digest is the SHA-256 of a canonical list of files: paths, all metadata, and
// the digests of the contents. It is a Merkle tree of depth two.
func Digest(files []File) (string, error) {
	h := sha256.New()
	for _, f := range files {
		var content [sha256.Size]byte
		if f.Data != nil {
			c := sha256.New()
			if _, err := io.Copy(c, io.NewSectionReader(f.Data, 0, f.Data.Size())); err != nil {
				return "", fmt.Errorf("%s: %w", f.Path, err)
			}
			c.Sum(content[:0])
		}
		fmt.Fprintf(h, "%q %v %d:%d %d %d %q %v %d %q %x\n", f.Path, f.Mode, f.UID, f.GID, f.ModTime, f.Size, f.Link, f.Hard, f.Device, f.Xattrs, content)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
