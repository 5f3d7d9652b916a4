package procfs

// rootRules are the files of the root of procfs that stay the kernel's,
// because they change during a run.
func rootRules() []namedRule {
	return []namedRule{
		{"uptime", func(n *Normaliser, _ where, _ []byte, f Facts) ([]byte, bool) {
			return Uptime(f.Now, n.m), true
		}},
		{"sys/kernel/random/uuid", randomUUID},
	}
}

// processRules are the files of a process or thread. What is not here
// (pagemap, attr/*, seccomp_cache, patch_state, map_files, ...) is refused.
func processRules() []namedRule {
	return []namedRule{
		{"arch_status", constant("")},
		{"autogroup", constant("/autogroup-1 nice 0\n")},
		{"auxv", auxv},
		{"cgroup", constant("0::/\n")},
		{"clear_refs", constant("")},
		{"cmdline", native},
		{"comm", comm},
		{"coredump_filter", constant("00000033\n")},
		{"cpuset", constant("/\n")},
		{"cpu_resctrl_groups", constant("res:\nmon:\n")},
		{"environ", native},
		{"gid_map", constant(idMap)},
		{"io", constant("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n")},
		{"ksm_merging_pages", constant("0\n")},
		{"ksm_stat", constant("ksm_rmap_items 0\nksm_zero_pages 0\nksm_merging_pages 0\nksm_process_profit 0\nksm_merge_any: no\nksm_mergeable: no\n")},
		{"limits", native},
		{"loginuid", constant("4294967295")},
		{"maps", maps},
		{"mem", native},
		{"mountinfo", func(n *Normaliser, _ where, _ []byte, _ Facts) ([]byte, bool) { return mountinfo(), true }},
		{"mounts", func(n *Normaliser, _ where, _ []byte, _ Facts) ([]byte, bool) { return mountTable(), true }},
		{"mountstats", func(n *Normaliser, _ where, _ []byte, _ Facts) ([]byte, bool) { return mountstats(), true }},
		{"numa_maps", numaMaps},
		{"oom_adj", constant("0\n")},
		{"oom_score", constant("0\n")},
		{"oom_score_adj", constant("0\n")},
		{"personality", personality},
		{"projid_map", constant(idMap)},
		{"sched", sched},
		{"schedstat", constant("0 0 0\n")},
		{"sessionid", constant("4294967295")},
		{"setgroups", constant("allow\n")},
		{"smaps", smaps},
		{"smaps_rollup", smapsRollup},
		{"stack", constant("")},
		{"stat", stat},
		{"statm", statm},
		{"status", status},
		{"syscall", constant("running\n")},
		{"timens_offsets", constant("monotonic           0         0\nboottime            0         0\n")},
		{"timers", constant("")},
		{"timerslack_ns", constant("50000\n")},
		{"uid_map", constant(idMap)},
		{"wchan", constant("0")},
	}
}

// idMap is uid_map and its kin of a process in the initial user namespace,
// which is what the guest believes to be in.
const idMap = "         0          0 4294967295\n"
