package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dettrace/internal/hint"
	"dettrace/internal/rootfs"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// ent is one entry of an archive to make.
type ent struct {
	tar.Header
	body string
}

func reg(name, body string) ent {
	return ent{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}, body}
}

func dir(name string) ent {
	return ent{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o700}, ""}
}

func sym(name, to string) ent {
	return ent{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}, ""}
}

func hard(name, to string) ent {
	return ent{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}, ""}
}

func pack(t testing.TB, ents ...ent) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range ents {
		if e.ModTime.IsZero() && e.Typeflag != tar.TypeXGlobalHeader {
			e.ModTime = time.Unix(1000, 0)
		}
		must(t, w.WriteHeader(&e.Header))
		_, err := w.Write([]byte(e.body))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func openBytes(t testing.TB, b []byte) (Layer, error) {
	t.Helper()
	p := filepath.Join(t.TempDir(), "image")
	must(t, os.WriteFile(p, b, 0o644))
	l, err := Open("tar:"+p, Options{Epoch: testEpoch})
	if err == nil {
		t.Cleanup(func() { must(t, l.Close()) })
	}
	return l, err
}

// TestTar opens archives with something nasty in them. want lists paths with
// "=content", "->target" or nothing; a leading "!" is for missing ones.
func TestTar(t *testing.T) {
	tests := []struct {
		name string
		ents []ent
		want string
	}{
		{"plain", []ent{dir("d/"), reg("d/f", "x")}, "d/f=x"},
		{"implied parents", []ent{reg("a/b/c", "x")}, "a a/b a/b/c=x"},
		{"dot slash", []ent{dir("./"), reg("./f", "x")}, "f=x"},
		{"absolute name", []ent{reg("/etc/f", "x")}, "etc/f=x"},
		{"dotdot", []ent{reg("../../etc/f", "x"), reg("a/../b", "y")}, "etc/f=x b=y !a"},
		{"duplicate: last wins", []ent{reg("f", "1"), reg("f", "22")}, "f=22"},
		{"directory twice keeps names", []ent{dir("d"), reg("d/f", "x"), dir("d")}, "d/f=x"},
		{"file over directory", []ent{reg("d/f", "x"), reg("d", "y")}, "d=y"},
		{"directory over symlink", []ent{sym("d", "e"), dir("d"), reg("d/f", "x")}, "d/f=x !e"},
		{"hard link", []ent{reg("f", "x"), hard("g", "f")}, "g=x f=x"},
		{"hard link by absolute name", []ent{reg("f", "x"), hard("g", "/f")}, "g=x"},
		{"hard link to symlink", []ent{sym("s", "nowhere"), hard("g", "s")}, "g->nowhere"},
		{"hard link outlives its target", []ent{reg("f", "x"), hard("g", "f"), reg("f", "new")}, "g=x f=new"},
		{"hard link to itself", []ent{reg("f", "x"), hard("f", "f")}, "f=x"},
		{"symlink component inside", []ent{dir("usr/bin"), sym("bin", "usr/bin"), reg("bin/f", "x")}, "bin->usr/bin usr/bin/f=x"},
		{"absolute symlink component stays inside", []ent{dir("etc"), sym("l", "/etc"), reg("l/f", "x")}, "etc/f=x"},
		{"symlink component with dotdot stays inside", []ent{dir("etc"), sym("l", "../../../etc"), reg("l/f", "x")}, "etc/f=x"},
		{"dangling symlink component makes its target", []ent{sym("l", "/run/x"), reg("l/g", "x")}, "run/x/g=x l->/run/x"},
		{"whiteout is a file", []ent{reg("d/.wh.f", "")}, "d/.wh.f="},
		{"long name", []ent{reg(strings.Repeat("long/", 60)+"f", "x")}, strings.Repeat("long/", 60) + "f=x"},
		{"git archive header", []ent{{tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "c"}}, ""}, reg("f", "x")}, "f=x !pax_global_header"},
		{"nothing", nil, "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := openBytes(t, pack(t, tt.ents...))
			must(t, err)
			for _, w := range strings.Fields(tt.want) {
				if p, ok := strings.CutPrefix(w, "!"); ok {
					if _, err := get(l, p); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s: %v", p, err)
					}
				} else if p, to, ok := strings.Cut(w, "->"); ok {
					if got, err := mustGet(t, l, p).Readlink(); err != nil || got != to {
						t.Errorf("%s -> %q %v", p, got, err)
					}
				} else if p, want, ok := strings.Cut(w, "="); ok {
					if got := content(t, mustGet(t, l, p)); got != want {
						t.Errorf("%s holds %q, want %q", p, got, want)
					}
				} else {
					mustGet(t, l, p)
				}
			}
			names(t, mustGet(t, l, "/"))
			must(t, l.Verify())
		})
	}
}

