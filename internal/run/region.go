package run

import (
	"fmt"
	"os"

	"dettrace/internal/detfs"
	"dettrace/internal/fastpath"
	"dettrace/internal/kernel"
	"dettrace/internal/machine"
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

// newRegion fills it for machine m and a clock that starts at epoch, in ns. With hostTime it reads no clocks; random says that each image has other addresses, singleID that the guest has one user. stdio are our ends of the pipes to the guest's standard streams.
func newRegion(box *sandbox.Sandbox, m machine.Machine, epoch int64, hostTime, random, singleID bool, stdio ...*os.File) (*fastpath.Region, error) {
	var pipes []uint64
	for _, f := range stdio {
		if f == nil {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return nil, fmt.Errorf("stat a standard stream: %w", err)
		}
		pipes = append(pipes, st.Ino)
	}
	image, volumes := detfs.MainVolume()
	r, err := fastpath.New(box.Shared, fastpath.Facts{
		HostTime: hostTime, Random: random, SingleID: singleID, FuseDev: box.FuseDev, TreeDev: procfs.TreeDev, ImageIno: image, VolumeIno: volumes, Stdio: pipes,
		NullDev: procfs.DevDev, NullIno: detfs.SerialIno(kernel.VolumeDev, kernel.DeviceSerial(1, 3)), Epoch: epoch,
		CPUID: m.CPU.Leaves(m.CPUs), XCR0: m.CPU.XCR0(),
	})
	if err != nil {
		return nil, err
	}
	return r, r.MapFrom(regionPath)
}

// fastFilter is what the filter must know of it.
func fastFilter(r *fastpath.Region) *seccomp.Fast {
	return &seccomp.Fast{
		Lo: fastpath.Base, Hi: fastpath.CodeEnd, Serves: r.Makes,
		Mapped: map[int]int{unix.SYS_OPENAT: 0, unix.SYS_MMAP: 4, unix.SYS_ARCH_PRCTL: 2}, Magic: vdso.Magic,
	}
}
