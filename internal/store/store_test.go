package store

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/rootfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	must(t, err)
	return s
}

// pack makes an archive of "dir/", "file=content", "link->target", "hard==target".
func pack(t testing.TB, ents ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range ents {
		h := &tar.Header{ModTime: time.Unix(1000, 0), Format: tar.FormatPAX, Mode: 0o644}
		body := ""
		if name, to, ok := strings.Cut(e, "->"); ok {
			h.Typeflag, h.Name, h.Linkname = tar.TypeSymlink, name, to
		} else if name, to, ok := strings.Cut(e, "=="); ok {
			h.Typeflag, h.Name, h.Linkname = tar.TypeLink, name, to
		} else if name, content, ok := strings.Cut(e, "="); ok {
			h.Typeflag, h.Name, h.Size, body = tar.TypeReg, name, int64(len(content)), content
		} else {
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, e, 0o755
		}
		must(t, w.WriteHeader(h))
		_, err := io.WriteString(w, body)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func add(t testing.TB, s *Store, name string, c Config, layers ...[]byte) Image {
	t.Helper()
	b, err := s.Begin()
	must(t, err)
	for _, l := range layers {
		must(t, b.Apply(bytes.NewReader(l), rootfs.Options{Layer: true}))
	}
	img, err := b.Commit(c, name, false, Origin{Kind: "test"})
	must(t, err)
	must(t, b.Close())
	return img
}

func find(t testing.TB, l image.Layer, p string) image.Node {
	t.Helper()
	n, err := l.Root()
	must(t, err)
	for _, c := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		n, err = n.Lookup(c)
		must(t, err)
	}
	return n
}

func content(t testing.TB, n image.Node) string {
	t.Helper()
	f, err := n.Open()
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, n.Meta().Size))
	must(t, err)
	return string(b)
}

