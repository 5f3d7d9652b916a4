package image

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dettrace/internal/compress"
	"dettrace/internal/hint"
)

const refHint = "an image is host, a directory or a tar archive (plain, gzip, zstd, xz or bzip2)"

// errNotTar is about a file that is no archive at all.
var errNotTar = errors.New("not a tar archive")

// unpack gives the archive's bytes. plain means that r is the archive itself.
func unpack(r io.ReaderAt, size int64) (body io.ReadCloser, plain bool, err error) {
	body, kind, err := compress.NewReader(io.NewSectionReader(r, 0, size), compress.WindowTrusted)
	return body, kind == compress.Plain, err
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
