package oci

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"dettrace/internal/hint"
	"dettrace/internal/image"
)

// IsLayout reports whether a tree is an OCI image layout.
func IsLayout(l image.Layer) bool {
	f := files{l}
	return f.has("oci-layout") && f.has("index.json")
}

// Layout finds the image of an OCI layout. ref chooses among several: a name
// of the index's annotations, or the beginning of a digest.
func Layout(l image.Layer, ref string) (*Image, error) {
	f := files{l}
	b, err := f.read("index.json")
	if err != nil {
		return nil, err
	}
	d, err := f.choose(b, ref, 0)
	if err != nil {
		return nil, err
	}
	b, err = f.blob(d)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	img := &Image{Ref: refName(d), Digest: d.Digest.String()}
	for _, ld := range m.Layers {
		if err := onlySHA256(ld.Digest); err != nil {
			return nil, err
		}
		img.Layers = append(img.Layers, Layer{
			Name: short(ld.Digest), Size: ld.Size, Digest: ld.Digest.String(),
			open: func() (io.ReadCloser, error) {
				r, _, err := f.open(blobPath(ld.Digest))
				return r, err
			},
		})
	}
	config, err := f.blob(m.Config)
	if err != nil {
		return nil, err
	}
	return img, img.setConfig(config)
}

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

func short(h v1.Hash) string { return h.String()[:min(len(h.String()), 19)] }

// blob reads a small blob and checks its digest.
func (f files) blob(d v1.Descriptor) ([]byte, error) {
	if err := onlySHA256(d.Digest); err != nil {
		return nil, err
	}
	b, err := f.read(blobPath(d.Digest))
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(b)
	return b, check("blob", d.Digest.String(), h)
}

// choose finds the one manifest that is meant, also in indexes of an index.
func (f files) choose(index []byte, ref string, depth int) (v1.Descriptor, error) {
	m, err := v1.ParseIndexManifest(bytes.NewReader(index))
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("index: %w", err)
	}
	if depth > 8 {
		return v1.Descriptor{}, errors.New("index: too many indexes in each other")
	}
	var found []v1.Descriptor
	seen := make(map[v1.Hash]bool)
	for _, d := range m.Manifests {
		// BuildKit's attestations are for platform unknown/unknown.
		if !wanted(d.Platform) || seen[d.Digest] || !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
			continue
		}
		if ref == "" || refMatches(d, ref) {
			found = append(found, d)
			seen[d.Digest] = true
		}
	}
	switch len(found) {
	case 0:
		if ref != "" {
			return v1.Descriptor{}, hint.With(fmt.Errorf("no image %q in the layout", ref), "there are: "+describe(m.Manifests))
		}
		return v1.Descriptor{}, hint.With(errors.New("no image for linux/amd64 in the layout"), "dettrace runs linux/amd64")
	case 1:
	default:
		return v1.Descriptor{}, hint.With(fmt.Errorf("%d images in the layout", len(found)), "choose one with --ref: "+describe(found))
	}
	if !found[0].MediaType.IsIndex() {
		return found[0], nil
	}
	b, err := f.blob(found[0])
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := f.choose(b, "", depth+1)
	if err == nil && refName(d) == "" {
		d.Annotations = found[0].Annotations
	}
	return d, err
}

// Annotations that name an image: of the specification, and of containerd.
const (
	annotationRef        = "org.opencontainers.image.ref.name"
	annotationContainerd = "io.containerd.image.name"
)

func refName(d v1.Descriptor) string {
	if name := d.Annotations[annotationContainerd]; name != "" {
		return name
	}
	return d.Annotations[annotationRef]
}

func refMatches(d v1.Descriptor, ref string) bool {
	return d.Annotations[annotationRef] == ref || d.Annotations[annotationContainerd] == ref ||
		strings.HasPrefix(ref, "sha256:") && strings.HasPrefix(d.Digest.String(), ref)
}

func describe(list []v1.Descriptor) string {
	var out []string
	for _, d := range list[:min(len(list), 10)] {
		name := refName(d)
		if name == "" {
			name = short(d.Digest)
		}
		out = append(out, fmt.Sprintf("%.100q", name))
	}
	return strings.Join(out, ", ")
}
