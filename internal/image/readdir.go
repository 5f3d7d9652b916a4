package image

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// readDir lists d sorted. Every entry is looked up, because d_type and d_ino
// of the host may be unknown, and filters need the mode.
func (l *lazy) readDir(d *lnode) ([]Dirent, error) {
	if !d.isDir() {
		return nil, &os.PathError{Op: "readdir", Path: d.hostPath(), Err: unix.ENOTDIR}
	}
	names, err := l.names(d)
	if err != nil {
		return nil, err
	}
	out := make([]Dirent, 0, len(names))
	for _, name := range names {
		n, ok := d.children[name]
		if !ok {
			n, err = l.find(d, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		// A name that was missing at an earlier look-up stays missing: it
		// was made meanwhile, or is filtered. Verify tells them apart.
		if n != nil {
			out = append(out, Dirent{Name: name, Ino: n.meta.Ino, Type: n.meta.Mode & unix.S_IFMT})
		}
	}
	return out, nil
}

// names reads the host's directory, sorted.
func (l *lazy) names(d *lnode) ([]string, error) {
	names, err := l.unsorted(d)
	slices.Sort(names)
	return names, err
}

// unsorted reads the host's directory in the order of the host, or of another one.
func (l *lazy) unsorted(d *lnode) ([]string, error) {
	at, err := l.dirfd(d)
	if err != nil {
		return nil, err
	}
	fd, err := openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, l.gone(d, "open", err)
	}
	f := os.NewFile(uintptr(fd), d.hostPath())
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	if seed := l.opts.HostOrder; seed != 0 {
		rand.New(rand.NewPCG(seed, uint64(len(names)))).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	return names, nil
}

// listDigest is over names, types and numbers; a NUL ends each name.
func listDigest(list []Dirent) string {
	h := sha256.New()
	var b []byte
	for _, e := range list {
		b = append(append(b[:0], e.Name...), 0, byte(e.Type>>12))
		h.Write(binary.LittleEndian.AppendUint64(b, e.Ino))
	}
	return sumString(h)
}
