package store

import (
	"errors"
	"fmt"
	"strings"

	"dettrace/internal/hint"
)

// minPrefix is how many digits of a digest must be given.
const minPrefix = 4

// Short is a digest as people want to see it.
func Short(digest string) string {
	return digest[:min(len(digest), len(digestPrefix)+12)]
}

// ErrUnknown is wrapped when a name or digest is not in the store.
var ErrUnknown = errors.New("no such image")

// Resolve finds the image that ref means: NAME, image:NAME, sha256:PREFIX, or
// NAME@sha256:HEX, which is an error when NAME stands for another image.
// Nothing else is tried; what a path means is the caller's business.
func (s *Store) Resolve(ref string) (Image, error) {
	name := strings.TrimPrefix(ref, "image:")
	name, pinned, hasPin := strings.Cut(name, "@")
	if strings.HasPrefix(name, digestPrefix) {
		if hasPin {
			return Image{}, fmt.Errorf("image %s: two digests", ref)
		}
		return s.byPrefix(name)
	}
	digest := ""
	if CheckName(name) == nil {
		var err error
		if digest, err = s.lookup(name); err != nil {
			return Image{}, err
		}
	}
	if digest == "" {
		return Image{}, s.unknown(name)
	}
	if hasPin {
		if _, err := hexOf(pinned); err != nil {
			return Image{}, fmt.Errorf("image %s: %w", ref, err)
		}
		if pinned != digest {
			return Image{}, hint.With(fmt.Errorf("image %s: the name stands for %s", ref, digest), "sha256:... alone names the image whatever its name")
		}
	}
	return s.describe(digest)
}

// describe adds the names.
func (s *Store) describe(digest string) (Image, error) {
	names, err := s.byDigest()
	if err != nil {
		return Image{}, err
	}
	h, err := hexOf(digest)
	if err != nil {
		return Image{}, err
	}
	return s.get(h, names[digest])
}

func (s *Store) byPrefix(ref string) (Image, error) {
	prefix := ref[len(digestPrefix):]
	if len(prefix) < minPrefix || len(prefix) > 64 || strings.Trim(prefix, "0123456789abcdef") != "" {
		return Image{}, hint.With(fmt.Errorf("image %.100q: not a digest", ref), "sha256: and at least 4 hex digits of it")
	}
	hexes, err := s.hexes()
	if err != nil {
		return Image{}, err
	}
	var found []string
	for _, h := range hexes {
		if strings.HasPrefix(h, prefix) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return Image{}, hint.With(fmt.Errorf("image %s: %w", ref, ErrUnknown), "dettrace image list shows what is in "+s.dir)
	case 1:
		return s.describe(digestPrefix + found[0])
	}
	return Image{}, hint.With(fmt.Errorf("image %s: %d images begin so", ref, len(found)), "give more digits: "+Short(digestPrefix+found[0])+", "+Short(digestPrefix+found[1]))
}

// unknown names the nearest name.
func (s *Store) unknown(name string) error {
	err := fmt.Errorf("image %.300s: %w", name, ErrUnknown)
	names, lerr := s.Names()
	if lerr != nil {
		return errors.Join(err, lerr)
	}
	if near := hint.Nearest(name, names); near != "" {
		return hint.With(err, "did you mean "+near+"?")
	}
	return hint.With(err, "dettrace image list shows what is in "+s.dir)
}
