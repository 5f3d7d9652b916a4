package exchange

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"dettrace/internal/hint"
	"dettrace/internal/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	must(t, err)
	return s
}

func opts(name string) Options {
	return Options{Name: name, Format: "auto", MaxBytes: 1 << 20, MaxFiles: 1000}
}

// pack makes an archive of "dir/", "file=content", "link->target", "hard==target".
func pack(t testing.TB, ents ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range ents {
		h := &tar.Header{ModTime: time.Unix(1000, 5), Format: tar.FormatPAX, Mode: 0o644}
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

// made is an image of two layers, the way its parts are in every format.
func made(t testing.TB, words ...string) v1.Image {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, l := range [][]byte{
		pack(t, "./", "bin/", "bin/sh=shell", "etc/", "etc/gone=x", "etc/passwd=root", "lib->usr/lib", "usr/", "usr/lib/"),
		pack(t, "etc/", "etc/.wh.gone=", "lib/libc.so=libc", "bin/dash==bin/sh"),
	} {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l)), nil })
		must(t, err)
		img, err = mutate.AppendLayers(img, layer)
		must(t, err)
	}
	c, err := img.ConfigFile()
	must(t, err)
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", "amd64"
	c.Config = v1.Config{Env: []string{"PATH=/bin", "A=b"}, Entrypoint: words, Cmd: []string{"-l"}, WorkingDir: "/w", User: "1:2", Labels: map[string]string{"not": "identity"}}
	img, err = mutate.ConfigFile(img, c)
	must(t, err)
	return img
}

// flat is the same image as one archive.
func flat(t testing.TB) []byte {
	return pack(t, "usr/", "usr/lib/", "etc/", "etc/passwd=root", "bin/", "bin/dash=shell", "bin/sh==bin/dash", "usr/lib/libc.so=libc", "lib->usr/lib", "./")
}

func saveLayout(t testing.TB, images ...v1.Image) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	p, err := layout.Write(dir, empty.Index)
	must(t, err)
	for i, img := range images {
		must(t, p.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": fmt.Sprintf("v%d", i+1)})))
	}
	return dir
}

func tarOf(t testing.TB, dir string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.tar")
	if b, err := exec.Command("tar", "-C", dir, "-cf", out, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

func saveDocker(t testing.TB, images map[string]v1.Image) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "saved.tar")
	refs := make(map[name.Reference]v1.Image)
	for tag, img := range images {
		r, err := name.NewTag(tag)
		must(t, err)
		refs[r] = img
	}
	must(t, tarball.MultiRefWriteToFile(out, refs))
	return out
}

// One image has one identity, in whatever form it comes, and comes out of the
// store as it went in.
func TestOneIdentity(t *testing.T) {
	s := newStore(t)
	img := made(t, "/bin/sh")
	dir := saveLayout(t, img)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/x/app:v1"
	r, err := name.NewTag(ref)
	must(t, err)
	must(t, remote.Write(r, img))

	want := ""
	same := func(form string, r Result, err error) {
		t.Helper()
		must(t, err)
		if want == "" {
			want = r.Digest
		}
		if r.Digest != want {
			t.Errorf("%s: another identity", form)
			m, err := s.Manifest(r.Digest)
			must(t, err)
			_, _ = io.Copy(os.Stderr, m)
		}
	}
	got, err := Import(s, dir, opts("layout"))
	same("layout", got, err)
	if got.Origin.Kind != "oci" || got.Origin.Ref != "v1" {
		t.Errorf("origin %+v", got.Origin)
	}
	if c := got.Config; c.User != "1:2" || c.WorkingDir != "/w" || strings.Join(c.Env, " ") != "PATH=/bin A=b" || c.Cmd[0] != "-l" {
		t.Errorf("config %+v", c)
	}
	got, err = Import(s, tarOf(t, dir), opts("archive"))
	same("layout in a tar", got, err)
	got, err = Import(s, saveDocker(t, map[string]v1.Image{"app:v1": img}), opts("docker"))
	same("docker save", got, err)
	if got.Origin.Kind != "docker-archive" || !strings.HasSuffix(got.Origin.Ref, "app:v1") {
		t.Errorf("origin %+v", got.Origin)
	}
	got, err = Pull(t.Context(), s, ref, opts("pulled"))
	same("pull", got, err)
	digest, err := img.Digest()
	must(t, err)
	if locked := strings.TrimSuffix(ref, ":v1") + "@" + digest.String(); got.Origin.Resolved != locked || got.Origin.Digest != digest.String() {
		t.Errorf("origin %+v, want %s", got.Origin, locked)
	} else {
		got, err = Pull(t.Context(), s, locked, opts("locked"))
		same("pull by digest", got, err)
	}

	out := filepath.Join(t.TempDir(), "out")
	var plain bytes.Buffer
	must(t, Tar(s, want, &plain))
	must(t, os.WriteFile(out+".tar", plain.Bytes(), 0o644))
	got, err = Import(newStore(t), out+".tar", opts("x"))
	same("export as tar", got, err)
	var archive, again bytes.Buffer
	must(t, OCI(s, want, "", "x", &archive))
	must(t, OCI(s, want, "", "x", &again))
	if !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Error("two exports differ")
	}
	must(t, os.WriteFile(out+"-oci.tar", archive.Bytes(), 0o644))
	got, err = Import(newStore(t), out+"-oci.tar", opts("x"))
	same("export as OCI", got, err)
	// What was exported is valid for others.
	untarred := t.TempDir()
	if b, err := exec.Command("tar", "-C", untarred, "-xf", out+"-oci.tar").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	p, err := layout.FromPath(untarred)
	must(t, err)
	index, err := p.ImageIndex()
	must(t, err)
	m, err := index.IndexManifest()
	must(t, err)
	back, err := index.Image(m.Manifests[0].Digest)
	must(t, err)
	layers, err := back.Layers()
	must(t, err)
	if n := len(layers); n != 1 {
		t.Errorf("%d layers", n)
	}

	// The tree alone, without the config, is that of the flat archive.
	must(t, os.WriteFile(out+"-flat.tar", flat(t), 0o644))
	a, err := Import(s, out+"-flat.tar", opts("flat"))
	must(t, err)
	if files(t, s, a.Digest) != files(t, s, want) {
		t.Errorf("the tree differs from the flat archive's:\n%s\n%s", files(t, s, a.Digest), files(t, s, want))
	}
}

