package detfs

import (
	"testing"

	"dettrace/internal/fuse"
)

func TestVolume(t *testing.T) {
	for _, tt := range []struct {
		ino    uint64
		volume int
		top    bool
	}{
		{1, 0, false}, {firstNewIno, 0, false}, {1 << 47, 0, false},
		{3<<volumeShift | volumeTop, 3, true}, {3<<volumeShift | firstNewIno, 3, false},
		{staticIno, StaticVolume, true}, {staticIno | 1<<32, StaticVolume + 1, true}, {staticIno | 1<<32 | 5, StaticVolume + 1, false},
		{imageIno, 0, false}, {imageIno | 3<<volumeShift | volumeTop, 0, false}, {1<<63 - 1, 0, false},
		{SerialIno(2, 7), 2, false}, {SerialIno(StaticVolume+1, 7), StaticVolume + 1, false},
	} {
		if v, top := Volume(tt.ino); v != tt.volume || top != tt.top {
			t.Errorf("Volume(%#x) = %d, %v, want %d, %v", tt.ino, v, top, tt.volume, tt.top)
		}
	}
	if v, n := UnpackNamelen(PackNamelen(StaticVolume + 1)); v != StaticVolume+1 || n != 255 {
		t.Errorf("name length %d, volume %d", n, v)
	}
}

// TestVolumeOfFiles: a volume holds what is made in it, wherever that moves,
// and numbers given by serial do not depend on what else there is.
func TestVolumeOfFiles(t *testing.T) {
	tt := newTree(t, Config{
		Dirs:  []Dir{{Path: "/dev", Mode: 0o755, Fresh: true, Volume: 1}, {Path: "/dev/shm", Mode: 0o1777, Volume: 2}, {Path: "/dev/pts", Mode: 0o755}},
		Files: []StaticFile{{Path: "/dev/null", Serial: 99}},
	})
	check := func(p string, volume int, top bool) {
		t.Helper()
		if v, isTop := Volume(tt.find(p).ino); v != volume || isTop != top {
			t.Errorf("%s: volume %d, top %v", p, v, isTop)
		}
	}
	check("/usr", 0, false)
	check("/dev", 1, true)
	check("/dev/shm", 2, true)
	check("/dev/pts", 1, false)
	if ino := tt.find("/dev/null").ino; ino != SerialIno(1, 99) {
		t.Errorf("/dev/null has number %#x", ino)
	}
	tt.mknod(tt.find("/dev/shm"), "x")
	check("/dev/shm/x", 2, false)
	tt.mknod(tt.find("/usr"), "y")
	check("/usr/y", 0, false)
	var s fuse.StatFS
	if errno := tt.StatFS(&fuse.Request{Node: tt.find("/dev/shm/x").id}, &s); errno != 0 || uint64(s.Namelen) != PackNamelen(2) {
		t.Errorf("statfs: %v, length of names %#x", errno, s.Namelen)
	}
}
