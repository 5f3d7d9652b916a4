package detfs

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func stat(t *testing.T, p string) syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(p, &st); err != nil {
		t.Fatalf("lstat %s: %v", p, err)
	}
	return st
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	must(t, err)
	var out []string
	for _, e := range es {
		out = append(out, e.Name())
	}
	return out
}

// TestMount goes through the life of a run on a real mount.
func TestMount(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{
		Dirs:   []Dir{{Path: "/tmp", Mode: 0o1777}, {Path: "/build", Mode: 0o755}},
		Files:  []StaticFile{{Path: "/etc/machine-id", Mode: 0o444, Content: []byte("id\n")}},
		Static: []StaticTree{{Name: "proc", Files: []StaticFile{{Path: "/sys/kernel/x", Mode: 0o444, Content: []byte("1\n")}}}},
	})
	if got := names(t, root); !reflect.DeepEqual(got, []string{"build", "etc", "tmp", "usr"}) {
		t.Fatalf("root: %v", got)
	}
	if b, err := os.ReadFile(filepath.Join(root, "../proc/sys/kernel/x")); err != nil || string(b) != "1\n" {
		t.Fatalf("static file: %q %v", b, err)
	}
	if err := os.WriteFile(filepath.Join(root, "../proc/new"), nil, 0o644); err == nil {
		t.Fatal("static tree is writable")
	}
	a, b := stat(t, root+"/usr/bin/a"), stat(t, root+"/usr/bin/b")
	if a.Ino != b.Ino || a.Nlink != 2 {
		t.Fatalf("hard link in the image: %d %d nlink %d", a.Ino, b.Ino, a.Nlink)
	}
	content, err := os.ReadFile(root + "/usr/bin/b")
	if err != nil || len(content) != 131072 || content[17] != '1' {
		t.Fatalf("read: %d bytes, %v", len(content), err)
	}
	c.SetNow(testEpoch + 5e9)
	must(t, os.WriteFile(root+"/build/f", []byte("abc"), 0o640))
	st := stat(t, root+"/build/f")
	if st.Mtim.Nano() != testEpoch+5e9 || st.Ino < firstNewIno || st.Size != 3 || st.Mode != syscall.S_IFREG|0o640 {
		t.Fatalf("new file: %+v", st)
	}
	if st := stat(t, root+"/build"); st.Mtim.Nano() != testEpoch+5e9 {
		t.Fatalf("directory mtime %d", st.Mtim.Nano())
	}
	c.SetNow(testEpoch + 6e9)
	must(t, os.Link(root+"/build/f", root+"/build/g"))
	c.SetNow(testEpoch + 7e9)
	must(t, os.Remove(root+"/build/f"))
	if st := stat(t, root+"/build/g"); st.Nlink != 1 || st.Ctim.Nano() != testEpoch+7e9 {
		t.Fatalf("after unlink of one name: nlink %d ctime %d", st.Nlink, st.Ctim.Nano())
	}
	// Part of a lower file written: the rest still comes from the layer.
	f, err := os.OpenFile(root+"/usr/bin/a", os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("XYZ"), 70000)
	must(t, err)
	must(t, f.Close())
	content[70000], content[70001], content[70002] = 'X', 'Y', 'Z'
	if got, _ := os.ReadFile(root + "/usr/bin/b"); !bytes.Equal(got, content) {
		t.Fatal("copied up content differs")
	}
	must(t, os.Remove(root+"/etc/motd"))
	must(t, os.Rename(root+"/usr/lib", root+"/build/lib"))
	if got, err := os.ReadFile(root + "/build/lib/x/y"); err != nil || string(got) != "deep" {
		t.Fatalf("moved image directory: %q %v", got, err)
	}
	must(t, os.Chmod(root+"/etc/passwd", 0o600))
	must(t, os.WriteFile(root+"/build/gone", nil, 0o600))
	must(t, os.Remove(root+"/build/gone"))

	ch, err := c.Changes()
	must(t, err)
	var got []string
	for _, x := range ch {
		got = append(got, x.Kind+" "+x.Path)
	}
	want := []string{"added /build/g", "added /build/lib", "added /build/lib/x", "added /build/lib/x/y",
		"deleted /etc/motd", "meta /etc/passwd", "modified /usr/bin/a", "modified /usr/bin/b", "deleted /usr/lib"}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("changes:\n%v\nwant\n%v", got, want)
	}
	checkTar(t, c)
	if g, err := c.Glob("/build/*"); err != nil || !reflect.DeepEqual(g, []string{"/build/g", "/build/lib"}) {
		t.Fatalf("glob: %v %v", g, err)
	}
	sum, err := c.Finish(true)
	must(t, err)
	if sum.Changed != len(want) || len(sum.Layers) != 1 || sum.Requests["lookup"].Count == 0 {
		t.Fatalf("summary: %+v", sum)
	}
	must(t, c.Err())
}

func checkTar(t *testing.T, c *Client) {
	t.Helper()
	var one, two bytes.Buffer
	must(t, c.WriteTar(&one, TarRequest{Changes: true}))
	must(t, c.WriteTar(&two, TarRequest{Changes: true}))
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Fatal("two tars differ")
	}
	var got []string
	for r := tar.NewReader(&one); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		got = append(got, string(h.Typeflag)+" "+h.Name)
	}
	want := []string{"5 build/", "0 build/g", "5 build/lib/", "5 build/lib/x/", "0 build/lib/x/y",
		"5 etc/", "0 etc/.wh.motd", "0 etc/passwd", "5 usr/", "0 usr/bin/a", "1 usr/bin/b", "0 usr/.wh.lib"}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("tar:\n%q\nwant\n%q", got, want)
	}
}

// TestOpenUnlinked: data lives as long as a descriptor, space is free at once.
func TestOpenUnlinked(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	_, root := mounted(t, Config{})
	var before, during, after unix.Statfs_t
	must(t, unix.Statfs(root, &before))
	f, err := os.Create(root + "/f")
	must(t, err)
	_, err = f.Write(make([]byte, 1<<20))
	must(t, err)
	must(t, unix.Statfs(root, &during))
	must(t, os.Remove(root+"/f"))
	must(t, unix.Statfs(root, &after))
	if before.Bfree-during.Bfree != 256 || after.Bfree != before.Bfree {
		t.Fatalf("free blocks: %d, %d, %d", before.Bfree, during.Bfree, after.Bfree)
	}
	if st, err := f.Stat(); err != nil || st.Sys().(*syscall.Stat_t).Nlink != 0 {
		t.Fatalf("fstat of an unlinked file: %+v %v", st, err)
	}
	b := make([]byte, 10)
	if _, err := f.ReadAt(b, 1000); err != nil {
		t.Fatal(err)
	}
	must(t, f.Close())

	fd, err := unix.Open(root, unix.O_TMPFILE|unix.O_RDWR, 0o600)
	must(t, err)
	_, err = unix.Write(fd, []byte("tmp"))
	must(t, err)
	must(t, unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+itoa(fd), unix.AT_FDCWD, root+"/linked", unix.AT_SYMLINK_FOLLOW))
	must(t, unix.Close(fd))
	if b, err := os.ReadFile(root + "/linked"); err != nil || string(b) != "tmp" {
		t.Fatalf("linked tmpfile: %q %v", b, err)
	}
	if st := stat(t, root+"/linked"); st.Nlink != 1 {
		t.Fatalf("linked tmpfile: nlink %d", st.Nlink)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
