package probes

func machineTable() []Probe {
	const s = "Machine"
	const untrapped = "the instruction cannot be trapped on this CPU; named in the report and in docs/guarantees"
	return []Probe{
		{Section: s, Line: "number of CPUs (affinity, sysconf, cpuinfo, stat, /sys, cgroup)", Name: "cpu_count", Varies: Perturbed},
		{Section: s, Line: "number of CPUs as tools show it", Name: "cpu_nproc", Cmd: "nproc; nproc --all; getconf _NPROCESSORS_ONLN; taskset -p $$ | sed 's/.*: //'", Varies: Perturbed},
		{Section: s, Line: "number of CPUs, Go", Name: "cpu_go", Cmd: "{go} runtime", Varies: Perturbed},
		{Section: s, Line: "current CPU and node (getcpu, rdtscp aux)", Name: "cpu_current", Varies: Perturbed},
		{Section: s, Line: "current CPU, vDSO", Name: "vdso_getcpu", Varies: Perturbed},
		{Section: s, Line: "rdpid, lsl of the CPU segment", Name: "cpu_current_untrapped", Varies: Perturbed, Gap: untrapped, GapIf: always},
		{Section: s, Line: "rseq, AT_RSEQ_*", Name: "cpu_rseq", Varies: Host},
		{Section: s, Line: "cpuid (APIC ids)", Name: "cpu_cpuid", Varies: Perturbed},
		{Section: s, Line: "AT_HWCAP*, AT_PLATFORM, AT_MINSIGSTKSZ", Name: "cpu_auxv", Varies: Host},
		{Section: s, Line: "xgetbv, xsave size and layout in signal frames", Name: "cpu_xsave", Varies: Answer, Why: "a property of the CPU model that cannot be hidden", Gap: untrapped, GapIf: always},
		{Section: s, Line: "lscpu", Name: "cpu_lscpu", Cmd: "lscpu", Needs: "lscpu", Varies: Host},
		{Section: s, Line: "mappings larger than the host's memory", Name: "mem_mapping", Varies: Host},
		{Section: s, Line: "memory size and free memory (sysinfo)", Name: "mem_sysinfo"},
		{Section: s, Line: "memory size and free memory (/proc/meminfo)", Name: "mem_meminfo"},
		{Section: s, Line: "memory, load as tools show them", Name: "mem_tools", Cmd: "free; uptime; vmstat", Needs: "free"},
		{Section: s, Line: "load", Name: "mem_load"},
		{Section: s, Line: "swap", Name: "mem_swap", Varies: Answer, Why: "this host has none"},
		{Section: s, Line: "disk size and free space (statfs, statvfs)", Name: "disk_statfs", Varies: Host},
		{Section: s, Line: "df", Name: "disk_df", Cmd: `df / /tmp | tee d; df -i /; awk 'NR>1 && $5+0 > 100 {bad=1} END {exit bad}' d`, Varies: Host},
		{Section: s, Line: "mincore, page-cache effects", Name: "mem_mincore", Varies: Answer, Why: "depends on what others left in the page cache"},
		{Section: s, Line: "NUMA policy", Name: "mem_numa", Varies: Answer, Why: "numastat counts where the kernel has it"},
		{Section: s, Line: "kernel version and set of syscalls", Name: "kernel_syscalls", Varies: Host},
		{Section: s, Line: "kernel settings under /proc/sys", Name: "kernel_settings", Varies: Host},
		{Section: s, Line: "RTC", Name: "hw_rtc", Varies: Answer, Why: "this host has none"},
		{Section: s, Line: "hardware under /sys", Name: "sys_tree", Varies: Host},
		{Section: s, Line: "devices", Name: "hw_devices", Varies: Host},
	}
}
