package detfs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBigLowerFile: files of the host come through as they are, also when they are read
// in other pieces than they were written in, and one that has become shorter ends the run.
func TestBigLowerFile(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	content := make([]byte, 5<<20+12345)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	for _, name := range []string{"a", "b", "c"} {
		must(t, os.WriteFile(dir+"/"+name, content, 0o644))
	}
	c, root := mounted(t, Config{Mounts: []Mount{{Guest: "/", Ref: "dir:" + dir}}})
	b, err := os.ReadFile(root + "/a")
	must(t, err)
	if !bytes.Equal(b, content) {
		t.Error("content differs")
	}
	fd, err := unix.Open(root+"/b", unix.O_RDWR, 0)
	must(t, err)
	defer unix.Close(fd)
	part := make([]byte, 300<<10)
	for range 40 {
		off := int64(r.IntN(len(content)))
		n, err := unix.Pread(fd, part[:1+r.IntN(len(part))], off)
		must(t, err)
		if !bytes.Equal(part[:n], content[off:][:n]) || n == 0 {
			t.Fatalf("%d bytes at %d differ", n, off)
		}
	}
	// Written in part: what the layer has and what it does not.
	_, err = unix.Pwrite(fd, []byte("changed"), 1<<20+77)
	must(t, err)
	copy(content[1<<20+77:], "changed")
	must(t, unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED))
	if b, err = os.ReadFile(root + "/b"); err != nil || !bytes.Equal(b, content) {
		t.Errorf("content of a changed file differs, %v", err)
	}
	must(t, c.Err())
	if _, err = os.Stat(root + "/c"); err != nil {
		t.Fatal(err)
	}
	must(t, os.Truncate(dir+"/c", 1<<20))
	if _, err := os.ReadFile(root + "/c"); err == nil || c.Err() == nil {
		t.Errorf("a file that has become shorter: %v, %v", err, c.Err())
	}
}
