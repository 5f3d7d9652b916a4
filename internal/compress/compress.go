// Package compress reads streams that may be compressed, recognised by their
// content and never by a name: gzip, zstd, xz, bzip2.
package compress

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// Plain is the kind of a stream that is not compressed.
const Plain = ""

// Windows of zstd, which are memory that the one who made the stream asks for.
const (
	// WindowTrusted is what zstd --long=31 needs.
	WindowTrusted = 1 << 31
	// WindowStrict is what zstd --long=27 needs.
	WindowStrict = 1 << 27
)

// NewReader gives what r holds, and the compression: "gzip", "zstd", "xz",
// "bzip2" or Plain. window is the largest one of zstd; xz has 64 MiB, which
// every preset of xz(1) keeps.
func NewReader(r io.Reader, window uint64) (io.ReadCloser, string, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	m, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	switch {
	case bytes.HasPrefix(m, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, "", fmt.Errorf("gzip: %w", err)
		}
		return z, "gzip", nil
	case bytes.HasPrefix(m, []byte("\x28\xb5\x2f\xfd")), len(m) >= 4 && m[0]>>4 == 5 && string(m[1:4]) == "\x2a\x4d\x18":
		// The second is a skippable frame, RFC 8878 section 3.1.2.
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, "", fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), "zstd", nil
	case bytes.HasPrefix(m, []byte("\xfd7zXZ\x00")):
		z, err := xz.NewReader(b, xz.DefaultDictMax)
		if err != nil {
			return nil, "", fmt.Errorf("xz: %w", err)
		}
		return io.NopCloser(z), "xz", nil
	case bytes.HasPrefix(m, []byte("BZh")):
		return io.NopCloser(bzip2.NewReader(b)), "bzip2", nil
	}
	return io.NopCloser(b), Plain, nil
}
