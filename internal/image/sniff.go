package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dettrace/internal/hint"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is what zstd --long=31 needs.
const maxWindow = 1 << 31

const refHint = "an image is host, a directory or a tar archive (plain, gzip or zstd)"

// errNotTar is about a file that is no archive at all.
var errNotTar = errors.New("not a tar archive")

// unpack recognises a compression by its magic number. plain means that r is
// the archive itself; else the result gives the archive's bytes.
func unpack(r io.ReaderAt, size int64) (body io.ReadCloser, plain bool, err error) {
	var head [6]byte
	k, err := r.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	src := io.NewSectionReader(r, 0, size)
	switch m := head[:k]; {
	case bytes.HasPrefix(m, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, false, fmt.Errorf("gzip: %w", err)
		}
		return z, false, nil
	case bytes.HasPrefix(m, []byte("\x28\xb5\x2f\xfd")), len(m) >= 4 && m[0]>>4 == 5 && string(m[1:4]) == "\x2a\x4d\x18":
		// The second is a skippable frame, RFC 8878 section 3.1.2.
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, false, fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), false, nil
	case bytes.HasPrefix(m, []byte("\xfd7zXZ")):
		return nil, false, hint.With(errNotTar, "it is compressed with xz; unpack it with xz -d first")
	case bytes.HasPrefix(m, []byte("BZh")):
		return nil, false, hint.With(errNotTar, "it is compressed with bzip2; unpack it with bzip2 -d first")
	}
	return io.NopCloser(src), true, nil
}

// sniff says whether r begins like a tar archive, compressed or not.
func sniff(r io.ReaderAt, size int64) error {
	body, _, err := unpack(r, size)
	if err != nil {
		return err
	}
	defer body.Close()
	var block [512]byte
	for k := 0; k < len(block); {
		m, err := body.Read(block[k:])
		if k += m; k == len(block) {
			break
		}
		if err == io.EOF {
			return hint.With(errNotTar, refHint)
		}
		if err != nil { // io.ErrUnexpectedEOF of a stream that is cut off
			return hint.With(fmt.Errorf("unpack: %w", err), "the archive is cut off or damaged")
		}
	}
	if !tarHeader(&block) {
		return hint.With(errNotTar, refHint)
	}
	return nil
}

// tarHeader checks the sum of a header, tar(5): all bytes, with the sum's own
// field taken as blanks; some writers summed signed bytes. A block of zeros
// begins an archive of nothing.
func tarHeader(b *[512]byte) bool {
	if *b == [512]byte{} {
		return true
	}
	want, err := strconv.ParseInt(strings.Trim(string(b[148:156]), " \x00"), 8, 64)
	if err != nil {
		return false
	}
	var plain, signed int64
	for i, c := range b {
		if i >= 148 && i < 156 {
			c = ' '
		}
		plain += int64(c)
		signed += int64(int8(c))
	}
	return want == plain || want == signed
}
