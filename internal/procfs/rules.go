package procfs

// rootRules are the files of the root of procfs that stay the kernel's,
// because they change during a run.
func rootRules() []namedRule {
	return []namedRule{
		{"uptime", own(func(n *Normaliser, _ where, _ []byte, f Facts) ([]byte, bool) {
			return Uptime(f.Now, n.m), true
		})},
		{"sys/kernel/random/uuid", own(randomUUID)},
		{"sysvipc/msg", asks(sysvipc)},
		{"sysvipc/sem", asks(sysvipc)},
		{"sysvipc/shm", asks(sysvipc)},
	}
}

// sysvipc is the rule of the System V objects, of which the kernel knows some.
func sysvipc(_ *Normaliser, _ where, _ []byte, f Facts) ([]byte, bool) { return f.IPC, true }

// processRules are the files of a process or thread. What is not here
// (pagemap, attr/*, seccomp_cache, patch_state, map_files, ...) is refused.
func processRules() []namedRule {
	return []namedRule{
		{"arch_status", constant("")},
		{"autogroup", own(tunable)},
		{"auxv", asks(auxv)},
		{"cgroup", constant("0::/\n")},
		{"clear_refs", constant("")},
		{"cmdline", asks(native)},
		{"comm", asks(comm)},
		{"coredump_filter", own(tunable)},
		{"cpuset", constant("/\n")},
		{"cpu_resctrl_groups", constant("res:\nmon:\n")},
		{"environ", asks(native)},
		{"gid_map", constant(idMap)},
		{"io", constant("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n")},
		{"ksm_merging_pages", constant("0\n")},
		{"ksm_stat", constant("ksm_rmap_items 0\nksm_zero_pages 0\nksm_merging_pages 0\nksm_process_profit 0\nksm_merge_any: no\nksm_mergeable: no\n")},
		{"limits", asks(limits)},
		{"loginuid", own(tunable)},
		{"maps", asks(maps)},
		{"mem", asks(native)},
		{"mountinfo", constant(string(mountinfo()))},
		{"mounts", constant(string(mountTable()))},
		{"mountstats", constant(string(mountstats()))},
		{"numa_maps", asks(numaMaps)},
		{"oom_adj", own(tunable)},
		{"oom_score", own(oomScore)},
		{"oom_score_adj", own(tunable)},
		{"personality", asks(personality)},
		{"projid_map", constant(idMap)},
		{"sched", asks(sched)},
		{"schedstat", constant("0 0 0\n")},
		{"sessionid", constant("4294967295")},
		{"setgroups", constant("allow\n")},
		{"smaps", asks(smaps)},
		{"smaps_rollup", asks(smapsRollup)},
		{"stack", constant("")},
		{"stat", asks(stat)},
		{"statm", asks(statm)},
		{"status", asks(status)},
		{"syscall", constant("running\n")},
		{"timens_offsets", constant("monotonic           0         0\nboottime            0         0\n")},
		{"timers", constant("")},
		{"timerslack_ns", own(tunable)},
		{"uid_map", constant(idMap)},
		{"wchan", constant("0")},
	}
}

// idMap is uid_map and its kin of a process in the initial user namespace,
// which is what the guest believes to be in.
const idMap = "         0          0 4294967295\n"
