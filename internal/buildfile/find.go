package buildfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"dettrace/internal/hint"
)

// Find is the build file that a path of the host means: the file, or Name in the
// directory.
func Find(path string) (file string, err error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, Name)
		_, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", hint.With(fmt.Errorf("%s: no such file", path), "docs/build-file.md has an example of one")
	}
	return path, err
}

// Read parses a file of the host.
func Read(file string) ([]Build, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	builds, err := Parse(b)
	if err != nil {
		return nil, hint.With(fmt.Errorf("%s: %w", file, err), hint.Of(err))
	}
	return builds, nil
}
