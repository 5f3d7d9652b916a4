// Package exchange moves images into the store and out of it: directories, tar
// archives, OCI layouts, archives of `docker save`, registries.
package exchange

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"dettrace/internal/compress"
	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/oci"
	"dettrace/internal/rootfs"
	"dettrace/internal/store"
)

// Formats are the values of Options.Format; the first finds out by itself.
func Formats() []string { return []string{"auto", "dir", "tar", "oci", "docker"} }

// Default limits of what is taken in.
const (
	DefaultMaxBytes = 64 << 30
	DefaultMaxFiles = 10_000_000
)

// Options say how a source is read and what the image is called.
type Options struct {
	Name     string // "" for none
	Force    bool   // the name may stand for another image until now
	Format   string
	Ref      string // which of several images
	MaxBytes int64  // of unpacked content
	MaxFiles int64
	// Watch is told of the build while it goes on; see store.Build.Progress.
	Watch func(*store.Build)
}

// Result is an image that was taken in.
type Result struct {
	store.Image
	Origin  store.Origin    `json:"origin"`
	Skipped []store.Skipped `json:"skipped,omitempty"`
}

// into makes one image: fill gives the tree to the build.
func into(s *store.Store, o Options, fill func(*store.Build, *Result) (store.Config, error)) (r Result, err error) {
	if o.Name != "" {
		// A bad name is refused before the work, a taken one after it: it
		// may stand for the very image that comes.
		if err := store.CheckName(o.Name); err != nil {
			return r, err
		}
	}
	b, err := s.Begin()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	b.Budget = rootfs.NewBudget(o.MaxBytes, o.MaxFiles)
	if o.Watch != nil {
		o.Watch(b)
	}
	config, err := fill(b, &r)
	if err != nil {
		return r, err
	}
	r.Image, err = b.Commit(config, o.Name, o.Force, r.Origin)
	return r, err
}

// Import takes in what is at a path of the host, or "host".
func Import(s *store.Store, path string, o Options) (Result, error) {
	r, err := into(s, o, func(b *store.Build, r *Result) (store.Config, error) {
		if path == "host" {
			r.Origin = store.Origin{Kind: "host"}
			return store.Config{}, addLayer(b, r, "host", image.Options{})
		}
		st, err := os.Stat(path)
		if err != nil {
			return store.Config{}, err
		}
		r.Origin.Source = path
		if st.IsDir() {
			return directory(b, r, path, o)
		}
		return archive(b, r, path, o)
	})
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) && at.Path == path { // no need to name it twice
			err = at.Err
		}
		return r, fmt.Errorf("import %s: %w", path, err)
	}
	return r, nil
}

func addLayer(b *store.Build, r *Result, ref string, o image.Options) (err error) {
	l, err := image.Open(ref, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r.Skipped, err = b.AddLayer(l)
	return err
}

func directory(b *store.Build, r *Result, path string, o Options) (store.Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return store.Config{}, err
	}
	switch o.Format {
	case "tar", "docker":
		return store.Config{}, hint.With(errors.New("is a directory"), "leave --format away")
	case "auto", "oci":
		l, err := image.Open("dir:"+abs, image.Options{KeepMtime: true})
		if err != nil {
			return store.Config{}, err
		}
		if o.Format == "oci" || oci.IsLayout(l) {
			defer l.Close() // only read
			return layered(b, r, l, "oci", oci.Layout, o)
		}
		_ = l.Close()
	}
	r.Origin.Kind = "directory"
	return store.Config{}, addLayer(b, r, "dir:"+abs, image.Options{KeepMtime: true})
}

// layered takes in an image of several layers.
func layered(b *store.Build, r *Result, l image.Layer, kind string, find func(image.Layer, string) (*oci.Image, error), o Options) (store.Config, error) {
	img, err := find(l, o.Ref)
	if err != nil {
		return store.Config{}, err
	}
	r.Origin.Kind, r.Origin.Digest, r.Origin.Ref = kind, img.Digest, img.Ref
	return img.Config, apply(b, img)
}

func apply(b *store.Build, img *oci.Image) error {
	for _, l := range img.Layers {
		err := l.Read(b.Budget.Bytes, func(r io.Reader) error { return b.Apply(r, rootfs.Options{Layer: true}) })
		if err != nil {
			return err
		}
	}
	return nil
}

