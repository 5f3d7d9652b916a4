package image

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lazy is a layer that reads the host's files as they are asked for. It
// remembers every answer it gave (missing names too), so the run sees one
// state from beginning to end, and Verify can ask everything again.
//
// Names are looked up one component at a time relative to a directory
// descriptor with O_NOFOLLOW, so no symlink, ".." or magic link is ever
// followed by the host's kernel: this gives what openat2(2) with
// RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS would, on every kernel.
type lazy struct {
	kind  string // "host", "dir", "input"
	opts  Options
	top   string // absolute host path
	root  *lnode
	dirs  dirCache
	links map[fileID]linkGroup // names of files with several; nil: not built
	// linkNames are their paths, by the number that they have here.
	linkNames map[uint64][]string
	leaving   map[string]string // path of link -> target, for links that lead out
	digests   map[*lnode]string // content digests computed so far
	noatime   int               // O_NOATIME until it is refused
}

func openDir(path string, opts Options) (Layer, error) { return openLazy("dir", path, opts) }

func openHost(path string, opts Options) (Layer, error) { return openLazy("host", path, opts) }

// openInput opens a directory or a single file.
func openInput(path string, opts Options) (Layer, error) { return openLazy("input", path, opts) }

func openLazy(kind, path string, opts Options) (Layer, error) {
	// The user may name a link; below the top none is followed.
	top, err := filepath.EvalSymlinks(path)
	if err == nil {
		top, err = filepath.Abs(top)
	}
	if err != nil {
		return nil, err
	}
	l := &lazy{
		kind: kind, opts: opts, top: top, noatime: unix.O_NOATIME,
		leaving: make(map[string]string), digests: make(map[*lnode]string),
	}
	l.dirs.init()
	var st unix.Stat_t
	if err := unix.Lstat(top, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: top, Err: err}
	}
	l.root = &lnode{l: l, anchor: top}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
	case unix.S_IFREG:
		if kind == "input" {
			break
		}
		fallthrough
	default:
		return nil, &os.PathError{Op: "open", Path: top, Err: unix.ENOTDIR}
	}
	l.root.fill(&st)
	l.root.meta.Ino, l.root.meta.Nlink = pathIno("/"), 1
	return l, nil
}

func (l *lazy) Root() (Node, error) {
	l.root.flags |= sawStat
	return l.root, nil
}

// newest is for Newest. Whole seconds are taken for a file system that has
// no finer ones, or only every second one (FAT).
func (l *lazy) newest() int64 {
	newest := int64(0)
	_ = l.eachSeen(func(_ string, n *lnode) error { // do never fails
		if n.flags&sawRead != 0 {
			at := n.ctime
			if at%1e9 == 0 {
				at += 2e9
			}
			newest = max(newest, at)
		}
		return nil
	})
	return newest
}

func (l *lazy) Portable() bool { return l.kind != "host" }

func (l *lazy) Close() error { return l.dirs.close() }

// Leaving lists symlinks that were read and lead out of an input, as
// "path -> target", sorted: they dangle in the guest or show another file.
func (l *lazy) Leaving() []string {
	out := make([]string, 0, len(l.leaving))
	for _, p := range sortedKeys(l.leaving) {
		out = append(out, p+" -> "+l.leaving[p])
	}
	return out
}

// changed says which host file is not what it was.
func (l *lazy) changed(n *lnode, what string) error {
	return fmt.Errorf("%s: %s: %w", n.hostPath(), what, ErrChanged)
}
