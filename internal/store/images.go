package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/rootfs"
)

// Image is what the store knows of an image without reading its tree.
type Image struct {
	Digest string   `json:"digest"` // sha256:HEX, the identity
	Names  []string `json:"names"`  // sorted
	Config Config   `json:"config"`
	Files  int64    `json:"files"` // names in the tree, the root included
	Bytes  int64    `json:"bytes"` // content of all regular files
}

// Origin says how an image came about. It stands beside the identity, not in
// it: one image may have several.
type Origin struct {
	Kind     string          `json:"kind"`               // directory, tar, oci, docker-archive, pull, commit, host
	Source   string          `json:"source,omitempty"`   // path, or reference in a registry
	Ref      string          `json:"ref,omitempty"`      // what the source calls the image
	Resolved string          `json:"resolved,omitempty"` // pull: reference with the digest that was found
	Digest   string          `json:"digest,omitempty"`   // of the source, where it has one: archive, OCI manifest
	Parent   string          `json:"parent,omitempty"`   // commit: image that the run began with
	Command  []string        `json:"command,omitempty"`  // commit
	Settings json.RawMessage `json:"settings,omitempty"` // commit: as in the report
}

const digestPrefix = "sha256:"

// hexOf is the hex part of a complete digest.
func hexOf(digest string) (string, error) {
	h, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(h) != 2*sha256.Size || strings.Trim(h, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%.100q is not a complete digest", digest)
	}
	return h, nil
}

func (s *Store) missing(digest string) error {
	return hint.With(fmt.Errorf("image %s: not in the store %s", digest, s.dir), "dettrace image list shows what is there")
}

// index maps the index of an image; one of another version is made again.
func (s *Store) index(hex string) (*mapped, error) {
	m, err := mapIndex(s.path("images", hex, "index"))
	if err == nil || errors.Is(err, fs.ErrNotExist) && !s.has(hex) {
		return m, err
	}
	w, merr := s.rebuild(hex)
	if merr != nil {
		return nil, errors.Join(err, merr)
	}
	if err := s.replaceIndex(hex, w); err != nil {
		return nil, err
	}
	return mapIndex(s.path("images", hex, "index"))
}

func (s *Store) has(hex string) bool {
	_, err := os.Lstat(s.path("images", hex, "manifest"))
	return err == nil
}

// rebuild makes the index from the manifest, whose digest it checks.
func (s *Store) rebuild(hex string) (*indexWriter, error) {
	t, config, err := s.readManifest(hex)
	if err != nil {
		return nil, err
	}
	return buildIndex(t, config)
}

func (s *Store) replaceIndex(hex string, w *indexWriter) error {
	// Not in tmp: who gets here may have no lock, or the one for all.
	f, err := os.CreateTemp(s.path("images", hex), "index-")
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	err = w.writeTo(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path("images", hex, "index"))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return full(fmt.Errorf("index: %w", err))
	}
	return nil
}

// readManifest gives the tree of an image after a look at its digest.
func (s *Store) readManifest(want string) (*rootfs.Tree, string, error) {
	f, err := os.Open(s.path("images", want, "manifest"))
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	h := sha256.New()
	t, config, err := rootfs.ReadManifest(io.TeeReader(f, h))
	if err == nil && hex.EncodeToString(h.Sum(nil)) != want {
		err = errors.New("does not have its digest")
	}
	if err != nil {
		return nil, "", damaged(fmt.Errorf("manifest of %s: %w", want, err))
	}
	return t, config, nil
}

// Manifest opens the canonical form, whose SHA-256 is the identity.
func (s *Store) Manifest(digest string) (io.ReadCloser, error) {
	h, err := hexOf(digest)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(s.path("images", h, "manifest"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.missing(digest)
	}
	return f, err
}

// Tree gives the tree of an image in memory, and its config.
func (s *Store) Tree(digest string) (*rootfs.Tree, Config, error) {
	h, err := hexOf(digest)
	if err != nil {
		return nil, Config{}, err
	}
	if !s.has(h) {
		return nil, Config{}, s.missing(digest)
	}
	t, text, err := s.readManifest(h)
	if err != nil {
		return nil, Config{}, err
	}
	c, err := ParseConfig(text)
	return t, c, err
}

// get describes the image with this hex digest.
func (s *Store) get(hex string, names []string) (Image, error) {
	m, err := s.index(hex)
	if errors.Is(err, fs.ErrNotExist) {
		return Image{}, s.missing(digestPrefix + hex)
	}
	if err != nil {
		return Image{}, err
	}
	img := Image{
		Digest: digestPrefix + hex, Names: names,
		Files: int64(m.head.Files), Bytes: int64(m.head.Bytes),
	}
	img.Config, err = ParseConfig(strings.Clone(m.config()))
	return img, errors.Join(err, m.close())
}

// hexes lists all images, sorted.
func (s *Store) hexes() ([]string, error) {
	list, err := os.ReadDir(s.path("images"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var out []string
	for _, e := range list {
		if _, err := hexOf(digestPrefix + e.Name()); err == nil {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// List describes all images, those with names first, sorted by their first
// name, then the others by digest.
func (s *Store) List() ([]Image, error) {
	hexes, err := s.hexes()
	if err != nil {
		return nil, err
	}
	names, err := s.byDigest()
	if err != nil {
		return nil, err
	}
	var out []Image
	for _, h := range hexes {
		img, err := s.get(h, names[digestPrefix+h])
		if err != nil {
			return nil, err
		}
		out = append(out, img)
	}
	slices.SortStableFunc(out, func(a, b Image) int {
		switch {
		case len(a.Names) == 0 && len(b.Names) == 0:
			return 0
		case len(a.Names) == 0:
			return 1
		case len(b.Names) == 0:
			return -1
		}
		return strings.Compare(a.Names[0], b.Names[0])
	})
	return out, nil
}

// History lists how an image came about, sorted by the digest of the records.
func (s *Store) History(digest string) ([]Origin, error) {
	h, err := hexOf(digest)
	if err != nil {
		return nil, err
	}
	list, err := os.ReadDir(s.path("images", h, "history"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var out []Origin
	for _, e := range list {
		b, err := os.ReadFile(s.path("images", h, "history", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		var o Origin
		if err := json.Unmarshal(b, &o); err != nil {
			return nil, damaged(fmt.Errorf("history of %s: %w", digest, err))
		}
		out = append(out, o)
	}
	return out, nil
}

// originFile is the name and content of a record.
func originFile(o Origin) (string, []byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(o); err != nil {
		return "", nil, fmt.Errorf("history: %w", err)
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:]) + ".json", b.Bytes(), nil
}

// inUse reports whether a run has the image open, by trying to lock it for
// itself; the lock is the caller's to release.
func (s *Store) tryLock(hex string) (*os.File, bool, error) {
	f, err := flock(s.path("images", hex, "lock"), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, nil
	}
	return f, err == nil, err
}
