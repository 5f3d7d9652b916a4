// Package compare finds in what two trees of files differ: which files, in what
// (content and where, mode, owner, time, link, absence), and inside archives
// in which member. Nothing depends on the order in which a directory or an
// archive of a tree lists its files; only inside files that are archives order
// is content, and named as such.
package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/archive"
)

// Tree is a list of files, sorted by path.
type Tree struct {
	Name  string
	Files []archive.File
	open  archive.Opener
	files []io.Closer
}

// Close frees the tree's files.
func (t *Tree) Close() error {
	err := t.open.Close()
	for _, f := range t.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Open reads a directory, a tar (also compressed), or any single file, which is a
// tree of one.
func Open(name string) (*Tree, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	t := &Tree{Name: name}
	switch {
	case info.IsDir():
		err = t.dir(name)
	case info.Mode().IsRegular():
		err = t.file(name, info)
	default:
		err = errors.New("neither a directory nor a file")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errors.Join(err, t.Close()))
	}
	archive.Sort(t.Files)
	return t, nil
}

// file reads a tar as the tree it holds, and anything else as one file without
// a name.
func (t *Tree) file(name string, info fs.FileInfo) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	t.files = append(t.files, f)
	data := io.NewSectionReader(f, 0, info.Size())
	if empty, err := emptyTar(data); err != nil || empty {
		return err
	}
	if body, ok := t.tarBody(name, data); ok {
		_, files, err := t.open.Open(name, body)
		if err != nil {
			return err
		}
		for i := range files {
			files[i].Path = clean(files[i].Path)
		}
		t.Files = slices.DeleteFunc(last(files), func(f archive.File) bool { return f.Path == "" }) // a directory has no entry of its own either
		return nil
	}
	t.Files = []archive.File{{Path: "", Mode: info.Mode(), ModTime: info.ModTime().UnixNano(), Size: info.Size(), Data: data}}
	return nil
}

// Single reports whether the tree is one file without a name.
func (t *Tree) Single() bool { return len(t.Files) == 1 && t.Files[0].Path == "" }

// emptyTar recognises the tar of no files, as tar(1) and as archive/tar write it.
func emptyTar(data *io.SectionReader) (bool, error) {
	if n := data.Size(); n != 1024 && n != 10240 {
		return false, nil
	}
	b, err := io.ReadAll(io.NewSectionReader(data, 0, data.Size()))
	return err == nil && len(bytes.Trim(b, "\x00")) == 0, err
}

// tarBody finds a tar below at most one compression.
func (t *Tree) tarBody(name string, data *io.SectionReader) (*io.SectionReader, bool) {
	switch archive.Sniff(data) {
	case archive.Tar:
		return data, true
	case archive.Gzip, archive.Xz, archive.Zstd, archive.Bzip2:
		_, files, err := t.open.Open(name, data)
		if err == nil && archive.Sniff(files[0].Data) == archive.Tar {
			return files[0].Data, true
		}
	}
	return nil, false
}

// clean makes "./a/" and "a" the same.
func clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }

// last keeps the last of several members with one name, as extraction does.
func last(files []archive.File) []archive.File {
	at := map[string]int{}
	var out []archive.File
	for _, f := range files {
		if i, ok := at[f.Path]; ok {
			out[i] = f
			continue
		}
		at[f.Path] = len(out)
		out = append(out, f)
	}
	return out
}

// dir reads a directory. Sockets are left out, as every archive does.
func (t *Tree) dir(top string) error {
	links := map[[2]uint64]string{}
	return filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil || rel == "." || info.Mode()&fs.ModeSocket != 0 {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: p, Err: err}
		}
		f := archive.File{
			Path: filepath.ToSlash(rel), Mode: info.Mode(), UID: int(st.Uid), GID: int(st.Gid), ModTime: st.Mtim.Nano(),
		}
		id := [2]uint64{st.Dev, st.Ino}
		if first, ok := links[id]; ok && !info.IsDir() {
			f.Link, f.Hard = first, true
			t.Files = append(t.Files, f)
			return nil
		}
		if st.Nlink > 1 {
			links[id] = f.Path
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			f.Link, err = os.Readlink(p)
		case info.Mode()&fs.ModeDevice != 0:
			f.Device = uint64(unix.Major(st.Rdev))<<32 | uint64(unix.Minor(st.Rdev))
		case info.Mode().IsRegular():
			f.Size, f.Data = st.Size, io.NewSectionReader(lazyFile(p), 0, st.Size)
		}
		t.Files = append(t.Files, f)
		return err
	})
}

// lazyFile is a file that is open only while it is read: a tree may have more
// files than a process may have open.
type lazyFile string

func (l lazyFile) ReadAt(p []byte, off int64) (int, error) {
	f, err := os.Open(string(l))
	if err != nil {
		return 0, err
	}
	n, err := f.ReadAt(p, off)
	if cerr := f.Close(); err == nil { // not errors.Join: readers compare with io.EOF
		err = cerr
	}
	return n, err
}

// Only leaves the files that match one of the patterns (path.Match, on whole
// paths), and those below a directory that does.
func (t *Tree) Only(patterns []string) error {
	var out []archive.File
	for _, f := range t.Files {
		for p := f.Path; p != "." && p != ""; p = path.Dir(p) {
			ok, err := matches(patterns, p)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, f)
				break
			}
		}
	}
	t.Files = out
	return nil
}

func matches(patterns []string, p string) (bool, error) {
	for _, pattern := range patterns {
		ok, err := path.Match(strings.TrimPrefix(pattern, "/"), p)
		if err != nil {
			return false, fmt.Errorf("pattern %s: %w", pattern, err)
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}
