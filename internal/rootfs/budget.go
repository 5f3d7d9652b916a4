package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"math"

	"dettrace/internal/hint"
)

// Budget bounds what archives may hold once they are unpacked, so that a small
// one cannot fill the disk or the memory. It is used up over several archives.
type Budget struct {
	Bytes   int64 // content of regular files, holes included
	Entries int64 // names, and directories that occur in the names of others only
	Text    int64 // bytes of paths, targets of symlinks and attributes
}

// How much text there may be: for each entry more than trees have (Debian's have 70
// bytes of path), and for a small number of them enough in any case. It is in memory,
// several times.
const (
	textPerEntry = 128
	textLeast    = 64 << 20
)

// NewBudget is a budget for so many bytes and entries, and the text that goes with
// these.
func NewBudget(bytes, entries int64) *Budget {
	return &Budget{Bytes: bytes, Entries: entries, Text: max(min(entries, math.MaxInt64/textPerEntry)*textPerEntry, textLeast)}
}

// Unlimited is a budget that no archive uses up.
func Unlimited() *Budget { return NewBudget(math.MaxInt64, math.MaxInt64) }

// Name takes a file with a path of so many bytes, and so much other text.
func (b *Budget) Name(path int, text int64) error {
	const trust = "if the archive is to be trusted: --max-files N"
	if b.Entries--; b.Entries < 0 {
		return hint.With(errors.New("too many entries"), trust)
	}
	if b.Text -= int64(path) + text; b.Text < 0 {
		return hint.With(errors.New("too much text in names, links and attributes"), trust)
	}
	return nil
}

func (b *Budget) entry(h *tar.Header) error {
	text := int64(len(h.Linkname))
	for _, k := range sortedKeys(h.PAXRecords) {
		text += int64(len(k) + len(h.PAXRecords[k]))
	}
	if err := b.Name(len(h.Name), text); err != nil {
		return err
	}
	if h.Size < 0 || h.Size > b.Bytes {
		return hint.With(fmt.Errorf("too much content: %d bytes, where %d are left", h.Size, b.Bytes),
			"if the archive is to be trusted: --max-size BYTES")
	}
	b.Bytes -= h.Size
	return nil
}
