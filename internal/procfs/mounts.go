package procfs

import "strconv"

// mount is one line of the mount table that the guest sees. The true one
// shows a FUSE file system and a bind mount per file of ours; programs that
// look for the disk below a path (df, findmnt, libblkid) want an ordinary one.
type mount struct {
	id, parent int
	dev        string // as the supervisor shows it in st_dev
	source     string
	dir        string
	fstype     string
	opts       string // of the mount
	super      string // of the file system
}

func mounts() []mount {
	return []mount{
		{1, 0, "8:1", "/dev/sda1", "/", "ext4", "rw,relatime", "rw"},
		{2, 1, "0:20", "proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime", "rw"},
		{3, 1, "0:21", "sysfs", "/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime", "ro"},
		{4, 1, "0:5", "devtmpfs", "/dev", "devtmpfs", "rw,nosuid,relatime", "rw,mode=755"},
		{5, 4, "0:22", "devpts", "/dev/pts", "devpts", "rw,nosuid,noexec,relatime", "rw,gid=5,mode=620,ptmxmode=666"},
		{6, 4, "0:23", "tmpfs", "/dev/shm", "tmpfs", "rw,nosuid,nodev", "rw"},
		{7, 4, "0:19", "mqueue", "/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec,relatime", "rw"},
	}
}

// mountinfo is proc_pid_mountinfo(5).
func mountinfo() []byte {
	var out []byte
	for _, m := range mounts() {
		out = strconv.AppendInt(out, int64(m.id), 10)
		out = append(out, ' ')
		out = strconv.AppendInt(out, int64(m.parent), 10)
		out = append(out, " "+m.dev+" / "+m.dir+" "+m.opts+" - "+m.fstype+" "+m.source+" "+m.super+"\n"...)
	}
	return out
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
