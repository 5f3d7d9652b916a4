package detfs

import (
	"errors"
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
	// are the kernel's price.
	if total > 6 || got["getxattr"] != 0 || got["mknod"] != 1 || got["write"] != 1 || got["unlink"] != 1 {
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
	_, err = unix.Write(fd, []byte("the kernel asks once for capabilities\n"))
	must(t, err)
	got := requests(t, c, func() {
		for i := 0; i < 100; i++ {
			_, err = unix.Write(fd, []byte("some bytes\n"))
			must(t, err)
		}
	})
	t.Logf("100 writes: %v", got)
	if got["write"] != 100 || got["getattr"] > 1 || got["getxattr"] != 0 {
		t.Errorf("100 writes: %v", got)
	}
}

// TestXattrRequests: neither a new owner nor a write makes the kernel ask for file
// capabilities, and they are gone all the same.
func TestXattrRequests(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{Dirs: []Dir{{Path: "/d", Mode: 0o755}}})
	must(t, unix.Chown(root+"/etc/motd", 0, 0))             // the kernel asks once
	caps := append([]byte{1, 0, 0, 2}, make([]byte, 16)...) // VFS_CAP_REVISION_2, effective
	for what, do := range map[string]func(p string) error{
		"chown":    func(p string) error { return unix.Chown(p, 0, 0) },
		"truncate": func(p string) error { return unix.Truncate(p, 1) },
		"write": func(p string) error {
			fd, err := unix.Open(p, unix.O_WRONLY|unix.O_APPEND, 0)
			if err == nil {
				_, err = unix.Write(fd, []byte("x"))
				must(t, unix.Close(fd))
			}
			return err
		},
	} {
		p := root + "/d/" + what
		must(t, os.WriteFile(p, []byte("some"), 0o755))
		must(t, unix.Setxattr(p, capsXattr, caps, 0))
		must(t, unix.Setxattr(p, "user.kept", []byte("v"), 0))
		ino := stat(t, p).Ino
		if v, err := c.GetxattrIno(ino, capsXattr); err != nil || string(v) != string(caps) {
			t.Fatalf("%s: capabilities before: %q %v", what, v, err)
		}
		if got := requests(t, c, func() { must(t, do(p)) }); got["getxattr"]+got["removexattr"] != 0 {
			t.Errorf("%s: %v", what, got)
		}
		if v, err := c.GetxattrIno(ino, capsXattr); !errors.Is(err, unix.ENODATA) {
			t.Errorf("%s: capabilities are left: %q %v", what, v, err)
		}
		if v, err := c.GetxattrIno(ino, "user.kept"); err != nil || string(v) != "v" {
			t.Errorf("%s: another attribute: %q %v", what, v, err)
		}
	}
	if _, err := c.GetxattrIno(12345678, "user.x"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("of no file: %v", err)
	}
}
