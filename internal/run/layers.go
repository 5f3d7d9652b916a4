package run

import (
	"errors"
	"strings"

	"dettrace/internal/digests"
	"dettrace/internal/image"
)

// Layers are the image and the inputs of a Spec, opened to look at them apart
// from a run: the image first, then the inputs in order.
type Layers []image.Layer

// OpenLayers opens them. An image for which skip is true, and one of the store,
// whose name says all, stay nil.
func OpenLayers(s *Spec, known *digests.Cache, skip func(ref string) bool) (Layers, error) {
	refs := []string{s.Image}
	opts := []image.Options{{Epoch: s.EpochNS, Digests: known}}
	for _, in := range s.Inputs {
		refs = append(refs, "input:"+in.Host)
		opts = append(opts, image.Options{Epoch: s.EpochNS, Digests: known, KeepMtime: in.KeepMtime, Follow: in.Follow, Hide: in.Hide})
	}
	var out Layers
	for i, ref := range refs {
		if i == 0 && (strings.HasPrefix(ref, "sha256:") || skip != nil && skip(ref)) {
			out = append(out, nil)
			continue
		}
		l, err := image.Open(ref, opts[i])
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		out = append(out, l)
	}
	return out, nil
}

// Close closes all.
func (l Layers) Close() error {
	var errs []error
	for _, layer := range l {
		if layer != nil {
			errs = append(errs, layer.Close())
		}
	}
	return errors.Join(errs...)
}
