package detfs

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpusite"
	"dettrace/internal/fault"
	"dettrace/internal/image"
)

// textKey is a file's content at one time.
type textKey struct {
	ino                uint64
	size, mtime, ctime int64
}

// cpuSites looks through the file with this number for instructions that look at
// the CPU. A file that is none, or no program, has none.
func (s *server) cpuSites(ino uint64) cpusite.Result {
	n := s.f.findIno(ino)
	if n == nil || !n.isReg() {
		return cpusite.Result{}
	}
	key := textKey{n.ino, n.size, n.mtime, n.ctime}
	if r, ok := s.texts[key]; ok {
		return r
	}
	r, err := s.f.lookThrough(n)
	if err != nil {
		r = cpusite.Result{} // no program, or one that the kernel will not run
	}
	const most = 4096
	if s.texts == nil || len(s.texts) >= most {
		s.texts = map[textKey]cpusite.Result{}
	}
	s.texts[key] = r
	return r
}

// lookThrough maps the file, if it can be: most of what is looked at is tens of MB
// that nothing else of ours reads.
func (f *fsys) lookThrough(n *node) (r cpusite.Result, err error) {
	if n.data != nil || n.lower == nil || n.size == 0 {
		return cpusite.File(nodeReader{f, n}, n.size)
	}
	file, err := f.open.get(n)
	if err != nil {
		return r, err
	}
	fd, ok := image.Descriptor(file)
	if !ok {
		return cpusite.File(nodeReader{f, n}, n.size)
	}
	b, err := unix.Mmap(fd, 0, int(n.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return cpusite.File(nodeReader{f, n}, n.size)
	}
	defer unix.Munmap(b)
	if !fault.Survive(func() { r, err = cpusite.Bytes(b) }) {
		return r, fmt.Errorf("file is shorter than it was: %w", io.ErrUnexpectedEOF)
	}
	return r, err
}

// nodeReader reads a file of the tree.
type nodeReader struct {
	f *fsys
	n *node
}

func (r nodeReader) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("detfs: negative offset")
	}
	k, err := r.f.readNode(r.n, b, off)
	if err == nil && k < len(b) {
		err = io.EOF
	}
	return k, err
}

// CPUSites looks through the file with this st_ino of the guest's tree for
// instructions that look at the CPU. The result is the server's to keep.
func (c *Client) CPUSites(ino uint64) (cpusite.Result, error) {
	var out cpusite.Result
	err := c.call(&call{Op: "cpusites", Ino: ino}, -1, sites{&out})
	return out, err
}
