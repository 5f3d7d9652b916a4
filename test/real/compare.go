package real

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// tree maps the paths below a directory to the digest of their contents.
type tree map[string]string

// readTree digests contents only: modes and times would make every native
// build differ, and the question is whether its results do.
func readTree(dir string) (tree, error) {
	t := tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			t[name] = "-> " + target
			return err
		}
		if !d.Type().IsRegular() {
			t[name] = d.Type().String()
			return nil
		}
		data, err := os.ReadFile(path)
		t[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	return t, err
}

// differing returns the paths, sorted, that are not the same in both.
func (t tree) differing(u tree) []string {
	var out []string
	for name, digest := range t {
		if u[name] != digest {
			out = append(out, name)
		}
	}
	for name := range u {
		if _, ok := t[name]; !ok {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// readTar is readTree of a saved tar, headers included: there everything counts.
func readTar(path string) (tree, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := tree{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, r); err != nil {
			return nil, err
		}
		t[h.Name] = fmt.Sprintf("%c %o %d:%d %s %s %x", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.UTC(), h.Linkname, hash.Sum(nil))
	}
}

// extract writes the first regular file of the tar whose name ends in suffix.
func extract(tarPath, suffix, to string) error {
	f, err := os.Open(tarPath)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			return fmt.Errorf("%s: no file that ends in %q: %w", tarPath, suffix, err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, suffix) {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o755)
	}
}

// sameFile says whether two files are equal to the byte.
func sameFile(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return false, err
	}
	return bytes.Equal(x, y), nil
}
