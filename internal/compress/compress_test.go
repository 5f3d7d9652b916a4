package compress

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func read(t *testing.T, b []byte, window uint64) (string, string, error) {
	t.Helper()
	r, kind, err := NewReader(bytes.NewReader(b), window)
	if err != nil {
		return "", kind, err
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	return string(out), kind, err
}

func TestKinds(t *testing.T) {
	text := strings.Repeat("some text, ", 100_000)
	packed := map[string][]byte{Plain: []byte(text)}
	var g, z bytes.Buffer
	gw := gzip.NewWriter(&g)
	_, _ = io.WriteString(gw, text)
	_ = gw.Close()
	packed["gzip"] = g.Bytes()
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(zw, text)
	_ = zw.Close()
	packed["zstd"] = z.Bytes()
	for _, tool := range []string{"xz", "bzip2"} {
		c := exec.Command(tool, "-9c")
		c.Stdin = strings.NewReader(text)
		if packed[tool], err = c.Output(); err != nil {
			t.Fatalf("%s (packages xz-utils, bzip2): %v", tool, err)
		}
	}
	for kind, b := range packed {
		got, is, err := read(t, b, WindowStrict)
		if err != nil || is != kind || got != text {
			t.Errorf("%q: %q, %d bytes, %v", kind, is, len(got), err)
		}
		if kind == Plain {
			continue
		}
		if _, _, err := read(t, b[:len(b)/2], WindowStrict); err == nil {
			t.Errorf("%s cut off: no error", kind)
		}
		b = bytes.Clone(b)
		b[len(b)/2] ^= 0x10
		if got, _, err := read(t, b, WindowStrict); err == nil {
			t.Errorf("%s damaged: no error, %d bytes", kind, len(got))
		}
	}
}

// A stream decides how much memory it needs; it does not get any amount.
func TestWindow(t *testing.T) {
	var z bytes.Buffer
	w, err := zstd.NewWriter(&z, zstd.WithWindowSize(256<<20))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Flush() // no size in the header, so the window counts
	_ = w.Close()
	if _, _, err := read(t, z.Bytes(), WindowStrict); !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("zstd: %v", err)
	}
	if _, _, err := read(t, z.Bytes(), WindowTrusted); err != nil {
		t.Errorf("zstd, trusted: %v", err)
	}
	c := exec.Command("xz", "-c", "--lzma2=dict=512MiB")
	c.Stdin = strings.NewReader("x")
	b, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(t, b, WindowStrict); err == nil {
		t.Error("xz: no error")
	}
}

func TestAhead(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 200_000)
	a := Ahead(strings.NewReader(text))
	if err := iotest.TestReader(a, []byte(text)); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	a = Ahead(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))
	if b, err := io.ReadAll(a); !errors.Is(err, broken) || string(b) != text {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	_ = a.Close()
	a = Ahead(strings.NewReader(text)) // closed before it is read
	_ = a.Close()
	if _, err := io.ReadAll(a); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
