package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dettrace/internal/hint"

	"golang.org/x/sys/unix"
)

// ParseRef turns what a user gave as image into the form Open takes: "host",
// "dir:/abs" or "tar:/abs". Archives are recognised by content, not by name.
func ParseRef(s string) (string, error) {
	if s == "host" {
		return s, nil
	}
	if s == "" {
		return "", hint.With(errors.New("image: empty"), refHint)
	}
	want, path := "", s
	for _, kind := range []string{"dir", "tar"} {
		if p, ok := strings.CutPrefix(s, kind+":"); ok && p != "" {
			want, path = kind, p
		}
	}
	kind, err := refKind(path)
	if err == nil && want != "" && kind != want {
		err = hint.With(fmt.Errorf("is not a %s", want), "leave the prefix "+want+": away")
	}
	if err != nil {
		return "", fmt.Errorf("image: %s: %w", path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("image: %s: %w", path, err)
	}
	return kind + ":" + abs, nil
}

func refKind(path string) (string, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", hint.With(unix.ENOENT, "an image is host, a directory or a tar archive; names of registries are not looked up")
	case err != nil:
		return "", errors.Unwrap(err)
	case st.IsDir():
		return "dir", nil
	case !st.Mode().IsRegular():
		return "", hint.With(errors.New("neither directory nor archive"), refHint)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	if err := sniff(f, st.Size()); err != nil {
		return "", err
	}
	return "tar", nil
}
