package image

import (
	"golang.org/x/sys/unix"
)

// The host image holds the system's programs and their static data: what a
// distribution's packages install. Absent are
//
//   - top-level names that are not in the list of hostTop: homes, mounts,
//     temporary and kernel file systems, and whatever only this host has;
//   - what changes while a host just runs: in /var all directories but lib,
//     opt and local (links such as /var/run -> /run stay);
//   - what others than the owner cannot read, so that root and a plain user
//     see the same image: files without o+r, directories without o+rx;
//   - sockets, pipes and devices, lost+found, and mounts of kernel or FUSE
//     file systems.
//
// It still holds files that name the host: /etc/machine-id, /etc/hostname,
// /etc/hosts, /etc/resolv.conf, /etc/mtab, /etc/localtime, /etc/timezone,
// /etc/fstab, /etc/adjtime and /etc/ssh/*.pub. The run covers those it cares
// about with constant files.
//
// Hard links are not grouped (Nlink is 1): finding all names of a file would
// mean to walk the whole host.

// hostShows says whether n, found in directory d (open as fd), is in the image.
func hostShows(d *lnode, fd int, n *lnode) bool {
	mode := n.meta.Mode
	switch mode & unix.S_IFMT {
	case unix.S_IFLNK:
	case unix.S_IFREG:
		if mode&0o004 == 0 {
			return false
		}
	case unix.S_IFDIR:
		if mode&0o005 != 0o005 || n.name == "lost+found" {
			return false
		}
		if d.parent != nil && d.parent.parent == nil && d.name == "var" && !hostVar(n.name) {
			return false
		}
		if n.id.dev != d.id.dev && kernelMount(fd, n.name) {
			return false
		}
	default:
		return false
	}
	return d.parent != nil || hostTop(n.name)
}

// hostTop are the system directories of hier(7) that hold installed files.
func hostTop(name string) bool {
	switch name {
	case "bin", "etc", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr", "var":
		return true
	}
	return false
}

func hostVar(name string) bool {
	switch name {
	case "lib", "local", "opt":
		return true
	}
	return false
}

// kernelMount reports mounts that hold no files of their own. FUSE is among
// them: it may be ours, and a request to ourselves would never be answered.
// A mount that cannot be asked is left out as well.
func kernelMount(fd int, name string) bool {
	d, err := openat(fd, name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return true
	}
	defer unix.Close(d)
	var st unix.Statfs_t
	if unix.Fstatfs(d, &st) != nil {
		return true
	}
	switch st.Type {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC,
		unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
		unix.PSTOREFS_MAGIC, unix.BPF_FS_MAGIC, unix.NSFS_MAGIC, unix.BINFMTFS_MAGIC,
		unix.AUTOFS_SUPER_MAGIC, unix.EFIVARFS_MAGIC, unix.SELINUX_MAGIC, unix.SMACK_MAGIC,
		unix.HUGETLBFS_MAGIC, unix.FUSE_SUPER_MAGIC, unix.RDTGROUP_SUPER_MAGIC:
		return true
	}
	return false
}
