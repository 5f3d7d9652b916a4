package kernel

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/procfs"
)

// Volumes of the file system server besides the root's (detfs.Volume): Dev and
// Shm are to be asked for in detfs.Config.Dirs, proc and sys are the first two
// of its static trees.
const (
	VolumeDev  = 1
	VolumeShm  = 2
	volumeProc = detfs.StaticVolume
	volumeSys  = detfs.StaticVolume + 1
)

// Magic numbers of statfs(2).
const (
	magicFuse  = 0x65735546
	magicExt4  = 0xef53
	magicTmpfs = 0x01021994
	magicProc  = 0x9fa0
	magicSysfs = 0x62656572
)

// volumeDevice is the device that a file of ours seems to be on.
func volumeDevice(volume int) uint64 {
	switch volume {
	case VolumeDev:
		return procfs.DevDev
	case VolumeShm:
		return procfs.ShmDev
	case volumeProc:
		return procfs.ProcDev
	case volumeSys:
		return procfs.SysDev
	}
	return procfs.TreeDev
}

// volumeMagic is the type of file system that statfs(2) shows.
func volumeMagic(volume int) uint64 {
	switch volume {
	case VolumeDev, VolumeShm:
		return magicTmpfs
	case volumeProc:
		return magicProc
	case volumeSys:
		return magicSysfs
	}
	return magicExt4
}

// DeviceSerial is the serial (detfs.StaticFile) that the place of a device
// node in /dev must have: stat(2) shows the node with that inode number.
func DeviceSerial(major, minor uint32) uint32 { return major<<20 | minor }

// hostDevices are the device numbers of the file systems that the kernel
// mounts for itself, before any other and once for the whole host.
type hostDevices struct {
	pipe, socket, anon uint64
	ns                 uint64            // nsfs
	namespaces         map[uint64]uint64 // the guest's, by number on the host, as the guest sees them
}

// readNamespaces finds out the numbers of the guest's namespaces.
func (d *hostDevices) readNamespaces(pid int) error {
	d.namespaces = map[uint64]uint64{}
	for _, kind := range procfs.NamespaceKinds() {
		var st unix.Stat_t
		err := unix.Stat("/proc/"+strconv.Itoa(pid)+"/ns/"+kind, &st)
		if errors.Is(err, unix.ENOENT) {
			continue // a kernel without it
		}
		if err != nil {
			return fmt.Errorf("stat of a namespace: %w", err)
		}
		d.ns, d.namespaces[st.Ino] = st.Dev, procfs.NamespaceIno(kind)
	}
	return nil
}

func readHostDevices() (d hostDevices, err error) {
	var pipe, pair [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return d, fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return d, fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return d, fmt.Errorf("eventfd: %w", err)
	}
	defer unix.Close(event)
	for _, x := range []struct {
		fd  int
		dev *uint64
	}{{pipe[0], &d.pipe}, {pair[0], &d.socket}, {event, &d.anon}} {
		var st unix.Stat_t
		if err := unix.Fstat(x.fd, &st); err != nil {
			return d, fmt.Errorf("stat of a descriptor: %w", err)
		}
		*x.dev = st.Dev
	}
	return d, nil
}

// virtualIno maps the kernel's device and inode number to those that stat(2)
// shows, for files of which no more is known.
func (k *Kernel) virtualIno(dev, ino uint64) (uint64, uint64) {
	s := stat{dev: dev, ino: ino, mode: unix.S_IFREG}
	switch dev {
	case k.devices.pipe:
		s.mode = unix.S_IFIFO
	case k.devices.socket:
		s.mode = unix.S_IFSOCK
	case k.devices.anon:
		s.mode = 0
	}
	k.normalise(&s)
	return s.dev, s.ino
}
