package syscalls

import (
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	noteNewer    = "Newer than the kernel that the guest is shown (uname(2)), so not on every host: ENOSYS on all (eliminated)."
	noteLandlock = "Which version the host has would show: as by a kernel without CONFIG_SECURITY_LANDLOCK (eliminated)."
	noteLSM      = "Names and state of the host's security modules: as by a kernel older than 6.8 (eliminated)."
	noteProbe    = "Only for the kernel's own trampolines of uprobes; a call by hand is an error on every kernel."
	noteGone     = "Linux has the number but no longer, or never had, the call: the kernel answers ENOSYS too."
	noteNoNumber = "No call of x86-64 has this number: the kernel answers ENOSYS too; here it is reported as well."
)

// rowsModern are recent calls of no other family.
func rowsModern() []Row {
	return []Row{
		refuse(444, "landlock_create_ruleset", unix.ENOSYS, noteLandlock),
		refuse(445, "landlock_add_rule", unix.ENOSYS, noteLandlock),
		refuse(446, "landlock_restrict_self", unix.ENOSYS, noteLandlock),
		refuse(459, "lsm_get_self_attr", unix.ENOSYS, noteLSM),
		refuse(460, "lsm_set_self_attr", unix.ENOSYS, noteLSM),
		refuse(461, "lsm_list_modules", unix.ENOSYS, noteLSM),
		refuse(335, "uretprobe", unix.ENOSYS, noteProbe),
		refuse(336, "uprobe", unix.ENOSYS, noteProbe),
	}
}

// rowsObsolete are the numbers whose call is gone.
func rowsObsolete() []Row {
	rows := []Row{
		refuse(205, "set_thread_area", unix.ENOSYS, "Segments for 32-bit code, which is refused as a whole."),
		refuse(211, "get_thread_area", unix.ENOSYS, "As set_thread_area(2)."),
	}
	for _, o := range []struct {
		nr   int
		name string
	}{
		{134, "uselib"}, {156, "_sysctl"}, {174, "create_module"}, {177, "get_kernel_syms"}, {178, "query_module"},
		{180, "nfsservctl"}, {181, "getpmsg"}, {182, "putpmsg"}, {183, "afs_syscall"}, {184, "tuxcall"}, {185, "security"},
		{212, "lookup_dcookie"}, {214, "epoll_ctl_old"}, {215, "epoll_wait_old"}, {236, "vserver"},
	} {
		rows = append(rows, refuse(o.nr, o.name, unix.ENOSYS, noteGone))
	}
	return rows
}

// rowsUnassigned are the numbers between the old calls and 424, where all
// architectures began to share their numbers.
func rowsUnassigned() []Row {
	var rows []Row
	for nr := unix.SYS_UPROBE + 1; nr < unix.SYS_PIDFD_SEND_SIGNAL; nr++ {
		rows = append(rows, refuse(nr, unassignedName(nr), unix.ENOSYS, noteNoNumber))
	}
	return rows
}

func unassignedName(nr int) string { return "unassigned_" + strconv.Itoa(nr) }