// files is a manifest without its config.
func files(t testing.TB, s *store.Store, digest string) string {
	t.Helper()
	m, err := s.Manifest(digest)
	must(t, err)
	defer m.Close()
	b, err := io.ReadAll(m)
	must(t, err)
	_, rest, _ := strings.Cut(string(b), "\n/ ")
	return rest
}

// A directory, its archive in every compression, and its export are one image.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, os.MkdirAll(dir+"/sub/empty", 0o755))
	for name, text := range map[string]string{"a": "A", "sub/b": "B", "sub/big": strings.Repeat("big", 300_000)} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640))
	}
	must(t, os.Link(dir+"/a", dir+"/sub/hard"))
	must(t, os.Symlink("../a", dir+"/sub/link"))
	must(t, os.WriteFile(dir+"/sparse", nil, 0o600))
	must(t, os.Truncate(dir+"/sparse", 100<<10))
	when := time.Unix(1234567890, 987654321)
	must(t, os.Chtimes(dir+"/sub/b", when, when))
	s := newStore(t)
	o := opts("tree")
	o.MaxBytes = 2 << 20
	want, err := Import(s, dir, o)
	must(t, err)
	for _, args := range [][]string{{"-cf"}, {"-cSf"}, {"-czf"}, {"-cjf"}, {"-cJf"}, {"--zstd", "-cf"}} {
		out := filepath.Join(t.TempDir(), "t")
		b, err := exec.Command("tar", append(append([]string{"--format=posix", "-C", dir}, args...), out, ".")...).CombinedOutput()
		if err != nil {
			t.Fatalf("tar %v: %v\n%s", args, err, b)
		}
		got, err := Import(s, out, o)
		must(t, err)
		if got.Digest != want.Digest {
			t.Errorf("tar %v: another identity", args)
		}
	}
}

func TestChoice(t *testing.T) {
	s := newStore(t)
	a, b := made(t, "a"), made(t, "b")
	for kind, c := range map[string]struct{ path, refA, refB string }{
		"layout": {saveLayout(t, a, b), "v1", "v2"},
		"docker": {saveDocker(t, map[string]v1.Image{"app:a": a, "app:b": b}), "app:a", "app:b"},
	} {
		if _, err := Import(s, c.path, opts("x")); err == nil || !strings.Contains(err.Error(), "2 images") || !strings.Contains(hint.Of(err), c.refB) {
			t.Errorf("%s: %v (%s)", kind, err, hint.Of(err))
		}
		o := opts("")
		for ref, want := range map[string]string{c.refA: "a", c.refB: "b"} {
			o.Ref = ref
			got, err := Import(s, c.path, o)
			must(t, err)
			if got.Config.Entrypoint[0] != want {
				t.Errorf("%s %s: %v", kind, ref, got.Config.Entrypoint)
			}
		}
		o.Ref = "none"
		if _, err := Import(s, c.path, o); err == nil || !strings.Contains(hint.Of(err), c.refA) {
			t.Errorf("%s: %v (%s)", kind, err, hint.Of(err))
		}
	}
}

