package exchange

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"dettrace/internal/rootfs"
	"dettrace/internal/store"
)

// configRecord is the keyword of a PAX global header that carries the config
// of an image in a plain tar archive, as an image of the store is more than its tree.
// Other programs pass over it.
const configRecord = "DETTRACE.config"

// Tar writes an image as one canonical tar archive: sorted, PAX, no names of
// users. Taking it in again gives the same image.
func Tar(s *store.Store, digest string, w io.Writer) error {
	return export(s, digest, func(t *rootfs.Tree, c store.Config, open opener) error {
		tw := tar.NewWriter(w)
		text, err := c.Canonical()
		if err != nil {
			return err
		}
		if text != "" {
			h := &tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{configRecord: text}}
			if err := tw.WriteHeader(h); err != nil {
				return err
			}
		}
		if err := writeTree(tw, t, open); err != nil {
			return err
		}
		return tw.Close()
	})
}

// opener opens the content of a regular file.
type opener func(*rootfs.Node) (io.ReadCloser, error)

func export(s *store.Store, digest string, write func(*rootfs.Tree, store.Config, opener) error) (err error) {
	// The open layer keeps the image from being removed.
	l, err := s.OpenLayer(digest, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	t, c, err := s.Tree(digest)
	if err == nil {
		err = write(t, c, s.Content)
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", store.Short(digest), err)
	}
	return nil
}

// writeTree writes all entries. Implied directories are left out, as any
// archive that implies them does.
func writeTree(w *tar.Writer, t *rootfs.Tree, open opener) error {
	first := make(map[*rootfs.Node]string)
	return t.Walk(func(p string, n *rootfs.Node) error {
		if n.Implied {
			return nil
		}
		name := strings.TrimPrefix(p, "/")
		h := &tar.Header{
			Name: name, Mode: int64(n.Mode & 0o7777), Uid: int(n.UID), Gid: int(n.GID),
			ModTime: time.Unix(0, n.Mtime), Format: tar.FormatPAX,
		}
		switch n.Type() {
		case unix.S_IFDIR:
			h.Typeflag, h.Name = tar.TypeDir, "./"
			if name != "" {
				h.Name = name + "/"
			}
		case unix.S_IFREG:
			h.Typeflag, h.Size = tar.TypeReg, n.Size
		case unix.S_IFLNK:
			h.Typeflag, h.Linkname = tar.TypeSymlink, n.Target
		case unix.S_IFIFO:
			h.Typeflag = tar.TypeFifo
		case unix.S_IFCHR, unix.S_IFBLK:
			h.Typeflag = tar.TypeChar
			if n.Type() == unix.S_IFBLK {
				h.Typeflag = tar.TypeBlock
			}
			h.Devmajor, h.Devminor = int64(unix.Major(n.Rdev)), int64(unix.Minor(n.Rdev))
		}
		if n.Nlink > 1 && !n.IsDir() {
			if f, ok := first[n]; ok {
				h.Typeflag, h.Linkname, h.Size = tar.TypeLink, f, 0
				return w.WriteHeader(h)
			}
			first[n] = name
		}
		h.PAXRecords = rootfs.XattrRecords(n.Xattrs)
		if err := w.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if h.Typeflag != tar.TypeReg || n.Size == 0 {
			return nil
		}
		return copyContent(w, n, open)
	})
}

func copyContent(w io.Writer, n *rootfs.Node, open opener) error {
	r, err := open(n)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// OCI writes an image as an OCI image layout, packed as a tar archive with all
// names below prefix ("" for none): one layer, nothing of the time or the host
// in it, so that equal images give equal archives.
func OCI(s *store.Store, digest, prefix, ref string, w io.Writer) error {
	return export(s, digest, func(t *rootfs.Tree, c store.Config, open opener) error {
		layer := func(w io.Writer) error {
			tw := tar.NewWriter(w)
			if err := writeTree(tw, t, open); err != nil {
				return err
			}
			return tw.Close()
		}
		// Its digest and size come first, so the layer is written twice.
		sum := &counter{h: sha256.New()}
		if err := layer(sum); err != nil {
			return err
		}
		l := &layoutWriter{tw: tar.NewWriter(w), prefix: prefix}
		return l.write(sum, layer, c, ref)
	})
}

// counter computes digest and size.
type counter struct {
	h interface {
		io.Writer
		Sum([]byte) []byte
	}
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.h.Write(b)
}

func (c *counter) hash() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(c.h.Sum(nil))}
}

// layoutWriter writes the files of an OCI layout into an archive.
type layoutWriter struct {
	tw     *tar.Writer
	prefix string
	err    error
}

func (l *layoutWriter) dir(name string) { l.header(tar.TypeDir, name, 0o755, 0) }

func (l *layoutWriter) header(typ byte, name string, mode, size int64) {
	if l.err == nil {
		l.err = l.tw.WriteHeader(&tar.Header{Typeflag: typ, Name: l.prefix + name, Mode: mode, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
	}
}

func (l *layoutWriter) file(name string, b []byte) {
	l.header(tar.TypeReg, name, 0o644, int64(len(b)))
	if l.err == nil {
		_, l.err = l.tw.Write(b)
	}
}

// json writes a blob and gives its descriptor.
func (l *layoutWriter) json(v any, media types.MediaType) v1.Descriptor {
	b, err := json.Marshal(v)
	if l.err == nil {
		l.err = err
	}
	h, n, _ := v1.SHA256(bytes.NewReader(b)) // a reader of memory does not fail
	l.file("blobs/sha256/"+h.Hex, b)
	return v1.Descriptor{MediaType: media, Size: n, Digest: h}
}

func (l *layoutWriter) write(sum *counter, layer func(io.Writer) error, c store.Config, ref string) error {
	if l.prefix != "" {
		l.dir("")
	}
	l.dir("blobs/")
	l.dir("blobs/sha256/")
	diff := sum.hash()
	l.header(tar.TypeReg, "blobs/sha256/"+diff.Hex, 0o644, sum.n)
	if l.err == nil {
		l.err = layer(l.tw)
	}
	config := l.json(v1.ConfigFile{
		Architecture: "amd64", OS: "linux", Created: v1.Time{Time: time.Unix(0, 0).UTC()},
		Config: v1.Config{Cmd: c.Cmd, Entrypoint: c.Entrypoint, Env: c.Env, User: c.User, WorkingDir: c.WorkingDir},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diff}},
	}, types.OCIConfigJSON)
	manifest := l.json(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config,
		Layers: []v1.Descriptor{{MediaType: types.OCIUncompressedLayer, Size: sum.n, Digest: diff}},
	}, types.OCIManifestSchema1)
	manifest.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
	if ref != "" {
		manifest.Annotations = map[string]string{"org.opencontainers.image.ref.name": ref}
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{manifest}})
	if l.err == nil {
		l.err = err
	}
	l.file("index.json", index)
	l.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	if l.err != nil {
		return l.err
	}
	return l.tw.Close()
}
