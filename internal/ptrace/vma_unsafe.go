package ptrace

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// VMA is one mapping of a file, as proc_pid_maps(5) describes it.
type VMA struct {
	Start, End, Offset uint64
	Dev, Ino           uint64
	Name               string // only from NamedVMA
}

// procmapQuery is struct procmap_query (linux/fs.h, since 6.11).
type procmapQuery struct {
	size, flags, addr, start, end, vmaFlags, pageSize, offset, inode uint64
	major, minor, nameSize, buildIDSize                              uint32
	nameAddr, buildIDAddr                                            uint64
}

// FindVMA finds the mapping that addr of process pid lies in.
func FindVMA(pid int, addr uint64) (VMA, error) {
	const procmapQueryCall = 0xc0686611 // _IOWR('f', 17, struct procmap_query)
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/maps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return VMA{}, fmt.Errorf("maps of %d: %w", pid, err)
	}
	q := procmapQuery{size: uint64(unsafe.Sizeof(procmapQuery{})), addr: addr}
	_, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), procmapQueryCall, uintptr(unsafe.Pointer(&q)))
	unix.Close(fd)
	switch e {
	case 0:
		return VMA{Start: q.start, End: q.end, Offset: q.offset, Dev: unix.Mkdev(q.major, q.minor), Ino: q.inode}, nil
	case unix.ENOTTY:
		return NamedVMA(pid, addr)
	}
	return VMA{}, fmt.Errorf("maps of %d: %w", pid, e)
}

// NamedVMA is FindVMA by way of the text, with the file's name.
func NamedVMA(pid int, addr uint64) (VMA, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return VMA{}, err
	}
	for line := range strings.Lines(string(b)) {
		var v VMA
		var major, minor uint32
		var perms string
		n, _ := fmt.Sscanf(line, "%x-%x %s %x %x:%x %d", &v.Start, &v.End, &perms, &v.Offset, &major, &minor, &v.Ino)
		if n != 7 || addr < v.Start || addr >= v.End {
			continue
		}
		v.Dev = unix.Mkdev(major, minor)
		if _, name, ok := strings.Cut(line, " /"); ok {
			v.Name = "/" + strings.TrimSuffix(name, "\n")
		}
		return v, nil
	}
	return VMA{}, fmt.Errorf("maps of %d: nothing at %#x: %w", pid, addr, unix.ENOENT)
}
