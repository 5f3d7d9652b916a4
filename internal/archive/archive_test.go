package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		if err := w.WriteHeader(&tar.Header{Name: n, Mode: 0o640, Size: int64(len(n)), Uid: 7, ModTime: time.Unix(99, 0)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// arOf writes an ar archive with GNU names.
func arOf(names ...string) []byte {
	b := []byte("!<arch>\n")
	long := ""
	for _, n := range names {
		if len(n) > 15 {
			long += n + "/\n"
		}
	}
	member := func(name string, content string) {
		b = append(b, fmt.Sprintf("%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, 99, 7, 8, 0o100640, len(content))...)
		b = append(b, content...)
		if len(content)%2 == 1 {
			b = append(b, '\n')
		}
	}
	if long != "" {
		member("//", long)
	}
	at := 0
	for _, n := range names {
		if len(n) > 15 {
			member(fmt.Sprintf("/%d", at), n)
			at += len(n) + 2
		} else {
			member(n+"/", n)
		}
	}
	return b
}

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		f, err := w.CreateHeader(&zip.FileHeader{Name: n, Method: zip.Deflate, Modified: time.Unix(1e9, 0)})
		if err == nil {
			_, err = f.Write([]byte(n))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t *testing.T, kind Kind, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case Gzip:
		w = gzip.NewWriter(&b)
	case Xz:
		c := exec.Command("xz", "-c")
		c.Stdin = bytes.NewReader(data)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("xz (package xz-utils): %v", err)
		}
		return out
	case Zstd:
		w, err = zstd.NewWriter(&b)
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestMembers: each format gives names, metadata and content back.
func TestMembers(t *testing.T) {
	names := []string{"b", "a", "a name of more than fifteen letters"}
	for _, tt := range []struct {
		kind Kind
		data []byte
	}{{Tar, tarOf(t, names...)}, {Ar, arOf(names...)}, {Zip, zipOf(t, names...)}} {
		var o Opener
		kind, files, err := o.Open("x", section(tt.data))
		if err != nil || kind != tt.kind || len(files) != len(names) {
			t.Fatalf("%s: %s, %d files, %v", tt.kind, kind, len(files), err)
		}
		for i, f := range files {
			b, err := io.ReadAll(f.Data)
			if err != nil || f.Path != names[i] || string(b) != names[i] || f.Size != int64(len(names[i])) {
				t.Errorf("%s: %q with %q, size %d, %v", kind, f.Path, b, f.Size, err)
			}
			if kind != Zip && (f.ModTime != 99e9 || f.UID != 7 || f.Mode.Perm() != 0o640) {
				t.Errorf("%s: %+v", kind, f)
			}
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStreams(t *testing.T) {
	for kind, suffix := range map[Kind]string{Gzip: ".gz", Xz: ".xz", Zstd: ".zst"} {
		var o Opener
		got, files, err := o.Open("dir/a.tar"+suffix, section(compressed(t, kind, tarOf(t, "m"))))
		if err != nil || got != kind || len(files) != 1 || files[0].Path != "a.tar" || Sniff(files[0].Data) != Tar {
			t.Errorf("%s: %s, %+v, %v", kind, got, files, err)
		}
		_ = o.Close()
	}
}

// TestDamaged: cut off or made of nonsense, a container is an error and no panic.
func TestDamaged(t *testing.T) {
	whole := [][]byte{
		tarOf(t, "a", "b"), arOf("a", "a name of more than fifteen letters"), zipOf(t, "a"),
		compressed(t, Gzip, []byte("abc")), compressed(t, Xz, []byte("abc")), compressed(t, Zstd, []byte("abc")),
	}
	for _, b := range whole {
		for cut := range len(b) {
			var o Opener
			_, _, _ = o.Open("x", section(b[:cut])) // an error or fewer members
			_ = o.Close()
		}
		for i := 8; i < len(b); i += 3 {
			bad := bytes.Clone(b)
			bad[i] ^= 0x55
			var o Opener
			_, _, _ = o.Open("x", section(bad))
			_ = o.Close()
		}
	}
	var o Opener
	if _, _, err := o.Open("x", section([]byte("plain text"))); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, _, err := o.Open("x", section(arOf("abc")[:70])); err == nil {
		t.Error("an archive that is cut off has no error")
	}
}
