package run

import (
	"fmt"
	"os"

	"dettrace/internal/detfs"
	"dettrace/internal/door"
	"dettrace/internal/fastpath"
	"dettrace/internal/kernel"
	"dettrace/internal/machine"
	"dettrace/internal/procfs"
	"dettrace/internal/sandbox"
	"dettrace/internal/seccomp"
	"dettrace/internal/syscalls"
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

// newRegion fills it for machine m and a clock that starts at epoch, in ns. With the door time it reads no clocks, and with machine it does not tell the size; singleID says that the guest has one user. stdio are our ends of the pipes to the guest's standard streams.
func newRegion(box *sandbox.Sandbox, m machine.Machine, epoch int64, open door.Set, varied, singleID bool, stdio ...*os.File) (*fastpath.Region, error) {
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
	total, free := m.MemTotal, m.MemFree()
	if open.Machine { // the supervisor notes that it is told
		total = 0
	}
	r, err := fastpath.New(box.Shared, fastpath.Facts{
		MemTotal: total, MemFree: free,
		HostTime: open.Time || varied, Random: open.ASLR, Signals: open.Signals, SingleID: singleID, FuseDev: box.FuseDev, TreeDev: procfs.TreeDev, ImageIno: image, VolumeIno: volumes, Stdio: pipes,
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
		// The flags of others would let a child escape (syscalls.cloneFilter).
		Only:   map[int]syscalls.Cond{unix.SYS_CLONE: {Mask: ^uint64(unix.CLONE_CHILD_SETTID | unix.CLONE_CHILD_CLEARTID), Value: uint64(unix.SIGCHLD)}},
		At:     map[int]seccomp.Range{unix.SYS_VFORK: {Lo: fastpath.Vforks, Hi: fastpath.Clocks}},
		Mapped: map[int]int{unix.SYS_OPENAT: 0, unix.SYS_MMAP: 4, unix.SYS_ARCH_PRCTL: 2}, Magic: vdso.Magic,
	}
}
