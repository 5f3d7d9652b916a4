package archive

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"dettrace/internal/compress"
)

// tar lists a tar. Content is read in place, but for sparse members.
func (o *Opener) tar(r *io.SectionReader) ([]File, error) {
	in := io.NewSectionReader(r, 0, r.Size())
	t := tar.NewReader(in)
	var files []File
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		f := File{
			Path: h.Name, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid, ModTime: h.ModTime.UnixNano(),
			Link: h.Linkname, Hard: h.Typeflag == tar.TypeLink, Device: uint64(h.Devmajor)<<32 | uint64(h.Devminor),
		}
		for _, k := range slices.Sorted(maps.Keys(h.PAXRecords)) {
			if x, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
				f.attr(x, h.PAXRecords[k])
			}
		}
		if h.Uname != "" || h.Gname != "" {
			f.attr("owner name", h.Uname+":"+h.Gname)
		}
		if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse {
			// The reader reads no further than the header and skips by
			// seeking, so the content begins where the input stands.
			at, err := in.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			f.Size, f.Data = h.Size, io.NewSectionReader(r, at, h.Size)
			if sparse(h) {
				if f.Data, err = o.keep(t); err != nil {
					return nil, err
				}
			}
		}
		files = append(files, f)
	}
}

func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(h.PAXRecords)), func(k string) bool {
		return strings.HasPrefix(k, "GNU.sparse.")
	})
}

func (f *File) attr(name, value string) {
	if f.Xattrs == nil {
		f.Xattrs = map[string]string{}
	}
	f.Xattrs[name] = value
}

// ar lists an ar(5) archive with the names of GNU and of BSD.
func ar(r *io.SectionReader) ([]File, error) {
	var files []File
	var long []byte // GNU: the member "//"
	for at := int64(8); at < r.Size(); {
		var h [60]byte
		if _, err := r.ReadAt(h[:], at); err != nil {
			return nil, fmt.Errorf("member at %d: %w", at, io.ErrUnexpectedEOF)
		}
		field := func(from, to, base int) int64 {
			v, err := strconv.ParseInt(strings.TrimSpace(string(h[from:to])), base, 64)
			if err != nil {
				return 0
			}
			return v
		}
		name, size := strings.TrimRight(string(h[:16]), " "), field(48, 58, 10)
		at += 60
		if string(h[58:]) != "`\n" || size < 0 || size > r.Size()-at {
			return nil, fmt.Errorf("member at %d: damaged header", at-60)
		}
		f := File{
			ModTime: field(16, 28, 10) * 1e9, UID: int(field(28, 34, 10)), GID: int(field(34, 40, 10)),
			Mode: fs.FileMode(field(40, 48, 8) & 0o777), Size: size, Data: io.NewSectionReader(r, at, size),
		}
		at += size + size%2
		switch {
		case name == "//":
			long = make([]byte, size)
			if _, err := f.Data.ReadAt(long, 0); err != nil && size > 0 {
				return nil, err
			}
			continue
		case strings.HasPrefix(name, "#1/"):
			n, err := strconv.ParseInt(name[3:], 10, 64)
			if err != nil || n < 0 || n > size || n > 4096 {
				return nil, fmt.Errorf("member name %q", name)
			}
			b := make([]byte, n)
			if _, err := f.Data.ReadAt(b, 0); err != nil && n > 0 {
				return nil, err
			}
			name = strings.TrimRight(string(b), "\x00")
			f.Data, f.Size = io.NewSectionReader(f.Data, n, size-n), size-n
		case len(name) > 1 && name[0] == '/' && name != "/SYM64/":
			n, err := strconv.Atoi(name[1:])
			if err != nil || n < 0 || n >= len(long) {
				return nil, fmt.Errorf("member name %q", name)
			}
			name, _, _ = strings.Cut(string(long[n:]), "\n")
			name = strings.TrimSuffix(name, "/")
		case name != "/" && name != "/SYM64/":
			name = strings.TrimSuffix(name, "/")
		}
		f.Path = name
		files = append(files, f)
	}
	return files, nil
}

// zip lists a zip file in the order of its directory.
func (o *Opener) zip(r *io.SectionReader) ([]File, error) {
	z, err := zip.NewReader(r, r.Size())
	if err != nil {
		return nil, err
	}
	var files []File
	for _, e := range z.File {
		f := File{Path: e.Name, Mode: e.Mode(), ModTime: e.Modified.UnixNano(), Size: int64(e.UncompressedSize64)}
		f.attr("method", strconv.Itoa(int(e.Method)))
		f.attr("creator", strconv.Itoa(int(e.CreatorVersion)))
		if len(e.Extra) > 0 {
			f.attr("extra", strconv.Quote(string(e.Extra)))
		}
		if e.Comment != "" {
			f.attr("comment", e.Comment)
		}
		if !e.Mode().IsDir() {
			in, err := e.Open()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name, err)
			}
			f.Data, err = o.keep(in)
			if err = errors.Join(err, in.Close()); err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name, err)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// stream is what a compressed file holds, as a container of one.
func (o *Opener) stream(kind Kind, name string, r *io.SectionReader) ([]File, error) {
	f := File{Path: inner(name), Mode: 0o644, ModTime: NoTime}
	in := io.NewSectionReader(r, 0, r.Size())
	var out io.Reader
	switch kind {
	case Gzip:
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		if !z.ModTime.IsZero() {
			f.ModTime = z.ModTime.UnixNano()
		}
		if z.Name != "" {
			f.attr("name", z.Name)
		}
		if z.Comment != "" {
			f.attr("comment", z.Comment)
		}
		f.attr("operating system", strconv.Itoa(int(z.OS)))
		out = z
	default:
		z, _, err := compress.NewReader(in, compress.WindowTrusted)
		if err != nil {
			return nil, err
		}
		defer z.Close() // only read: nothing can be lost
		out = z
	}
	data, err := o.keep(out)
	if err != nil {
		return nil, err
	}
	f.Data, f.Size = data, data.Size()
	return []File{f}, nil
}
