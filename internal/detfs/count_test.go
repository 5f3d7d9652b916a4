package detfs

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// requests runs do and tells how many requests of each kind it caused.
func requests(t *testing.T, c *Client, do func()) map[string]uint64 {
	t.Helper()
	before, err := c.Finish(true)
	must(t, err)
	do()
	after, err := c.Finish(true)
	must(t, err)
	got := map[string]uint64{}
	for k, n := range after.Requests {
		if n := n.Count - before.Requests[k].Count; n > 0 && k != "forget" && k != "batch_forget" {
			got[k] = n
		}
	}
	return got
}

// TestRoundTrips: what was seen once stays in the kernel.
func TestRoundTrips(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{Dirs: []Dir{{Path: "/d", Mode: 0o755}}})
	var st unix.Stat_t
	use := func() {
		for i := 0; i < 100; i++ {
			_, err := os.ReadFile(root + "/etc/passwd")
			must(t, err)
			must(t, unix.Lstat(root+"/usr/lib/x/y", &st))
			if err := unix.Lstat(root+"/nothing", &st); err != unix.ENOENT {
				t.Fatal(err)
			}
			_, err = os.Readlink(root + "/etc/link")
			must(t, err)
		}
	}
	use()
	if got := requests(t, c, use); len(got) != 0 {
		t.Errorf("seen before, asked again: %v", got)
	}
	make1 := func() {
		fd, err := unix.Open(root+"/d/f", unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, 0o644)
		must(t, err)
		_, err = unix.Write(fd, []byte("x"))
		must(t, err)
		must(t, unix.Close(fd))
		must(t, unix.Unlink(root+"/d/f"))
	}
	make1()
	got := requests(t, c, make1)
	t.Logf("create, write, close, unlink: %v", got)
	total := uint64(0)
	for _, n := range got {
		total += n
	}
	// Two GETATTR of the directory (fuse_permission after fuse_dir_changed)
	// and one GETXATTR of security.capability at the first write
	// (file_remove_privs) are the kernel's price.
	if total > 7 || got["mknod"] != 1 || got["write"] != 1 || got["unlink"] != 1 {
		t.Errorf("create, write, close, unlink: %v", got)
	}
}

// TestWriteRequests: writing on costs one request per call.
func TestWriteRequests(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{Dirs: []Dir{{Path: "/d", Mode: 0o755}}})
	fd, err := unix.Open(root+"/d/f", unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, 0o644)
	must(t, err)
	defer unix.Close(fd)
	got := requests(t, c, func() {
		for i := 0; i < 100; i++ {
			_, err = unix.Write(fd, []byte("some bytes\n"))
			must(t, err)
		}
	})
	t.Logf("100 writes: %v", got)
	if got["write"] != 100 || got["getattr"]+got["getxattr"] > 3 {
		t.Errorf("100 writes: %v", got)
	}
}
