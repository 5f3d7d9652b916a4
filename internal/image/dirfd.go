package image

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// maxDirs bounds the directory descriptors a layer holds.
const maxDirs = 64

// dirCache keeps the last used directories open. A path that is deeper than
// maxDirs still works: a parent is only needed until its child is open.
type dirCache struct {
	slot [maxDirs]dirSlot
	at   map[*lnode]int
	tick uint64
}

type dirSlot struct {
	n    *lnode
	fd   int
	used uint64
}

func (c *dirCache) init() { c.at = make(map[*lnode]int, maxDirs) }

func (c *dirCache) get(n *lnode) (int, bool) {
	i, ok := c.at[n]
	if !ok {
		return -1, false
	}
	c.tick++
	c.slot[i].used = c.tick
	return c.slot[i].fd, true
}

func (c *dirCache) put(n *lnode, fd int) {
	c.tick++
	old := 0
	for i := range c.slot {
		if c.slot[i].used < c.slot[old].used {
			old = i
		}
	}
	s := &c.slot[old]
	if s.n != nil {
		delete(c.at, s.n)
		_ = unix.Close(s.fd) // O_PATH: nothing to lose
	}
	*s = dirSlot{n: n, fd: fd, used: c.tick}
	c.at[n] = old
}

// close closes everything; the cache can be used again.
func (c *dirCache) close() error {
	var errs []error
	for i := range c.slot {
		if c.slot[i].n != nil {
			errs = append(errs, unix.Close(c.slot[i].fd))
		}
		c.slot[i] = dirSlot{}
	}
	clear(c.at)
	return errors.Join(errs...)
}

// dirfd gives an O_PATH descriptor of directory n, valid until the next call.
func (l *lazy) dirfd(n *lnode) (int, error) {
	if fd, ok := l.dirs.get(n); ok {
		return fd, nil
	}
	// Up to the nearest open directory, then down again: no recursion, a
	// guest may go deep.
	var chain []*lnode
	fd, at := unix.AT_FDCWD, n
	for {
		chain = append(chain, at)
		if at.anchor != "" {
			break
		}
		at = at.parent
		if have, ok := l.dirs.get(at); ok {
			fd = have
			break
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		d := chain[i]
		name := d.name
		if d.anchor != "" {
			fd, name = unix.AT_FDCWD, d.anchor
		}
		next, err := openat(fd, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return -1, l.gone(d, "open", err)
		}
		if err := d.checkID(next); err != nil {
			_ = unix.Close(next)
			return -1, err
		}
		l.dirs.put(d, next)
		fd = next
	}
	return fd, nil
}

// gone turns the failure to reach something that was there into ErrChanged.
func (l *lazy) gone(n *lnode, op string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return l.changed(n, "is gone")
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return l.changed(n, "has another type")
	}
	return &os.PathError{Op: op, Path: n.hostPath(), Err: err}
}

func openat(fd int, name string, flags int) (int, error) {
	for {
		got, err := unix.Openat(fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return got, err
		}
	}
}
