package detfs

import (
	"slices"
	"syscall"
	"testing"
)

// staticConfig has a directory that only paths imply, one with a mode of its own, one
// that is both, and a name that begins like another.
func staticConfig() Config {
	return Config{Static: []StaticTree{{Name: "proc", Files: []StaticFile{
		{Path: "version", Mode: 0o444, Content: []byte("v\n")},
		{Path: "/sys/kernel/x", Mode: 0o644, Content: []byte("1\n")},
		{Path: "sys/kernel", Dir: true, Mode: 0o511},
		{Path: "sys/kernelx/y", Mode: 0o400, Door: "random"},
		{Path: "sys/kernel/random/uuid", Mode: 0o444},
		{Path: "sys/hidden", Mode: 0o444, Hidden: true},
		{Path: "fs", Dir: true, Mode: 0o555},
		{Path: "mounts", Link: true, Content: []byte("self/mounts")},
		{Path: "sys/serial", Mode: 0o444, Serial: 7},
	}, Lines: "sys/kernel/first=a=b\nsys/kernel/randomize=2\nsys/net/core/somaxconn=4096\nsys/net/core/somaxconn2=\n"}}}
}

// static is the node of a path in the tree, which is looked up or, with list, found in
// the listings on the way.
func (tt *testTree) static(p string, list bool) *node {
	tt.t.Helper()
	n := tt.root
	for _, name := range append([]string{"proc"}, split(p)...) {
		if list {
			l, errno := tt.listing(n)
			i := slices.IndexFunc(l, func(e listed) bool { return e.name == name })
			if errno != 0 || i < 0 {
				tt.t.Fatalf("%s is not in the listing: %v", p, errno)
			}
			if c := n.dir.children[name].n; c == nil || c.ino != l[i].ino || c.mode&syscall.S_IFMT != l[i].typ {
				tt.t.Fatalf("%s: listed as %+v, is %+v", p, l[i], c)
			}
		}
		c, errno := tt.lookup(n, []byte(name))
		if errno != 0 {
			tt.t.Fatalf("%s: %v", p, errno)
		}
		n = c
	}
	return n
}

// Whatever is asked for first, a static tree is the same.
func TestStaticTree(t *testing.T) {
	type file struct {
		mode uint32
		size int64
		ino  uint64
	}
	paths := []string{
		"", "version", "sys", "sys/kernel", "sys/kernel/x", "sys/kernelx", "sys/kernelx/y", "sys/kernel/random",
		"sys/kernel/random/uuid", "fs", "mounts", "sys/serial", "sys/kernel/first", "sys/kernel/randomize",
		"sys/net", "sys/net/core", "sys/net/core/somaxconn", "sys/net/core/somaxconn2",
	}
	read := func(list, backwards bool) map[string]file {
		tt := newTree(t, staticConfig())
		seen := map[string]file{}
		order := slices.Clone(paths)
		if backwards {
			slices.Reverse(order)
		}
		for _, p := range order {
			n := tt.static(p, list)
			if n.flags&flagReadOnly == 0 || n.mtime != testEpoch {
				t.Errorf("%s: %+v", p, n)
			}
			seen[p] = file{n.mode, n.size, n.ino}
		}
		if d := tt.doors[seen["sys/kernelx/y"].ino]; d != "random" || len(tt.doors) != 1 {
			t.Errorf("doors: %v", tt.doors)
		}
		l, _ := tt.listing(tt.static("sys", false))
		var names []string
		for _, e := range l {
			names = append(names, e.name)
		}
		if !slices.Equal(names, []string{"kernel", "kernelx", "net", "serial"}) {
			t.Errorf("listing of sys: %q", names)
		}
		if tt.static("sys/hidden", false).size != 0 {
			t.Error("the hidden file has content")
		}
		return seen
	}
	want := read(false, false)
	inos := map[uint64]string{}
	for p, f := range want {
		if other, ok := inos[f.ino]; ok {
			t.Errorf("%s and %s are both inode %x", p, other, f.ino)
		}
		inos[f.ino] = p
		if v, top := Volume(f.ino); v != StaticVolume || top != (p == "") {
			t.Errorf("%s: volume %d, top %v", p, v, top)
		}
	}
	for _, c := range []struct {
		path string
		mode uint32
		size int64
	}{
		{"", syscall.S_IFDIR | 0o555, dirSize}, {"version", syscall.S_IFREG | 0o444, 2},
		{"sys", syscall.S_IFDIR | 0o755, dirSize}, {"sys/kernel", syscall.S_IFDIR | 0o511, dirSize},
		{"sys/kernelx/y", syscall.S_IFREG | 0o400, 0}, {"fs", syscall.S_IFDIR | 0o555, dirSize},
		{"mounts", syscall.S_IFLNK | 0o777, 11}, {"sys/net/core", syscall.S_IFDIR | 0o755, dirSize},
		{"sys/kernel/first", syscall.S_IFREG | 0o644, 4}, {"sys/net/core/somaxconn", syscall.S_IFREG | 0o644, 5},
		{"sys/net/core/somaxconn2", syscall.S_IFREG | 0o644, 1},
	} {
		if got := want[c.path]; got.mode != c.mode || got.size != c.size {
			t.Errorf("%s: mode %o, size %d", c.path, got.mode, got.size)
		}
	}
	if want["sys/serial"].ino != SerialIno(StaticVolume, 7) {
		t.Errorf("serial: %x", want["sys/serial"].ino)
	}
	for _, way := range [][2]bool{{false, true}, {true, false}, {true, true}} {
		got := read(way[0], way[1])
		for p, f := range want {
			if got[p] != f {
				t.Errorf("%q, listed %v, backwards %v: %+v, want %+v", p, way[0], way[1], got[p], f)
			}
		}
	}
	tt := newTree(t, staticConfig())
	for _, c := range [][2]string{{"", "sy"}, {"sys", "kern"}, {"sys", "kernelxy"}, {"sys/kernel", "version"}, {"fs", "x"}, {"sys/net/core", "somaxcon"}, {"sys", "ne"}} {
		if n, errno := tt.lookup(tt.static(c[0], false), []byte(c[1])); errno != syscall.ENOENT {
			t.Errorf("%q in %q: %v, %v", c[1], c[0], n, errno)
		}
	}
	for _, p := range []string{"", "/", "a/../b", "a//b", "."} {
		f := newFsys(Config{}, nil, nil, nil)
		if err := f.buildStatic(0, StaticTree{Name: "x", Files: []StaticFile{{Path: p}}}); err == nil {
			t.Errorf("path %q is taken", p)
		}
	}
}
