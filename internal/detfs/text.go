package detfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/image"
)

// errNoText says that a file's text cannot be copied: it is not the image's any
// more, or may change without a word.
var errNoText = errors.New("the file may change")

// watchText writes size bytes from offset off of the image's file with number ino
// to w at offset at, zeros behind its end. From then on the first change of such a file
// stores 1 into the word of w at changed, before the change is made. With size 0 there is
// nothing to write but that.
func (f *fsys) watchText(ino uint64, off, size int64, w *os.File, at, changed int64) error {
	n := f.findIno(ino)
	if n == nil || !n.isReg() || n.lower == nil || n.data != nil || f.mapped[ino] || size < 0 || size > maxText {
		return fmt.Errorf("detfs: inode %d: %w", ino, errNoText)
	}
	if size == 0 {
		f.watch(ino, w, changed)
		return nil
	}
	if !f.copyMapped(n, off, size, w, at) {
		b := make([]byte, size)
		if _, err := f.readNode(n, b, off); err != nil {
			return fmt.Errorf("detfs: inode %d: %w", ino, err)
		}
		if k, err := w.WriteAt(b, at); err != nil || k != len(b) {
			return fmt.Errorf("detfs: copy of inode %d: %w", ino, err)
		}
	}
	f.watch(ino, w, changed)
	return nil
}

// copyMapped writes to w right from the host's file, if it can be mapped.
func (f *fsys) copyMapped(n *node, off, size int64, w *os.File, at int64) bool {
	file, err := f.open.get(n)
	if err != nil {
		return false
	}
	fd, ok := image.Descriptor(file)
	if !ok || off < 0 || off > n.size-size {
		return false
	}
	b, err := unix.Mmap(fd, off, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return false
	}
	defer unix.Munmap(b)
	k, err := w.WriteAt(b, at) // EFAULT where the file is shorter than it was
	return err == nil && k == len(b)
}

// watch is that part of watchText that waits for changes.
func (f *fsys) watch(ino uint64, w *os.File, changed int64) {
	if f.texts == nil {
		f.texts = map[uint64]bool{}
	}
	f.texts[ino] = true
	f.textChanged = func() {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		// The guest can cut the file off: then nobody uses copies any more.
		_, _ = syscall.Pwrite(int(w.Fd()), one[:], changed)
	}
}

// maxText bounds what one call copies.
const maxText = 64 << 20

// own makes n's content changeable, and says so to those who have a copy.
func (f *fsys) own(n *node) *fileData {
	if f.texts[n.ino] {
		f.textChanged()
	}
	return n.own()
}

// noteMapped is for files that are mapped shared and writable: changes come late
// and by themselves.
func (f *fsys) noteMapped(ino uint64) {
	if f.mapped == nil {
		f.mapped = map[uint64]bool{}
	}
	f.mapped[ino] = true
	if f.texts[ino] {
		f.textChanged()
	}
}