func TestTarRefused(t *testing.T) {
	full := pack(t, reg("f", strings.Repeat("x", 5000)))
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"hard link before target", pack(t, hard("g", "f"), reg("f", "x")), "does not come before"},
		{"hard link to directory", pack(t, dir("d"), hard("g", "d")), "is a directory"},
		{"hard link leads out", pack(t, hard("g", "../../etc/passwd")), "does not come before"},
		{"parent is a file", pack(t, reg("f", "x"), reg("f/g", "x")), "not a directory"},
		{"parent links loop", pack(t, sym("a", "b"), sym("b", "a"), reg("a/g", "x")), "too many levels"},
		{"root is a file", pack(t, reg("/.", "x")), "not a directory"},
		{"component too long", pack(t, reg(strings.Repeat("n", 300), "x")), "name too long"},
		{"cut off in content", full[:2000], "unexpected EOF"},
		{"cut off gzip", zip(t, full)[:60], "unexpected EOF"},
		{"not an archive", []byte(strings.Repeat("hello ", 200)), "not a tar archive"},
		{"empty file", nil, "not a tar archive"},
		{"gzip of something else", zip(t, []byte(strings.Repeat("hello ", 200))), "not a tar archive"},
		{"xz", []byte("\xfd7zXZ\x00 and so on"), "data is corrupt"},
		{"damaged header", append(append([]byte{}, full[:512]...), bytes.Repeat([]byte("garbage!"), 2000)...), "broken archive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := openBytes(t, tt.b); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func zip(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func TestTarMetadata(t *testing.T) {
	when := time.Unix(1234567890, 123456789)
	l, err := openBytes(t, pack(t,
		ent{tar.Header{Typeflag: tar.TypeReg, Name: "f", Mode: 0o4755, Uid: 7, Gid: 3_000_000_000, ModTime: when, Format: tar.FormatPAX,
			PAXRecords: map[string]string{"SCHILY.xattr.user.b": "2\x00", "SCHILY.xattr.user.a": "1"}}, ""},
		ent{tar.Header{Typeflag: tar.TypeReg, Name: "late", ModTime: time.Unix(9e9, 0)}, ""},
		ent{tar.Header{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3}, ""},
		ent{tar.Header{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 259, Devminor: 70000}, ""},
		ent{tar.Header{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o600}, ""},
		hard("g", "f"),
	))
	must(t, err)
	m := mustGet(t, l, "f").Meta()
	if want := (Meta{Mode: 0o104755, UID: 7, GID: 3_000_000_000, Mtime: when.UnixNano(), Nlink: 2, Ino: pathIno("/f")}); m != want {
		t.Errorf("f: %+v, want %+v", m, want)
	}
	if g := mustGet(t, l, "g").Meta(); g != m {
		t.Errorf("g: %+v", g)
	}
	xs, err := mustGet(t, l, "f").Xattrs()
	if got := fmt.Sprint(xs); err != nil || got != fmt.Sprint([]Xattr{{Name: "user.a", Value: []byte("1")}, {Name: "user.b", Value: []byte("2\x00")}}) {
		t.Errorf("xattrs %v %v", got, err)
	}
	if m := mustGet(t, l, "late").Meta(); m.Mtime != testEpoch {
		t.Errorf("late: %+v", m)
	}
	if m := mustGet(t, l, "null").Meta(); m.Mode != 0o20666 || m.Rdev != unix.Mkdev(1, 3) {
		t.Errorf("null: %+v", m)
	}
	if m := mustGet(t, l, "sda").Meta(); m.Mode&unix.S_IFMT != unix.S_IFBLK || m.Rdev != unix.Mkdev(259, 70000) {
		t.Errorf("sda: %+v", m)
	}
	if m := mustGet(t, l, "fifo").Meta(); m.Mode != 0o10600 {
		t.Errorf("fifo: %+v", m)
	}
}

// TestTarSparse has GNU tar write a file with holes in every format.
func TestTarSparse(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("no tar(1) on this host")
	}
	d := t.TempDir()
	want := make([]byte, 1<<20)
	copy(want[300<<10:], "middle")
	copy(want[len(want)-3:], "end")
	f, err := os.Create(d + "/sparse")
	must(t, err)
	_, err = f.WriteAt([]byte("middle"), 300<<10)
	must(t, err)
	_, err = f.WriteAt([]byte("end"), int64(len(want)-3))
	must(t, err)
	must(t, f.Close())
	write(t, d+"/z", "after")
	for _, format := range []string{"--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"} {
		t.Run(format, func(t *testing.T) {
			args := []string{"-cS", "--hole-detection=raw", format, "-f", d + "/t.tar", "-C", d, "sparse", "z"}
			if strings.HasPrefix(format, "--sparse") {
				args = append([]string{"--format=posix"}, args...)
			}
			if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
				t.Fatalf("tar: %v: %s", err, out)
			}
			if st, err := os.Stat(d + "/t.tar"); err != nil || st.Size() > 100<<10 {
				t.Fatalf("tar made no sparse archive: %v %v", st.Size(), err)
			}
			l := open(t, "tar:"+d+"/t.tar", Options{})
			if got := content(t, mustGet(t, l, "sparse")); got != string(want) {
				t.Errorf("sparse content differs, %d bytes", len(got))
			}
			if got := content(t, mustGet(t, l, "z")); got != "after" {
				t.Errorf("z: %q", got)
			}
		})
	}
}

