package detfs

import (
	"errors"
	"fmt"
	"reflect"
	"syscall"
	"testing"

	"dettrace/internal/digests"
	"dettrace/internal/fuse"
	"dettrace/internal/image"
)

// testTree is a file system without a server.
type testTree struct {
	*fsys
	t     *testing.T
	clock int64
	fatal error
	layer *fakeLayer
}

func newTree(t *testing.T, cfg Config) *testTree {
	t.Helper()
	st, err := newStore(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, st.close()) })
	tt := &testTree{t: t, clock: testEpoch, layer: sampleLayer()}
	cfg.Epoch = testEpoch
	if cfg.Mounts == nil {
		cfg.Mounts = []Mount{{Guest: "/"}}
	}
	tt.fsys = newFsys(cfg, st, func() int64 { return tt.clock }, func(err error) { tt.fatal = err })
	must(t, tt.build(func(Mount, int64, *digests.Cache) (image.Layer, error) { return tt.layer, nil }))
	return tt
}

// find looks a path up the way the kernel does, counting references.
func (tt *testTree) find(p string) *node {
	tt.t.Helper()
	n := tt.guest
	for _, name := range split(p) {
		var e fuse.Entry
		if errno := tt.Lookup(&fuse.Request{Node: n.id}, []byte(name), &e); errno != 0 || e.Node == 0 {
			tt.t.Fatalf("lookup %s: node %d, %v", p, e.Node, errno)
		}
		n = tt.get(e.Node)
	}
	return n
}

func (tt *testTree) mknod(d *node, name string) *node {
	tt.t.Helper()
	var e fuse.Entry
	if errno := tt.Mknod(&fuse.Request{Node: d.id}, []byte(name), syscall.S_IFREG|0o644, 0, &e); errno != 0 {
		tt.t.Fatalf("mknod %s: %v", name, errno)
	}
	return tt.get(e.Node)
}

// list reads a directory through fh from off.
func (tt *testTree) list(fh, off uint64) (names []string, cookies []uint64) {
	tt.t.Helper()
	l := fuse.NewDirList(4096, false)
	if errno := tt.Readdir(nil, fh, off, l); errno != 0 {
		tt.t.Fatalf("readdir: %v", errno)
	}
	return l.Entries()
}

func TestInodeNumbersDoNotDependOnOrder(t *testing.T) {
	paths := []string{"/etc/passwd", "/usr/bin/b", "/usr/lib/x/y", "/usr/bin/a"}
	want := map[string]uint64{}
	a := newTree(t, Config{})
	for _, p := range paths {
		want[p] = a.find(p).ino
	}
	b := newTree(t, Config{})
	for i := range paths {
		p := paths[len(paths)-1-i]
		if got := b.find(p).ino; got != want[p] {
			t.Errorf("%s: inode %d, then %d", p, want[p], got)
		}
	}
	if b.find("/usr/bin/a") != b.find("/usr/bin/b") {
		t.Error("hard links of the image are two nodes")
	}
	// Found by listing or by look-up: one number.
	list, _ := b.listing(b.find("/etc"))
	for _, e := range list {
		if n := b.find("/etc/" + e.name); n.ino != e.ino {
			t.Errorf("%s: d_ino %d, st_ino %d", e.name, e.ino, n.ino)
		}
	}
}

func TestForget(t *testing.T) {
	tt := newTree(t, Config{})
	before := len(tt.nodes) - len(tt.freeIDs)
	y := tt.find("/usr/lib/x/y")
	ino := y.ino
	for n := y; n != tt.guest; {
		d := n.home
		tt.Forget(n.id, n.lookups)
		n = d
	}
	if got := len(tt.nodes) - len(tt.freeIDs); got != before {
		t.Errorf("%d nodes in memory, %d before", got, before)
	}
	if got := tt.find("/usr/lib/x/y").ino; got != ino {
		t.Errorf("inode %d came back as %d", ino, got)
	}
	// A changed node stays.
	f := tt.mknod(tt.find("/etc"), "new")
	tt.Forget(f.id, f.lookups)
	if tt.find("/etc/new") != f {
		t.Error("a new file was forgotten")
	}
	// An unlinked one lives until it is forgotten, and its space is free at once.
	if errno := tt.Write(&fuse.Request{Node: f.id}, 0, make([]byte, 9000), 0); errno != 0 {
		t.Fatal(errno)
	}
	if tt.used != 12288 {
		t.Errorf("%d bytes used", tt.used)
	}
	if errno := tt.Unlink(&fuse.Request{Node: tt.find("/etc").id}, []byte("new")); errno != 0 {
		t.Fatal(errno)
	}
	if tt.used != 0 || tt.get(f.id) != f {
		t.Errorf("after unlink: %d bytes used, node %v", tt.used, tt.get(f.id))
	}
	tt.Forget(f.id, f.lookups)
	if tt.get(f.id) != nil {
		t.Error("an unlinked and forgotten file is still there")
	}
}

