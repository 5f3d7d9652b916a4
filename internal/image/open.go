package image

import (
	"errors"
	"fmt"
	"strings"

	"dettrace/internal/digests"
	"dettrace/internal/hint"
)

// ErrChanged is wrapped by errors about a file of a layer that is no longer
// what it was when the run first looked at it.
var ErrChanged = errors.New("changed during the run")

// Options say how a layer presents times and links.
type Options struct {
	KeepMtime bool  // dir, input: the host's mtimes instead of Epoch
	Follow    bool  // input: show what a symlink that leads out points to
	Epoch     int64 // ns since 1970: mtime of everything (tar: upper bound)
	// Hide are patterns (path.Match) of absolute paths in an input that are not
	// shown, nor anything below them.
	Hide []string
	// HostOrder, if not 0, is the seed of another order in which the host's directories are
	// taken to list their names. Nothing may show it: package verify tries.
	HostOrder uint64
	// Digests remembers content digests between runs; nil is fine.
	Digests *digests.Cache
}

// Open opens the layer that ref names: "host", "dir:PATH", "tar:PATH" or
// "input:PATH" (a directory or one file). The caller closes it.
func Open(ref string, opts Options) (Layer, error) {
	kind, path, _ := strings.Cut(ref, ":")
	if ref != "host" && path == "" {
		return nil, fmt.Errorf("open image: %q: not host, dir:PATH, tar:PATH or input:PATH", ref)
	}
	var l Layer
	var err error
	switch kind {
	case "host":
		l, err = openHost("/", opts)
	case "dir":
		l, err = openDir(path, opts)
	case "input":
		l, err = openInput(path, opts)
	case "tar":
		if l, err = openTar(path, opts); err == nil {
			l = Record(l, opts.Epoch)
		}
	default:
		err = hint.With(fmt.Errorf("unknown kind %q", kind), "an image is host, a directory or a tar archive")
	}
	if err != nil {
		return nil, fmt.Errorf("open image: %s: %w", ref, err)
	}
	return l, nil
}
