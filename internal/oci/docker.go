package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"dettrace/internal/hint"
	"dettrace/internal/image"
)

// IsDocker reports whether a tree is what `docker save` writes.
func IsDocker(l image.Layer) bool {
	_, err := dockerManifest(files{l})
	return err == nil
}

func dockerManifest(f files) (tarball.Manifest, error) {
	b, err := f.read("manifest.json")
	if err != nil {
		return nil, err
	}
	var m tarball.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	if len(m) == 0 || m[0].Config == "" {
		return nil, errors.New("manifest.json: names no image")
	}
	return m, nil
}

// Docker finds the image of an archive of `docker save`. ref chooses among
// several: a tag, or the beginning of the config's name.
func Docker(l image.Layer, ref string) (*Image, error) {
	f := files{l}
	m, err := dockerManifest(f)
	if err != nil {
		return nil, err
	}
	var found []tarball.Descriptor
	for _, d := range m {
		if ref == "" || slices.Contains(d.RepoTags, ref) || strings.HasPrefix(path.Base(d.Config), ref) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return nil, hint.With(fmt.Errorf("no image %q in the archive", ref), "there are: "+tags(m))
	case len(found) > 1:
		return nil, hint.With(fmt.Errorf("%d images in the archive", len(found)), "choose one with --ref: "+tags(found))
	}
	d := found[0]
	config, err := f.read(d.Config)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(config)
	img := &Image{Digest: "sha256:" + hex.EncodeToString(sum[:])}
	if len(d.RepoTags) > 0 {
		img.Ref = d.RepoTags[0]
	}
	// The name of the config is its digest; the layers are checked by the
	// config's diff ids.
	if name := strings.TrimPrefix(strings.TrimSuffix(path.Base(d.Config), ".json"), "sha256:"); len(name) == 64 && name != img.Digest[len("sha256:"):] {
		return nil, hint.With(fmt.Errorf("config %s: digest is %s", d.Config, img.Digest), "it was damaged or changed; get it again")
	}
	for _, p := range d.Layers {
		img.Layers = append(img.Layers, Layer{Name: p, Size: -1, open: func() (io.ReadCloser, error) {
			r, _, err := f.open(p)
			return r, err
		}})
	}
	return img, img.setConfig(config)
}

func tags(m []tarball.Descriptor) string {
	var out []string
	for _, d := range m[:min(len(m), 10)] {
		name := path.Base(d.Config)
		if len(d.RepoTags) > 0 {
			name = d.RepoTags[0]
		}
		out = append(out, fmt.Sprintf("%.100q", name))
	}
	return strings.Join(out, ", ")
}
