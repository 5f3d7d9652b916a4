package run

import (
	"dettrace/internal/detfs"
	"dettrace/internal/fastpath"
	"dettrace/internal/procfs"
	"dettrace/internal/sandbox"
	"dettrace/internal/seccomp"
	"dettrace/internal/vdso"

	"golang.org/x/sys/unix"
)

// The guest's processes map the fast paths from this file.
const (
	regionName = "kernel/dettrace" // below /sys
	regionPath = "/sys/" + regionName
)

// regionFile is the place for it. No listing shows it: it cannot be read, and
// programs that walk the tree would fail there.
func regionFile() detfs.StaticFile {
	return detfs.StaticFile{Path: regionName, Mode: 0o666, Hidden: true}
}

// newRegion fills it.
func newRegion(box *sandbox.Sandbox) (*fastpath.Region, error) {
	image, volumes := detfs.MainVolume()
	return fastpath.New(box.Shared, fastpath.Facts{
		FuseDev: box.FuseDev, TreeDev: procfs.TreeDev, ImageIno: image, VolumeIno: volumes,
	})
}

// fastFilter is what the filter must know of it.
func fastFilter(r *fastpath.Region) *seccomp.Fast {
	return &seccomp.Fast{
		Lo: fastpath.Base, Hi: fastpath.CodeEnd, Serves: r.Makes,
		Mapped: map[int]int{unix.SYS_OPENAT: 0, unix.SYS_MMAP: 4}, Magic: vdso.Magic,
	}
}
