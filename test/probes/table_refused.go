package probes

import (
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string {
	k := make([]string, 0, len(m))
	for n := range m {
		k = append(k, n)
	}
	slices.Sort(k)
	return k
}

// refusedTable has one probe per call, so that one that gets through is
// named. Natively they are made with arguments that no kernel accepts; what
// natively differs is the errno or that they succeed.
func refusedTable() []Probe {
	const s = "Refused"
	var t []Probe
	// unshare and setns may come to be supported inside; ids then stay ours.
	for _, name := range strings.Fields("bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd add_key request_key keyctl kexec_load kexec_file_load " +
		"init_module finit_module delete_module acct swapon swapoff reboot quotactl quotactl_fd mount umount2 pivot_root fsopen fsmount fspick open_tree open_tree_attr move_mount mount_setattr " +
		"fanotify_init fanotify_mark ptrace process_vm_readv process_vm_writev kcmp name_to_handle_at open_by_handle_at syslog settimeofday clock_settime iopl ioperm modify_ldt rseq map_shadow_stack " +
		"memfd_secret cachestat statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules lookup_dcookie nfsservctl setns unshare") {
		t = append(t, Probe{Section: s, Line: name, Name: "no_" + name, Cmd: "{x} refused " + name, Refused: true, Varies: Answer, Why: "refused with a clean errno whatever the arguments"})
	}
	for _, name := range []string{"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "chroot"} {
		t = append(t, Probe{Section: s, Line: name, Name: "no_" + name, Cmd: "{x} refused " + name, Varies: Answer, Why: "refused or supported"})
	}
	for _, n := range []string{"500", "1000", "-1"} {
		t = append(t, Probe{Section: s, Line: "unknown syscall " + n, Name: "no_unknown" + n, Cmd: "{x} refused 'unknown " + n + "' | tee o; grep -q ENOSYS o", Refused: true, Varies: Answer, Why: "ENOSYS and a line in the report"})
	}
	t = append(t,
		Probe{Section: s, Line: "ptrace of others", Name: "refused_ptrace", Varies: Answer, Why: "refused until supported"},
		Probe{Section: s, Line: "32-bit syscalls (int 0x80)", Name: "refused_int80", Cmd: `{x} refused_int80 | tee o; ! grep -q "the pid" o`, Native: "{x} refused_int80", Varies: Answer, Why: "natively they work where the kernel has them"},
		Probe{Section: s, Line: "x32 syscalls", Name: "refused_x32", Cmd: `{x} refused_x32 | tee o; ! grep -q "the pid" o`, Native: "{x} refused_x32", Varies: Answer, Why: "natively they work where the kernel has them"},
	)
	return t
}
