package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"dettrace/internal/digests"

	"golang.org/x/sys/unix"
)

// Observed implements Layer. Opening checks that the content is still that
// which was read.
func (l *lazy) Observed() ([]Observation, error) {
	var out []Observation
	err := l.eachSeen(func(p string, n *lnode) error {
		for _, name := range sortedKeys(n.denied) {
			out = append(out, Observation{Path: join(p, name), Kind: Denied})
		}
		for _, name := range sortedKeys(n.children) {
			if n.children[name] == nil {
				out = append(out, Observation{Path: join(p, name), Kind: Missing})
			}
		}
		for _, kind := range kindsOf(n.flags) {
			o, err := observe(n, p, kind, l.opts.Epoch)
			if err != nil {
				return err
			}
			out = append(out, o)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("observed: %w", err)
	}
	sortObservations(out)
	return out, nil
}

// Digest is over Observed.
func (l *lazy) Digest() (string, error) {
	obs, err := l.Observed()
	if err != nil {
		return "", err
	}
	return ObservedDigest(obs), nil
}

// eachSeen visits every file that was found, parents first, names sorted.
func (l *lazy) eachSeen(do func(path string, n *lnode) error) error {
	type item struct {
		path string
		n    *lnode
	}
	todo := []item{{"/", l.root}}
	for len(todo) > 0 {
		it := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err := do(it.path, it.n); err != nil {
			return err
		}
		for _, name := range slices.Backward(sortedKeys(it.n.children)) {
			if c := it.n.children[name]; c != nil {
				todo = append(todo, item{join(it.path, name), c})
			}
		}
	}
	return nil
}

// ContentDigest implements contentNode.
func (n *lnode) ContentDigest() (string, error) {
	l := n.l
	if d, ok := l.digests[n]; ok {
		return d, nil
	}
	stamp := digests.Stamp{Dev: n.id.dev, Ino: n.id.ino, Size: n.meta.Size, Mtime: n.mtime, Ctime: n.ctime}
	d, ok := l.opts.Digests.Get(stamp)
	if !ok {
		f, err := n.open()
		if err != nil {
			return "", err
		}
		defer f.Close()
		h := sha256.New()
		k, err := io.Copy(h, io.NewSectionReader(f, 0, n.meta.Size))
		if err != nil {
			return "", err
		}
		if k != n.meta.Size {
			return "", l.changed(n, "is shorter")
		}
		// The host may have written while we read.
		if err := n.checkID(f.fd); err != nil {
			return "", err
		}
		d = sumString(h)
		l.opts.Digests.Put(stamp, d)
	}
	l.digests[n] = d
	return d, nil
}

// Verify asks everything again. Of a file that was only looked at, what the
// guest saw must be the same; of one that was read, the host's change time
// too, as content can be changed behind an old mtime.
func (l *lazy) Verify() error {
	// A descriptor still leads to a directory that was replaced.
	if err := l.dirs.close(); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	err := l.eachSeen(func(p string, n *lnode) error {
		if n == l.root {
			return l.verifyTop()
		}
		if n.flags == 0 {
			return nil
		}
		return l.verifyNode(n)
	})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

func (l *lazy) verifyTop() error {
	var st unix.Stat_t
	if err := unix.Lstat(l.top, &st); err != nil {
		return l.gone(l.root, "stat", err)
	}
	now := &lnode{l: l, anchor: l.top}
	now.fill(&st)
	now.meta.Ino, now.meta.Nlink = l.root.meta.Ino, l.root.meta.Nlink
	if now.id != l.root.id {
		return l.changed(l.root, "is another file")
	}
	return l.compare(l.root, now)
}

func (l *lazy) verifyNode(n *lnode) error {
	now, err := l.find(n.parent, n.name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.changed(n, "is gone")
	}
	if err != nil {
		return err
	}
	return l.compare(n, now)
}

// compare checks now, found again, against n.
func (l *lazy) compare(n, now *lnode) error {
	switch {
	case now.meta != n.meta:
		return l.changed(n, "has other metadata")
	case n.meta.Nlink > 1 && now.nlink != n.nlink:
		return l.changed(n, "has other hard links")
	case n.isDir() && now.id != n.id:
		return l.changed(n, "is another directory")
	}
	if n.flags&sawRead != 0 && (now.id != n.id || now.mtime != n.mtime || now.ctime != n.ctime) {
		return l.changed(n, "was written to")
	}
	if n.flags&sawLink != 0 {
		fd, name, err := n.at()
		if err != nil {
			return err
		}
		if t, err := readlinkat(fd, name); err != nil || t != n.target {
			return l.changed(n, "points elsewhere")
		}
	}
	if n.flags&sawXattr != 0 {
		xs, err := n.readXattrs()
		if err != nil {
			return err
		}
		if xattrDigest(xs) != n.xattrs {
			return l.changed(n, "has other attributes")
		}
	}
	return l.verifyNames(n)
}

// verifyNames checks what was learned of a directory's names.
func (l *lazy) verifyNames(n *lnode) error {
	for _, name := range sortedKeys(n.children) {
		if n.children[name] != nil {
			continue
		}
		_, err := l.find(n, name)
		if err == nil {
			return l.changed(&lnode{l: l, parent: n, name: name}, "has appeared")
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range sortedKeys(n.denied) {
		if _, err := l.find(n, name); !errors.Is(err, fs.ErrPermission) {
			return l.changed(&lnode{l: l, parent: n, name: name}, "may be looked at now")
		}
	}
	if n.flags&sawList == 0 {
		return nil
	}
	list, err := l.readDir(n)
	if err != nil {
		return err
	}
	if listDigest(list) != n.list {
		return l.changed(n, "lists other names")
	}
	return nil
}

// field writes s so that no two lists of fields give the same bytes.
func field(h hash.Hash, s string) {
	io.WriteString(h, strconv.Itoa(len(s)))
	io.WriteString(h, ":")
	io.WriteString(h, s)
}

func sumString(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