func TestImage(t *testing.T) {
	s := newStore(t)
	big := strings.Repeat("0123456789abcdef", 100_000) // more than one piece
	c := Config{Env: []string{"A=1", "B=<>"}, Cmd: []string{"sh"}, WorkingDir: "/w"}
	img := add(t, s, "base", c, pack(t, "etc/", "etc/passwd=root", "big="+big, "l->etc/passwd", "hard==big", "empty=", "twice=root"))
	if img.Files != 8 || img.Bytes != int64(len(big)+8) || !slices.Equal(img.Names, []string{"base"}) {
		t.Errorf("%+v", img)
	}
	l, err := s.OpenLayer(img.Digest, 2000e9)
	must(t, err)
	defer l.Close()
	for p, want := range map[string]string{"etc/passwd": "root", "twice": "root", "big": big, "hard": big, "empty": ""} {
		if got := content(t, find(t, l, p)); got != want {
			t.Errorf("%s: %d bytes", p, len(got))
		}
	}
	if a, b := find(t, l, "big").Meta(), find(t, l, "hard").Meta(); a != b || a.Nlink != 2 || a.Mtime != 1000e9 || a.Size != int64(len(big)) {
		t.Errorf("hard link: %+v %+v", a, b)
	}
	if to, err := find(t, l, "l").Readlink(); to != "etc/passwd" || err != nil {
		t.Error(to, err)
	}
	list, err := find(t, l, "/").ReadDir()
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	if want := []string{"big", "empty", "etc", "hard", "l", "twice"}; !slices.Equal(names, want) {
		t.Error(names)
	}
	if _, err := find(t, l, "etc").Lookup("no"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	// The identity is the digest of the manifest, and the manifest says all.
	m, err := s.Manifest(img.Digest)
	must(t, err)
	defer m.Close()
	text, err := io.ReadAll(m)
	must(t, err)
	if sum := sha256.Sum256(text); "sha256:"+hex.EncodeToString(sum[:]) != img.Digest {
		t.Error("the manifest has another digest")
	}
	tree, config, err := s.Tree(img.Digest)
	must(t, err)
	if fmt.Sprint(config) != fmt.Sprint(c) {
		t.Errorf("config %+v", config)
	}
	var again bytes.Buffer
	canon, err := c.Canonical()
	must(t, err)
	must(t, tree.WriteManifest(&again, canon))
	if !bytes.Equal(again.Bytes(), text) {
		t.Errorf("manifest is not read as it was written:\n%s\n%s", text, again.Bytes())
	}
	gone := make(chan struct{})
	v := &Verified{Interrupt: gone}
	for range 2 { // what was read is not read again
		if bad, err := s.Verify(img.Digest, v); err != nil || len(bad) != 0 {
			t.Error(bad, err)
		}
		if files, read := v.Progress(); files != 2 || read != int64(len(big)+len("root")) {
			t.Errorf("%d files, %d bytes were read", files, read)
		}
	}
	close(gone)
	if _, err := s.Verify(img.Digest, &Verified{Interrupt: gone}); !errors.Is(err, ErrInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}

// The identity does not depend on how or in which order the tree was packed,
// on the name, or on the store; it depends on everything in the tree.
func TestIdentity(t *testing.T) {
	id := func(c Config, layers ...[]byte) string { return add(t, newStore(t), "x", c, layers...).Digest }
	want := id(Config{}, pack(t, "d/", "d/f=1", "g==d/f", "s->d"))
	for name, layers := range map[string][][]byte{
		"order":            {pack(t, "s->d", "d/", "g=1", "d/f==g")},
		"names":            {pack(t, "./s->d", "/d/", "d//f=1", "./g==/d/f")},
		"replaced":         {pack(t, "d=x", "s=x", "d", "d/f=1", "g==d/f", "s->d")},
		"layers":           {pack(t, "d/", "gone=1", "d/f=1"), pack(t, ".wh.gone=", "g==d/f", "s->d")},
		"whiteout, opaque": {pack(t, "d/", "d/x=1"), pack(t, "d/", "d/.wh..wh..opq=", "d/f=1", "g==d/f", "s->d")},
	} {
		if got := id(Config{}, layers...); got != want {
			t.Errorf("%s: another identity", name)
		}
	}
	for name, l := range map[string][]byte{
		"content": pack(t, "d/", "d/f=2", "g==d/f", "s->d"), "link": pack(t, "d/", "d/f=1", "g=1", "s->d"),
		"target": pack(t, "d/", "d/f=1", "g==d/f", "s->e"), "name": pack(t, "d/", "d/f=1", "h==d/f", "s->d"),
		"implied": pack(t, "d/f=1", "g==d/f", "s->d"),
	} {
		if id(Config{}, l) == want {
			t.Errorf("%s: same identity", name)
		}
	}
	if id(Config{User: "x"}, pack(t, "d/", "d/f=1", "g==d/f", "s->d")) == want {
		t.Error("config: same identity")
	}
}

func TestResolve(t *testing.T) {
	s := newStore(t)
	if _, err := s.Resolve("none"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	a := add(t, s, "debian:trixie", Config{}, pack(t, "a=1"))
	b := add(t, s, "reg.example/x/y:1", Config{}, pack(t, "b=1"))
	for ref, want := range map[string]string{
		"debian:trixie": a.Digest, "image:debian:trixie": a.Digest, a.Digest: a.Digest, a.Digest[:20]: a.Digest,
		"debian:trixie@" + a.Digest: a.Digest, "reg.example/x/y:1": b.Digest,
	} {
		if img, err := s.Resolve(ref); err != nil || img.Digest != want {
			t.Errorf("%s: %v %v", ref, img.Digest, err)
		}
	}
	for ref, want := range map[string][2]string{
		"debian:trixy":              {"no such image", "did you mean debian:trixie?"},
		"sha256:12":                 {"not a digest", "at least 4"},
		"sha256:xyzw":               {"not a digest", "at least 4"},
		"sha256:00000000":           {"no such image", "image list"},
		"debian:trixie@" + b.Digest: {"the name stands for " + a.Digest, "sha256:"},
		"debian:trixie@sha256:12":   {"not a complete digest", ""},
		"../etc":                    {"no such image", "image list"},
		"":                          {"no such image", ""},
	} {
		if _, err := s.Resolve(ref); err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(hint.Of(err), want[1]) {
			t.Errorf("%s: %v (%s)", ref, err, hint.Of(err))
		}
	}
	for _, name := range []string{"", "host", "-x", "a b", "a//b", "../x", "sha256:abcd", "tar:x", "a@b", ".x", strings.Repeat("x", 201), "a/.."} {
		if CheckName(name) == nil {
			t.Errorf("%q passes as a name", name)
		}
	}
}

// A name is not moved to another image without force.
func TestNameTaken(t *testing.T) {
	s := newStore(t)
	a := add(t, s, "x", Config{}, pack(t, "a=1"))
	add(t, s, "x", Config{}, pack(t, "a=1")) // the same
	b, err := s.Begin()
	must(t, err)
	must(t, b.Apply(bytes.NewReader(pack(t, "a=2")), rootfs.Options{}))
	if _, err := b.Commit(Config{}, "x", false, Origin{}); err == nil || !strings.Contains(err.Error(), "already stands for "+Short(a.Digest)) {
		t.Error(err)
	}
	must(t, b.Close())
	if list, err := s.List(); err != nil || len(list) != 1 {
		t.Errorf("%d images, %v", len(list), err)
	}
	b, err = s.Begin()
	must(t, err)
	must(t, b.Apply(bytes.NewReader(pack(t, "a=2")), rootfs.Options{}))
	img, err := b.Commit(Config{}, "x", true, Origin{})
	must(t, err)
	must(t, b.Close())
	if img.Digest == a.Digest {
		t.Error("same digest")
	}
	if got, err := s.Resolve("x"); err != nil || got.Digest != img.Digest {
		t.Error(got, err)
	}
}

func count(t testing.TB, dir string) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	return n
}

func TestGC(t *testing.T) {
	s := newStore(t)
	a := add(t, s, "a", Config{}, pack(t, "f=only a", "g=both"))
	b := add(t, s, "b", Config{}, pack(t, "f=only b", "g=both"))
	l, err := s.OpenLayer(a.Digest, 0)
	must(t, err)
	must(t, s.Remove("a"))
	if err := s.Remove("a"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	must(t, os.WriteFile(s.path("tmp", "rubbish"), []byte("x"), 0o600))
	g, err := s.GC(false, func() { t.Error("waits") })
	must(t, err)
	if len(g.Images) != 0 || !slices.Equal(g.InUse, []string{a.Digest}) || g.Blobs != 0 {
		t.Errorf("in use: %+v", g)
	}
	must(t, l.Close())
	for _, dry := range []bool{true, false} {
		g, err = s.GC(dry, func() { t.Error("waits") })
		must(t, err)
		if !slices.Equal(g.Images, []string{a.Digest}) || g.Blobs != 1 || g.Bytes != int64(len("only a")) {
			t.Errorf("dry %v: %+v", dry, g)
		}
	}
	if n := count(t, s.path("blobs")); n != 2 {
		t.Errorf("%d blobs", n)
	}
	if n := count(t, s.path("tmp")); n != 0 {
		t.Errorf("%d files in tmp", n)
	}
	if bad, err := s.Verify(b.Digest, &Verified{}); err != nil || len(bad) != 0 {
		t.Error(bad, err)
	}
	if _, err := s.OpenLayer(a.Digest, 0); err == nil {
		t.Error("the removed image opens")
	}
}

// What is damaged is an error, never something else that was not asked for.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(s *Store, img Image) error{
		"blob gone": func(s *Store, img Image) error { return os.Remove(oneBlob(s)) },
		"blob cut off": func(s *Store, img Image) error {
			must(t, os.Chmod(oneBlob(s), 0o600)) // for a plain user
			return os.Truncate(oneBlob(s), 3)
		},
		"blob changed": func(s *Store, img Image) error {
			must(t, os.Chmod(oneBlob(s), 0o600))
			return os.WriteFile(oneBlob(s), []byte("evil!"), 0o400)
		},
		"manifest": func(s *Store, img Image) error {
			return os.WriteFile(s.path("images", img.Digest[7:], "manifest"), []byte("dettrace-image 1\n/ d 0755 0 0 0\n"), 0o600)
		},
	} {
		s := newStore(t)
		img := add(t, s, "x", Config{}, pack(t, "f=good!"))
		must(t, damage(s, img))
		bad, err := s.Verify(img.Digest, &Verified{})
		if err != nil || len(bad) != 1 {
			t.Errorf("%s: %v %v", name, bad, err)
		}
		if strings.HasPrefix(name, "blob") {
			// Importing it again mends what has another size.
			add(t, s, "x", Config{}, pack(t, "f=good!"))
		}
	}
}

func oneBlob(s *Store) string {
	found, _ := filepath.Glob(s.path(blobsDir, "*", "*"))
	return found[0]
}

// An index that is gone or of another version is made again; one that does
// not hold together is never followed.
func TestIndexAgain(t *testing.T) {
	s := newStore(t)
	img := add(t, s, "x", Config{}, pack(t, "d/", "d/f=1", "l->d"))
	index := s.path("images", img.Digest[7:], "index")
	good, err := os.ReadFile(index)
	must(t, err)
	for name, b := range map[string][]byte{"gone": nil, "cut off": good[:100], "other version": append([]byte("dtindex0"), good[8:]...)} {
		must(t, os.Remove(index))
		if b != nil {
			must(t, os.WriteFile(index, b, 0o600))
		}
		l, err := s.OpenLayer(img.Digest, 0)
		must(t, err)
		if got := content(t, find(t, l, "d/f")); got != "1" {
			t.Errorf("%s: %q", name, got)
		}
		must(t, l.Close())
	}
}

func FuzzIndex(f *testing.F) {
	s := newStore(f)
	img := add(f, s, "x", Config{User: "u"}, pack(f, "d/", "d/f=1", "l->d"))
	good, err := os.ReadFile(s.path("images", img.Digest[7:], "index"))
	must(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "index")
		must(t, os.WriteFile(name, b, 0o600))
		m, err := mapIndex(name)
		if err != nil {
			return
		}
		l := &layer{m: m, blobs: -1}
		for i := range min(m.head.Nodes, 50) {
			n, err := l.at(i, 0)
			must(t, err)
			_, _ = n.ReadDir()
			_, _ = n.Lookup("f")
			_, _ = n.Readlink()
			_, _ = n.Xattrs()
		}
		must(t, l.Close())
	})
}
