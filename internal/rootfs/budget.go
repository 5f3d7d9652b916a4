package rootfs

import (
	"archive/tar"
	"fmt"
	"math"

	"dettrace/internal/hint"
)

// Budget bounds what archives may hold once they are unpacked, so that a small
// one cannot fill the disk or the memory. It is used up over several archives.
type Budget struct {
	Bytes   int64 // content of regular files, holes included
	Entries int64 // names
}

// Unlimited is a budget that no archive uses up.
func Unlimited() *Budget { return &Budget{Bytes: math.MaxInt64, Entries: math.MaxInt64} }

func (b *Budget) entry(h *tar.Header) error {
	if b.Entries--; b.Entries < 0 {
		return hint.With(fmt.Errorf("too many entries"), "if the archive is to be trusted: --max-files N")
	}
	if h.Size < 0 || h.Size > b.Bytes {
		return hint.With(fmt.Errorf("too much content: %d bytes, where %d are left", h.Size, b.Bytes),
			"if the archive is to be trusted: --max-size BYTES")
	}
	b.Bytes -= h.Size
	return nil
}
