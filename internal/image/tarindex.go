package image

import (
	"archive/tar"
	"fmt"
	"io"
	"math"

	"dettrace/internal/rootfs"

	"golang.org/x/sys/unix"
)

const (
	maxSparse  = 64 << 30   // as large as the guest's file system
	maxEntries = 10_000_000 // as dettrace image import takes
)

// offsetReader lets archive/tar read r and tells where the content of an entry
// is: the reader buffers nothing, so after Next it stands at the first byte.
type offsetReader struct {
	r         io.ReaderAt
	off, size int64
}

func (o *offsetReader) Read(b []byte) (int, error) {
	if o.off >= o.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), o.size-o.off)]
	k, err := o.r.ReadAt(b, o.off)
	o.off += int64(k)
	if k > 0 {
		err = nil
	}
	return k, err
}

func (o *offsetReader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += o.off
	case io.SeekEnd:
		off += o.size
	}
	if off < 0 {
		return 0, unix.EINVAL
	}
	o.off = off
	return off, nil
}

// indexTar reads all headers of the archive r. Content stays where it is, but
// that of sparse files, which sp takes; one of them may expand to limit bytes,
// holes included.
func indexTar(r io.ReaderAt, size int64, sp *spool, limit int64) (*rootfs.Tree, error) {
	at := &offsetReader{r: r, size: size}
	t := rootfs.New()
	content := func(n *rootfs.Node, h *tar.Header, body io.Reader) error {
		if !rootfs.IsSparse(h) {
			n.Source, n.Offset = r, at.off
			if h.Size < 0 || h.Size > size-at.off {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if h.Size < 0 || h.Size > limit {
			return fmt.Errorf("sparse file of %d bytes: %w", h.Size, unix.EFBIG)
		}
		off, got, err := sp.add(body)
		if err != nil {
			return err
		}
		if got != h.Size {
			return io.ErrUnexpectedEOF
		}
		n.Source, n.Offset = sp, off
		return nil
	}
	if err := t.Apply(at, rootfs.Options{Content: content, Budget: rootfs.NewBudget(math.MaxInt64, maxEntries)}); err != nil {
		return nil, err
	}
	t.Number()
	return t, nil
}
