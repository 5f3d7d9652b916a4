package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hostDevices are the device numbers of the file systems that the kernel
// mounts for itself, before any other and once for the whole host.
type hostDevices struct{ pipe, socket, anon uint64 }

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
