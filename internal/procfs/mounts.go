package procfs

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Device numbers that the guest sees, as st_dev has them (makedev(3) of a
// major number 0 is the minor). The kernel numbers file systems without a
// device in the order in which the host mounted them.
const (
	TreeDev   = 8<<8 | 1
	ProcDev   = 20
	SysDev    = 21
	DevDev    = 6
	PtsDev    = 22
	ShmDev    = 23
	MqueueDev = 19

	// These are mounted nowhere.
	PipeDev   = 13
	SocketDev = 8
	AnonDev   = 14
	MemDev    = 1
	NsDev     = 4
)

// mount is one line of the mount table that the guest sees. The true one
// shows a FUSE file system and a bind mount per file of ours; programs that
// look for the disk below a path (df, findmnt, libblkid) want an ordinary one.
type mount struct {
	id, parent int
	dev        uint64
	source     string
	dir        string
	fstype     string
	opts       string // of the mount
	super      string // of the file system
}

func mounts() []mount {
	return []mount{
		{1, 0, TreeDev, "/dev/sda1", "/", "ext4", "rw,relatime", "rw"},
		{2, 1, ProcDev, "proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime", "rw"},
		{3, 1, SysDev, "sysfs", "/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime", "ro"},
		{4, 1, DevDev, "devtmpfs", "/dev", "devtmpfs", "rw,nosuid,relatime", "rw,mode=755"},
		{5, 4, PtsDev, "devpts", "/dev/pts", "devpts", "rw,nosuid,noexec,relatime", "rw,gid=5,mode=620,ptmxmode=666"},
		{6, 4, ShmDev, "tmpfs", "/dev/shm", "tmpfs", "rw,nosuid,nodev", "rw"},
		{7, 4, MqueueDev, "mqueue", "/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec,relatime", "rw"},
	}
}

// MountID is the mount id of a file on the device dev, as statx(2) and fdinfo
// show it.
func MountID(dev uint64) int {
	table := mounts()
	for _, m := range table {
		if m.dev == dev {
			return m.id
		}
	}
	for i, d := range []uint64{PipeDev, SocketDev, AnonDev, MemDev, NsDev} {
		if d == dev {
			return len(table) + 1 + i
		}
	}
	return 0
}

// mountinfo is proc_pid_mountinfo(5).
func mountinfo() []byte {
	var out []byte
	for _, m := range mounts() {
		out = strconv.AppendInt(out, int64(m.id), 10)
		out = append(out, ' ')
		out = strconv.AppendInt(out, int64(m.parent), 10)
		out = append(out, " "+deviceText(m.dev)+" / "+m.dir+" "+m.opts+" - "+m.fstype+" "+m.source+" "+m.super+"\n"...)
	}
	return out
}

func deviceText(dev uint64) string {
	return strconv.Itoa(int(unix.Major(dev))) + ":" + strconv.Itoa(int(unix.Minor(dev)))
}

// mountTable is proc_pid_mounts(5): options of the mount, then those of the
// file system which are not the same word.
func mountTable() []byte {
	var out []byte
	for _, m := range mounts() {
		opts := m.opts
		if len(m.super) > 3 {
			opts += m.super[2:]
		}
		out = append(out, m.source+" "+m.dir+" "+m.fstype+" "+opts+" 0 0\n"...)
	}
	return out
}

// mountstats is proc_pid_mountstats(5).
func mountstats() []byte {
	var out []byte
	for _, m := range mounts() {
		out = append(out, "device "+m.source+" mounted on "+m.dir+" with fstype "+m.fstype+"\n"...)
	}
	return out
}