// archive takes in a tar archive of any kind.
func archive(b *store.Build, r *Result, path string, o Options) (store.Config, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return store.Config{}, err
	}
	defer f.Close()
	switch o.Format {
	case "dir":
		return store.Config{}, hint.With(unix.ENOTDIR, "leave --format away")
	case "oci":
		return packed(b, r, path, "oci", oci.Layout, o)
	case "docker":
		return packed(b, r, path, "docker-archive", oci.Docker, o)
	case "auto":
		kind, err := sniff(f)
		if err != nil {
			return store.Config{}, err
		}
		if kind {
			abs, err := filepath.Abs(path)
			if err != nil {
				return store.Config{}, err
			}
			l, err := image.Open("tar:"+abs, image.Options{})
			if err != nil {
				return store.Config{}, err
			}
			defer l.Close() // only read
			switch {
			case oci.IsLayout(l):
				return layered(b, r, l, "oci", oci.Layout, o)
			case oci.IsDocker(l):
				return layered(b, r, l, "docker-archive", oci.Docker, o)
			}
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return store.Config{}, hint.With(err, "a pipe cannot be imported; write it to a file first")
	}
	r.Origin.Kind = "tar"
	return plain(b, r, f)
}

func packed(b *store.Build, r *Result, path, kind string, find func(image.Layer, string) (*oci.Image, error), o Options) (store.Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return store.Config{}, err
	}
	l, err := image.Open("tar:"+abs, image.Options{})
	if err != nil {
		return store.Config{}, err
	}
	defer l.Close() // only read
	return layered(b, r, l, kind, find, o)
}

// sniff reports whether an archive begins like one of images: what those that
// write them put first. A root file system that begins so is looked at longer.
func sniff(f io.Reader) (bool, error) {
	body, _, err := compress.NewReader(f, compress.WindowStrict)
	if err != nil {
		return false, err
	}
	defer body.Close()
	tr := tar.NewReader(body)
	for range 2 {
		h, err := tr.Next()
		if err == io.EOF {
			return false, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return false, hint.With(fmt.Errorf("not a tar archive: %w", err), "it is none, or cut off or damaged")
		}
		name := strings.TrimPrefix(h.Name, "./")
		if name != "" {
			return imageEntry().MatchString(name), nil
		}
	}
	return false, nil
}

var imageEntry = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(blobs(/.*)?|oci-layout|index\.json|manifest\.json|repositories|(sha256:)?[0-9a-f]{64}(\.json|\.tar|\.tar\.gz|/.*)?)$`)
})

// plain takes in the archive of one root file system. Its origin notes the
// digest of the file.
func plain(b *store.Build, r *Result, f io.Reader) (store.Config, error) {
	sum := sha256.New()
	in := compress.Ahead(io.TeeReader(f, sum))
	defer in.Close()
	body, _, err := compress.NewReader(in, compress.WindowStrict)
	if err != nil {
		return store.Config{}, err
	}
	defer body.Close()
	ahead := compress.Ahead(body)
	defer ahead.Close()
	var config store.Config
	err = b.Apply(ahead, rootfs.Options{Global: func(records map[string]string) (err error) {
		if text, ok := records[configRecord]; ok {
			config, err = store.ParseConfig(text)
		}
		return err
	}})
	if err != nil {
		return config, err
	}
	// The rest is read for the digest, and because damage may show there.
	if n, err := io.Copy(io.Discard, io.LimitReader(ahead, b.Budget.Bytes)); err != nil || n == b.Budget.Bytes {
		return config, errors.Join(err, errors.New("behind the end of the archive: too much, or damaged"))
	}
	_ = ahead.Close()
	if _, err := io.Copy(io.Discard, in); err != nil {
		return config, err
	}
	r.Origin.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return config, nil
}

// Copy puts an image of one store into another one, without a name.
func Copy(ctx context.Context, from *store.Store, digest string, to *store.Store) error {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	defer stop()
	go func() { _ = w.CloseWithError(Tar(from, digest, w)) }() // it ends when r is closed
	defer r.Close()
	have, err := into(to, Options{MaxBytes: DefaultMaxBytes, MaxFiles: DefaultMaxFiles}, func(b *store.Build, res *Result) (store.Config, error) {
		res.Origin = store.Origin{Kind: "store", Source: from.Dir()}
		return plain(b, res, r)
	})
	if err == nil && have.Digest != digest {
		err = fmt.Errorf("the copy is %s", have.Digest)
	}
	if err != nil {
		return fmt.Errorf("copy of image %s: %w", store.Short(digest), err)
	}
	return nil
}

// Pull takes in an image of a registry.
func Pull(ctx context.Context, s *store.Store, ref string, o Options) (Result, error) {
	return into(s, o, func(b *store.Build, r *Result) (store.Config, error) {
		p, err := oci.Pull(ctx, ref)
		if err != nil {
			return store.Config{}, err
		}
		r.Origin = store.Origin{Kind: "pull", Source: ref, Resolved: p.Resolved, Digest: p.Digest}
		if err := apply(b, &p.Image); err != nil {
			return store.Config{}, fmt.Errorf("pull %s: %w", ref, err)
		}
		return p.Config, nil
	})
}