// TestTarDigest: packing does not matter, every byte of the tree does.
func TestTarDigest(t *testing.T) {
	digest := func(b []byte) string {
		t.Helper()
		l, err := openBytes(t, b)
		must(t, err)
		d, err := l.Digest()
		must(t, err)
		return d
	}
	base := pack(t, dir("d"), reg("d/f", "x"), reg("a", "y"))
	want := digest(base)
	var z bytes.Buffer
	w, err := zstd.NewWriter(&z)
	must(t, err)
	_, err = w.Write(base)
	must(t, err)
	must(t, w.Close())
	for name, b := range map[string][]byte{
		"order": pack(t, reg("./a", "y"), dir("/d/"), reg("d/f", "x")), "gzip": zip(t, base), "zstd": z.Bytes(),
		"replaced": pack(t, dir("d"), reg("a", "old"), reg("d/f", "x"), reg("a", "y")),
	} {
		if got := digest(b); got != want {
			t.Errorf("%s: another digest", name)
		}
	}
	late := reg("a", "y")
	late.ModTime = time.Unix(1001, 0)
	for name, b := range map[string][]byte{
		"content": pack(t, dir("d"), reg("d/f", "z"), reg("a", "y")), "time": pack(t, dir("d"), reg("d/f", "x"), late),
		"name": pack(t, dir("d"), reg("d/g", "x"), reg("a", "y")), "implied": pack(t, reg("d/f", "x"), reg("a", "y")),
		"link": pack(t, dir("d"), reg("d/f", "x"), sym("a", "y")),
	} {
		if digest(b) == want {
			t.Errorf("%s: same digest", name)
		}
	}
}

func TestTarVerify(t *testing.T) {
	p := filepath.Join(t.TempDir(), "t")
	must(t, os.WriteFile(p, pack(t, reg("f", "x")), 0o644))
	l := open(t, "tar:"+p, Options{})
	must(t, l.Verify())
	must(t, os.WriteFile(p, pack(t, reg("f", "x"), reg("g", "x")), 0o644))
	if err := l.Verify(); !errors.Is(err, ErrChanged) {
		t.Errorf("verify: %v", err)
	}
}

func TestParseRef(t *testing.T) {
	d := t.TempDir()
	arch := pack(t, reg("f", "x"))
	must(t, os.WriteFile(d+"/img.txt", arch, 0o644))
	must(t, os.WriteFile(d+"/img.gz", zip(t, arch), 0o644))
	write(t, d+"/text.tar", "no archive")
	for in, want := range map[string]string{
		"host": "host", d: "dir:" + d, "dir:" + d + "/": "dir:" + d, d + "/img.txt": "tar:" + d + "/img.txt",
		d + "/img.gz": "tar:" + d + "/img.gz", "tar:" + d + "/img.gz": "tar:" + d + "/img.gz",
	} {
		if got, err := ParseRef(in); got != want || err != nil {
			t.Errorf("%s: %q %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"": "empty", d + "/none": "no such file", d + "/text.tar": "not a tar archive", "/dev/null": "neither",
		"tar:" + d: "is not a tar", "debian:12": "no such file",
	} {
		got, err := ParseRef(in)
		if err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%s: %q %v, hint %q", in, got, err, hint.Of(err))
		}
	}
}

func FuzzTarIndex(f *testing.F) {
	f.Add(pack(f, dir("d"), reg("d/f", "x"), hard("g", "d/f"), sym("s", "d"), reg("s/k", "y")))
	f.Add(pack(f, reg("../x", "x"), sym("a", "a"), ent{tar.Header{Typeflag: tar.TypeChar, Name: "c", Devmajor: 1}, ""}))
	for _, rec := range []string{"GNU.sparse.major=1\n", "GNU.sparse.map=0,1\n"} {
		f.Add(pack(f, ent{tar.Header{Typeflag: tar.TypeReg, Name: "p", Size: 1, PAXRecords: map[string]string{"comment": rec}}, "x"}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var sp spool
		defer sp.Close()
		tree, err := indexTar(bytes.NewReader(b), int64(len(b)), &sp, 1<<20)
		if err != nil {
			return
		}
		l := &tarLayer{tree: tree, epoch: testEpoch}
		err = tree.Walk(func(p string, n *rootfs.Node) error {
			m := l.node(n).Meta()
			if m.Ino < 16 || m.Nlink < 1 || (n.IsDir() && m.Nlink != 1) || m.Mtime > testEpoch {
				t.Errorf("%s: %+v", p, m)
			}
			if !strings.HasPrefix(p, "/") || strings.Contains(p, "/../") {
				t.Errorf("path %q", p)
			}
			return nil
		})
		must(t, err)
		if _, err := l.Digest(); err != nil {
			t.Error(err)
		}
	})
}
