package syscalls

import "golang.org/x/sys/unix"

const (
	noteOpen   = "Files are ours, the descriptor is the lowest free one. A FIFO parks the thread until its other end is opened (ordered); /proc, devices and magic links are told by the descriptor that results, not by the path (normalised)."
	noteStat   = "On our file system all but the device number is ours already; st_dev, and for pipes, sockets, anonymous inodes, memfds, ttys and /proc also inode numbers and times, are counters and clocks of the host: replaced by numbers in order of first sight and by the logical clock (normalised). With one mapped id the virtual owner is put in."
	noteStatfs = "Free space and inodes of the host, and the file system id: fixed values (normalised)."
	noteLink   = "Links in the image are data. /proc/*/fd/* names host counters such as pipe:[4711]: renumbered as fstat does (normalised)."
	noteDents  = "Our directories are sorted, with stable cookies, as a snapshot from the opening of the directory; /proc lists only the container's processes, and d_ino agrees with st_ino (normalised)."
	noteAccess = "The answer is a function of our file system; it stops only to count, since a loop on it can wait for another process."
)

// rowsOpen are the calls that look up a path and open it.
func rowsOpen() []Row {
	return []Row{
		schedule(2, "open", noteOpen),
		schedule(85, "creat", noteOpen),
		schedule(257, "openat", noteOpen),
		schedule(437, "openat2", noteOpen+" RESOLVE_CACHED would tell what the dentry cache holds: ignored."),
		refuse(303, "name_to_handle_at", unix.EOPNOTSUPP, "Handles hold numbers of the host's file system; ours has none, which is what this errno says."),
		refuse(304, "open_by_handle_at", unix.EPERM, "Opens by a number, past every path of the container: needs CAP_DAC_READ_SEARCH on the host."),
		native(79, "getcwd", "The path inside the container."),
		native(80, "chdir", "A lookup on our file system."),
		native(81, "fchdir", "As chdir(2)."),
		native(161, "chroot", "Confined to our tree; what is reachable below is deterministic too."),
		native(95, "umask", "The process's own; starts at 022 whatever the caller's."),
	}
}

// rowsStat are the calls that read metadata.
func rowsStat() []Row {
	return []Row{
		adjust(4, "stat", noteStat),
		adjust(5, "fstat", noteStat),
		adjust(6, "lstat", noteStat),
		adjust(262, "newfstatat", noteStat),
		adjust(332, "statx", noteStat+" stx_mnt_id, stx_attributes and the direct-I/O fields are fixed too."),
		adjust(137, "statfs", noteStatfs),
		adjust(138, "fstatfs", noteStatfs),
		refuse(136, "ustat", unix.ENOSYS, "Free blocks of a device of the host; obsolete."),
		adjust(89, "readlink", noteLink),
		adjust(267, "readlinkat", noteLink),
		adjust(78, "getdents", noteDents),
		adjust(217, "getdents64", noteDents),
		counted(21, "access", noteAccess),
		counted(269, "faccessat", noteAccess),
		counted(439, "faccessat2", noteAccess),
		refuse(451, "cachestat", unix.ENOSYS, "Counts the pages that happen to be in the host's page cache (eliminated)."),
		refuse(468, "file_getattr", unix.ENOSYS, noteNewer),
		refuse(469, "file_setattr", unix.ENOSYS, noteNewer),
	}
}

const (
	noteDir   = "Inode numbers come from a counter of ours, times of file and directory from the logical clock, which this call moves."
	noteUtime = "Explicit times are kept; the current time is the logical clock's, in full nanoseconds."
	noteChown = "Any owner can be set and is kept by our file system, also where the host maps only one id (then the kernel is given the mapped one)."
	noteNode  = "FIFOs, sockets and regular files as mkdir(2); device nodes get EPERM, as in every user namespace."
)

// rowsChange are the calls that change names and metadata. Each ticks the
// clock, so that two changes never carry the same time.
func rowsChange() []Row {
	return []Row{
		counted(76, "truncate", noteDir),
		counted(77, "ftruncate", noteDir),
		counted(82, "rename", noteDir),
		counted(264, "renameat", noteDir),
		counted(316, "renameat2", noteDir+" NOREPLACE, EXCHANGE and WHITEOUT are ours, whatever the host's file system can do."),
		counted(83, "mkdir", noteDir),
		counted(258, "mkdirat", noteDir),
		counted(84, "rmdir", noteDir),
		counted(86, "link", noteDir),
		counted(265, "linkat", noteDir),
		counted(87, "unlink", noteDir+" A freed inode number is not used again."),
		counted(263, "unlinkat", noteDir+" A freed inode number is not used again."),
		counted(88, "symlink", noteDir),
		counted(266, "symlinkat", noteDir),
		counted(133, "mknod", noteNode),
		counted(259, "mknodat", noteNode),
		counted(90, "chmod", noteDir),
		counted(91, "fchmod", noteDir),
		counted(268, "fchmodat", noteDir),
		counted(452, "fchmodat2", noteDir+" Needs Linux 6.6 on the host; assumed."),
		adjust(92, "chown", noteChown),
		adjust(93, "fchown", noteChown),
		adjust(94, "lchown", noteChown),
		adjust(260, "fchownat", noteChown),
		counted(132, "utime", noteUtime),
		counted(235, "utimes", noteUtime),
		counted(261, "futimesat", noteUtime),
		counted(280, "utimensat", noteUtime),
	}
}

const (
	noteXget = "Attributes are our file system's, listed sorted. Assumed stable: on a host with SELinux or Smack the kernel itself answers for security.* labels."
	noteXask = " No event: the supervisor answers for files of our tree, as the kernel would otherwise ask for security.capability at each chown(2) and first write(2)."
	noteXset = "Kept by our file system, whether or not the host's has extended attributes; ctime is the logical clock."
)

// rowsXattr are the extended attributes.
func rowsXattr() []Row {
	return []Row{
		counted(188, "setxattr", noteXset),
		counted(189, "lsetxattr", noteXset),
		counted(190, "fsetxattr", noteXset),
		adjust(191, "getxattr", noteXget+noteXask).only(Filter{Default: Look}, false),
		adjust(192, "lgetxattr", noteXget+noteXask).only(Filter{Default: Look}, false),
		adjust(193, "fgetxattr", noteXget+noteXask).only(Filter{Default: Look}, false),
		native(194, "listxattr", noteXget),
		native(195, "llistxattr", noteXget),
		native(196, "flistxattr", noteXget),
		counted(197, "removexattr", noteXset),
		counted(198, "lremovexattr", noteXset),
		counted(199, "fremovexattr", noteXset),
		refuse(463, "setxattrat", unix.ENOSYS, noteNewer),
		refuse(464, "getxattrat", unix.ENOSYS, noteNewer),
		refuse(465, "listxattrat", unix.ENOSYS, noteNewer),
		refuse(466, "removexattrat", unix.ENOSYS, noteNewer),
	}
}