func TestReaddirSnapshot(t *testing.T) {
	tt := newTree(t, Config{Dirs: []Dir{{Path: "/d", Mode: 0o755}}})
	d := tt.find("/d")
	for i := 0; i < 6; i++ {
		tt.mknod(d, fmt.Sprintf("f%d", i))
	}
	fh, _ := tt.Opendir(&fuse.Request{Node: d.id})
	names, cookies := tt.list(fh, 0)
	want := []string{".", "..", "f0", "f1", "f2", "f3", "f4", "f5"}
	if !reflect.DeepEqual(names, want) {
		t.Fatalf("listing %v", names)
	}
	// Remove what was read and make something before it: the rest neither
	// moves nor repeats.
	for _, name := range []string{"f0", "f1"} {
		tt.Unlink(&fuse.Request{Node: d.id}, []byte(name))
	}
	tt.mknod(d, "a")
	rest, _ := tt.list(fh, cookies[3])
	if !reflect.DeepEqual(rest, want[4:]) {
		t.Errorf("the rest: %v", rest)
	}
	again, _ := tt.list(fh, 0)
	if !reflect.DeepEqual(again, []string{".", "..", "a", "f2", "f3", "f4", "f5"}) {
		t.Errorf("after rewinddir: %v", again)
	}
}

func TestTimes(t *testing.T) {
	tt := newTree(t, Config{Dirs: []Dir{{Path: "/d", Mode: 0o755}}})
	d := tt.find("/d")
	tt.clock = 10
	f := tt.mknod(d, "f")
	r := &fuse.Request{Node: f.id}
	var a fuse.Attr
	check := func(what string, atime, mtime, ctime, dir int64) {
		t.Helper()
		if f.atime != atime || f.mtime != mtime || f.ctime != ctime || d.mtime != dir || d.ctime != dir {
			t.Errorf("%s: atime %d mtime %d ctime %d directory %d", what, f.atime, f.mtime, f.ctime, d.mtime)
		}
	}
	check("create", 10, 10, 10, 10)
	tt.clock = 20
	tt.Write(r, 0, []byte("x"), 0)
	check("write", 10, 20, 20, 10)
	tt.clock = 30
	tt.Write(r, 0, []byte("y"), fuse.WriteCache)
	check("late page of a mapping", 10, 20, 20, 10)
	tt.SetAttr(r, &fuse.SetAttrIn{Valid: fuse.SetMode, Mode: 0o600}, &a)
	check("chmod", 10, 20, 30, 10)
	tt.clock = 40
	tt.SetAttr(r, &fuse.SetAttrIn{Valid: fuse.SetSize, Size: 1}, &a)
	check("truncate to the same size", 10, 20, 40, 10)
	tt.SetAttr(r, &fuse.SetAttrIn{Valid: fuse.SetSize | fuse.SetFH, Size: 1}, &a)
	check("ftruncate to the same size", 10, 40, 40, 10)
	tt.clock = 50
	tt.SetAttr(r, &fuse.SetAttrIn{Valid: fuse.SetAtime | fuse.SetMtime | fuse.SetMtimeNow, Atime: 7}, &a)
	check("utimensat", 7, 50, 50, 10)
	tt.clock = 60
	tt.Setxattr(r, []byte("user.a"), []byte("1"), 0)
	check("setxattr", 7, 50, 60, 10)
	tt.clock = 70
	tt.Rename(&fuse.Request{Node: d.id}, []byte("f"), d.id, []byte("g"), 0)
	check("rename", 7, 50, 70, 70)
	tt.clock = 80
	tt.Unlink(&fuse.Request{Node: d.id}, []byte("g"))
	check("unlink", 7, 50, 80, 80)
}

func TestSingleID(t *testing.T) {
	tt := newTree(t, Config{SingleID: true})
	n := tt.find("/etc/passwd")
	tt.chown(n, 1000, 1001)
	var a fuse.Attr
	tt.GetAttr(&fuse.Request{Node: n.id}, &a)
	uid, gid := UnpackBlocks(a.Blocks)
	if a.UID != 0 || a.GID != 0 || uid != 1000 || gid != 1001 {
		t.Errorf("kernel sees %d:%d, packed %d:%d", a.UID, a.GID, uid, gid)
	}
	suid := tt.find("/usr/suid")
	tt.chown(suid, -1, -1)
	if suid.mode&0o7777 != 0o755 {
		t.Errorf("set-id bit after chown: %o", suid.mode)
	}
}

func TestBrokenLayerEndsRun(t *testing.T) {
	tt := newTree(t, Config{})
	tt.layer.broken = errors.New("changed on the host")
	var e fuse.Entry
	if errno := tt.Lookup(&fuse.Request{Node: tt.guest.id}, []byte("etc"), &e); errno != syscall.EIO {
		t.Errorf("lookup: %v", errno)
	}
	if tt.fatal == nil {
		t.Error("no fatal error")
	}
}

func TestReadLater(t *testing.T) {
	tt := newTree(t, Config{})
	n := tt.find("/usr/bin/a")
	b := make([]byte, 10)
	for i := 0; i < 5; i++ {
		if _, err := tt.readNode(n, b, int64(i)*100); err != nil {
			t.Fatal(err)
		}
	}
	if tt.layer.opened != 1 {
		t.Errorf("layer file opened %d times", tt.layer.opened)
	}
}

func TestRenameIntoItself(t *testing.T) {
	tt := newTree(t, Config{})
	usr := tt.find("/usr")
	lib := tt.find("/usr/lib")
	if errno := tt.Rename(&fuse.Request{Node: tt.guest.id}, []byte("usr"), lib.id, []byte("u"), 0); errno != syscall.EINVAL {
		t.Errorf("rename of %d into %d: %v", usr.id, lib.id, errno)
	}
}