// Nothing is in the store after any of these.
func TestRefused(t *testing.T) {
	blob := func(change func([]byte) []byte) string {
		dir := saveLayout(t, made(t, "x"))
		var manifest v1.Manifest
		index, err := layout.ImageIndexFromPath(dir)
		must(t, err)
		m, err := index.IndexManifest()
		must(t, err)
		b, err := os.ReadFile(filepath.Join(dir, "blobs/sha256", m.Manifests[0].Digest.Hex))
		must(t, err)
		must(t, json.Unmarshal(b, &manifest))
		layer := filepath.Join(dir, "blobs/sha256", manifest.Layers[0].Digest.Hex)
		b, err = os.ReadFile(layer)
		must(t, err)
		must(t, os.WriteFile(layer, change(b), 0o644))
		return dir
	}
	write := func(b []byte) string {
		p := filepath.Join(t.TempDir(), "a.tar")
		must(t, os.WriteFile(p, b, 0o644))
		return p
	}
	arm := func() string {
		c, err := made(t, "x").ConfigFile()
		must(t, err)
		c = c.DeepCopy()
		c.Architecture = "arm64"
		img, err := mutate.ConfigFile(made(t, "x"), c)
		must(t, err)
		return saveLayout(t, img)
	}
	for name, c := range map[string]struct{ path, want string }{
		"layer of another content":       {blob(func([]byte) []byte { return pack(t, "bin/") }), "digest is"},
		"layer cut off":                  {blob(func(b []byte) []byte { return b[:len(b)/2] }), "unexpected EOF"},
		"layer with something behind":    {blob(func(b []byte) []byte { return append(b, b...) }), "digest is"},
		"another architecture":           {arm(), "linux/arm64"},
		"no such file":                   {filepath.Join(t.TempDir(), "none"), "no such file"},
		"no archive":                     {write([]byte(strings.Repeat("hello ", 200))), "not a tar archive"},
		"empty file":                     {write(nil), "end marker"},
		"archive cut off":                {write(flat(t)[:2048]), "unexpected EOF"},
		"too large":                      {write(pack(t, "f="+strings.Repeat("x", 2<<20))), "too much content"},
		"docker manifest that leads out": {write(pack(t, `manifest.json=[{"Config":"../../etc/passwd","Layers":["/etc/passwd"]}]`)), "etc/passwd"},
		"layout with a hole":             {write(pack(t, "oci-layout={}", `index.json={"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"digest":"sha256:`+strings.Repeat("0", 64)+`"}]}`)), "not exist"},
		"a digest with a path in it":     {write(pack(t, "oci-layout={}", `index.json={"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"digest":"sha256:../../../etc/passwd"}]}`)), "index"},
	} {
		s := newStore(t)
		_, err := Import(s, c.path, opts("x"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if list, err := s.List(); err != nil || len(list) != 0 {
			t.Errorf("%s: %d images, %v", name, len(list), err)
		}
		left := 0
		_ = filepath.WalkDir(s.Dir(), func(p string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != "version" && d.Name() != "lock" {
				left++
			}
			return err
		})
		if left != 0 {
			t.Errorf("%s: %d files are left", name, left)
		}
	}
}

// A registry that gives something else than it was asked for is refused, and
// so is one without TLS that is not on this machine.
func TestPullRefused(t *testing.T) {
	img := made(t, "x")
	good := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(good)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	r, err := name.NewTag(host + "/app:v1")
	must(t, err)
	must(t, remote.Write(r, img))
	layers, err := img.Layers()
	must(t, err)
	h, err := layers[0].Digest()
	must(t, err)
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, h.String()) {
			_, _ = w.Write(pack(t, "evil=1"))
			return
		}
		good.ServeHTTP(w, r)
	}))
	defer bad.Close()
	redirect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://192.0.2.1"+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		good.ServeHTTP(w, r)
	}))
	defer redirect.Close()
	for ref, want := range map[string][2]string{
		host + "/app:v2": {"MANIFEST_UNKNOWN", "the name and the tag"},
		host + "/app@sha256:" + strings.Repeat("0", 64):         {"", "the name and the tag"},
		strings.TrimPrefix(bad.URL, "http://") + "/app:v1":      {"", ""},
		strings.TrimPrefix(redirect.URL, "http://") + "/app:v1": {"plain http to another machine", "loopback"},
		"UPPER/case": {"not a reference", "debian:trixie"},
	} {
		s := newStore(t)
		_, err := Pull(t.Context(), s, ref, opts("x"))
		if err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(hint.Of(err), want[1]) {
			t.Errorf("%s: %v (%s)", ref, err, hint.Of(err))
		}
		if list, err := s.List(); err != nil || len(list) != 0 {
			t.Errorf("%s: %d images, %v", ref, len(list), err)
		}
	}
}
