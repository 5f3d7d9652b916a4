package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

const nameAdvice = "a name has letters, digits and . _ - : / +, and begins with a letter or digit"

// CheckName refuses what cannot be the name of an image, or would mean
// something else to --image.
func CheckName(name string) error {
	bad := func() error { return hint.With(fmt.Errorf("image name %.300q: not a name", name), nameAdvice) }
	if name == "" || len(name) > 200 {
		return bad()
	}
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-:/+", c)) {
			return bad()
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return bad()
		}
	}
	kind, _, prefixed := strings.Cut(name, ":")
	if prefixed && slices.Contains([]string{"sha256", "dir", "tar", "input", "image", "oci", "docker"}, kind) || name == "host" {
		return hint.With(fmt.Errorf("image name %q: means something else to --image", name), "choose another name")
	}
	return nil
}

func nameFile(name string) string { return strings.ReplaceAll(name, "/", "%2F") }

// lookup gives the digest that a name stands for, "" when there is none.
func (s *Store) lookup(name string) (string, error) {
	b, err := os.ReadFile(s.path("names", nameFile(name)))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENAMETOOLONG) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	digest := strings.TrimSuffix(string(b), "\n")
	if _, err := hexOf(digest); err != nil {
		return "", damaged(fmt.Errorf("name %s: %w", name, err))
	}
	return digest, nil
}

// Names lists all names, sorted.
func (s *Store) Names() ([]string, error) {
	list, err := os.ReadDir(s.path("names"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var out []string
	for _, e := range list {
		name := strings.ReplaceAll(e.Name(), "%2F", "/")
		if CheckName(name) == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// byDigest lists the names of each image, sorted.
func (s *Store) byDigest() (map[string][]string, error) {
	names, err := s.Names()
	if err != nil {
		return nil, err
	}
	out := make(map[string][]string)
	for _, name := range names {
		d, err := s.lookup(name)
		if err != nil {
			return nil, err
		}
		if d != "" { // else removed meanwhile
			out[d] = append(out[d], name)
		}
	}
	return out, nil
}

// CheckFree refuses a name that stands for another image, unless force is
// given; digest may be "" when it is not known yet.
func (s *Store) CheckFree(name, digest string, force bool) error {
	if err := CheckName(name); err != nil || force {
		return err
	}
	have, err := s.lookup(name)
	if err != nil || have == "" || have == digest {
		return err
	}
	return taken(name, have)
}

func taken(name, have string) error {
	return hint.With(fmt.Errorf("image name %s: already stands for %s", name, Short(have)), "--force makes it stand for the new image")
}

// setName makes name stand for digest. The caller holds the store's lock.
func (s *Store) setName(name, digest string, force bool) error {
	if err := s.CheckFree(name, digest, force); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.path("tmp"), "name-")
	if err != nil {
		return full(fmt.Errorf("store: %w", err))
	}
	defer os.Remove(f.Name()) // gone after a rename
	_, err = f.WriteString(digest + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return full(fmt.Errorf("store: %w", err))
	}
	to := s.path("names", nameFile(name))
	s.mayDie()
	if force {
		err = os.Rename(f.Name(), to)
	} else {
		for err = os.Link(f.Name(), to); errors.Is(err, fs.ErrExist); err = os.Link(f.Name(), to) {
			// Another process was faster; equal is fine.
			have, lerr := s.lookup(name)
			switch {
			case lerr == nil && have == digest:
				return nil
			case lerr != nil || have != "": // else it was removed again
				return errors.Join(lerr, taken(name, have))
			}
		}
	}
	if err != nil {
		return full(fmt.Errorf("store: %w", err))
	}
	return syncDir(s.path("names"))
}

// Remove takes a name away; the image stays until GC.
func (s *Store) Remove(name string) error {
	err := os.Remove(s.path("names", nameFile(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return s.unknown(name)
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return syncDir(s.path("names"))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
