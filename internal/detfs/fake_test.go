package detfs

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"syscall"

	"dettrace/internal/image"
)

// fakeLayer is a layer in memory: path -> file. Directories are implied.
type fakeLayer struct {
	files  map[string]fakeFile
	opened int
	broken error // every look-up fails with it
}

type fakeFile struct {
	mode    uint32
	content string // or link target
	same    string // hard link of this path
	xattrs  []image.Xattr
}

type fakeNode struct {
	l    *fakeLayer
	path string // "" for the root
}

func (l *fakeLayer) Root() (image.Node, error)              { return &fakeNode{l, ""}, nil }
func (l *fakeLayer) Observed() ([]image.Observation, error) { return nil, nil }
func (l *fakeLayer) Verify() error                          { return nil }
func (l *fakeLayer) Digest() (string, error)                { return "sha256:fake", nil }
func (l *fakeLayer) Portable() bool                         { return true }
func (l *fakeLayer) Close() error                           { return nil }
func (n *fakeNode) Readlink() (string, error)               { return n.file().content, nil }
func (n *fakeNode) Xattrs() ([]image.Xattr, error)          { return n.file().xattrs, nil }
func (n *fakeNode) file() fakeFile                          { return n.l.files[n.path] }
func (f fakeReader) Close() error                           { return nil }
func hashPath(s string) (h uint64) {
	h = 14695981039346656037
	for _, c := range []byte(s) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h >> 1
}

type fakeReader struct{ *bytes.Reader }

func (n *fakeNode) Open() (image.File, error) {
	n.l.opened++
	f := n.file()
	if f.same != "" {
		f = n.l.files[f.same]
	}
	return fakeReader{bytes.NewReader([]byte(f.content))}, nil
}

func (n *fakeNode) Meta() image.Meta {
	f, ok := n.l.files[n.path]
	m := image.Meta{Mode: syscall.S_IFDIR | 0o755, Mtime: 1e9, Nlink: 1, Ino: hashPath(n.path)}
	if !ok {
		return m
	}
	if f.same != "" {
		m = (&fakeNode{n.l, f.same}).Meta()
		return m
	}
	m.Mode = f.mode
	if f.mode&syscall.S_IFMT != syscall.S_IFDIR {
		m.Size = int64(len(f.content))
	}
	for _, g := range n.l.files {
		if g.same == n.path {
			m.Nlink++
		}
	}
	return m
}

func (n *fakeNode) Lookup(name string) (image.Node, error) {
	if n.l.broken != nil {
		return nil, n.l.broken
	}
	p := path.Join(n.path, name)
	for q := range n.l.files {
		if q == p || strings.HasPrefix(q, p+"/") {
			return &fakeNode{n.l, p}, nil
		}
	}
	return nil, fmt.Errorf("fake: %s: %w", p, fs.ErrNotExist)
}

func (n *fakeNode) ReadDir() ([]image.Dirent, error) {
	seen := map[string]bool{}
	for q := range n.l.files {
		rel := q
		if n.path != "" {
			if !strings.HasPrefix(q, n.path+"/") {
				continue
			}
			rel = q[len(n.path)+1:]
		}
		name, _, _ := strings.Cut(rel, "/")
		if name != "" {
			seen[name] = true
		}
	}
	var out []image.Dirent
	for name := range seen {
		m := (&fakeNode{n.l, path.Join(n.path, name)}).Meta()
		out = append(out, image.Dirent{Name: name, Ino: m.Ino, Type: m.Mode & syscall.S_IFMT})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// sampleLayer is the image of the tests.
func sampleLayer() *fakeLayer {
	return &fakeLayer{files: map[string]fakeFile{
		"etc/passwd":   {mode: syscall.S_IFREG | 0o644, content: "root:x:0:0\n"},
		"etc/motd":     {mode: syscall.S_IFREG | 0o644, content: "hello\n"},
		"etc/link":     {mode: syscall.S_IFLNK | 0o777, content: "passwd"},
		"usr/bin/a":    {mode: syscall.S_IFREG | 0o755, content: strings.Repeat("0123456789abcdef", 8192)},
		"usr/bin/b":    {same: "usr/bin/a"},
		"usr/lib/x/y":  {mode: syscall.S_IFREG | 0o644, content: "deep"},
		"usr/empty":    {mode: syscall.S_IFDIR | 0o755},
		"usr/suid":     {mode: syscall.S_IFREG | 0o4755, content: "suid"},
		"usr/withattr": {mode: syscall.S_IFREG | 0o644, content: "x", xattrs: []image.Xattr{{Name: "user.one", Value: []byte("1")}}},
	}}
}
