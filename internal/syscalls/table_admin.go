package syscalls

import "golang.org/x/sys/unix"

const (
	noteMount = "The mounts of a run are fixed: as without CAP_SYS_ADMIN."
	noteMntID = "Numbers and options of the host's mounts; not on every kernel, so the same answer on all (eliminated)."
	noteMod   = "Would change the host's kernel: as without CAP_SYS_MODULE."
	noteKexec = "Would replace the host's kernel: as without CAP_SYS_BOOT."
	noteSwap  = "Would change the host's memory: as without CAP_SYS_ADMIN."
	notePort  = "Hardware ports and interrupts of the host: as without CAP_SYS_RAWIO."
	noteQuota = "Disk quotas of the host's file systems: as by a kernel without CONFIG_QUOTA."
	noteKeys  = "Key serial numbers are random and session keyrings the caller's: as by a kernel without CONFIG_KEYS (eliminated)."
	noteFan   = "Events of whole host mounts, with the power to block others: as by a kernel without CONFIG_FANOTIFY."
)

// rowsMount are the mount calls.
func rowsMount() []Row {
	return []Row{
		refuse(165, "mount", unix.EPERM, noteMount),
		refuse(166, "umount2", unix.EPERM, noteMount),
		refuse(155, "pivot_root", unix.EPERM, noteMount),
		refuse(428, "open_tree", unix.EPERM, noteMount),
		refuse(429, "move_mount", unix.EPERM, noteMount),
		refuse(430, "fsopen", unix.EPERM, noteMount),
		refuse(431, "fsconfig", unix.EPERM, noteMount),
		refuse(432, "fsmount", unix.EPERM, noteMount),
		refuse(433, "fspick", unix.EPERM, noteMount),
		refuse(442, "mount_setattr", unix.EPERM, noteMount),
		refuse(457, "statmount", unix.ENOSYS, noteMntID),
		refuse(458, "listmount", unix.ENOSYS, noteMntID),
		refuse(467, "open_tree_attr", unix.ENOSYS, noteNewer),
		refuse(470, "listns", unix.ENOSYS, noteNewer),
	}
}

// rowsAdmin are the calls that rule the host: nothing a build needs.
func rowsAdmin() []Row {
	return []Row{
		refuse(153, "vhangup", unix.EPERM, "Hangs up the terminal: as without CAP_SYS_TTY_CONFIG."),
		refuse(154, "modify_ldt", unix.ENOSYS, "Makes segments for 16-bit and 32-bit code, which no filter of ours covers: as by a kernel without CONFIG_MODIFY_LDT_SYSCALL."),
		refuse(163, "acct", unix.EPERM, "Accounting of the host's processes: as without CAP_SYS_PACCT."),
		refuse(167, "swapon", unix.EPERM, noteSwap),
		refuse(168, "swapoff", unix.EPERM, noteSwap),
		refuse(169, "reboot", unix.EPERM, "As without CAP_SYS_BOOT."),
		refuse(172, "iopl", unix.EPERM, notePort),
		refuse(173, "ioperm", unix.EPERM, notePort),
		refuse(175, "init_module", unix.EPERM, noteMod),
		refuse(176, "delete_module", unix.EPERM, noteMod),
		refuse(313, "finit_module", unix.EPERM, noteMod),
		refuse(246, "kexec_load", unix.EPERM, noteKexec),
		refuse(320, "kexec_file_load", unix.EPERM, noteKexec),
		refuse(179, "quotactl", unix.ENOSYS, noteQuota),
		refuse(443, "quotactl_fd", unix.ENOSYS, noteQuota),
		refuse(248, "add_key", unix.ENOSYS, noteKeys),
		refuse(249, "request_key", unix.ENOSYS, noteKeys),
		refuse(250, "keyctl", unix.ENOSYS, noteKeys),
		refuse(298, "perf_event_open", unix.ENOSYS, "Counts what the host's CPUs and kernel do: as by a kernel without CONFIG_PERF_EVENTS."),
		refuse(300, "fanotify_init", unix.ENOSYS, noteFan),
		refuse(301, "fanotify_mark", unix.ENOSYS, noteFan),
		refuse(321, "bpf", unix.EPERM, "Programs in the host's kernel: as with kernel.unprivileged_bpf_disabled."),
	}
}
