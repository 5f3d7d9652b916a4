package probes

import "strings"

func procTable() []Probe {
	const s = "/proc and /sys"
	var t []Probe
	add := func(line, name string, v Varies, files ...string) {
		t = append(t, Probe{Section: s, Line: line, Name: name, Varies: v, Why: "counters of the host", Cmd: "{x} procfs " + strings.Join(files, " ")})
	}
	// One probe per file, so that a leak names its file.
	static := strings.Fields("buddyinfo cgroups consoles cpuinfo crypto devices diskstats dma execdomains fb filesystems interrupts iomem ioports key-users keys kcore kallsyms kpagecount " +
		"locks misc modules mtrr pagetypeinfo partitions schedstat slabinfo softirqs swaps timer_list vmallocinfo vmstat zoneinfo cmdline bootconfig config.gz dynamic_debug/control " +
		"fs/ext4 fs/jbd2 bus/pci/devices bus/input/devices asound driver/rtc scsi/scsi sysvipc/shm sysvipc/sem sysvipc/msg tty/drivers tty/ldiscs irq/default_smp_affinity sysrq-trigger kmsg_absent")
	constant := map[string]bool{"cpuinfo": true, "filesystems": true, "devices": true, "modules": true, "cmdline": true, "cgroups": true}
	for _, f := range static {
		path := "/proc/" + f
		if f == "kcore" || f == "kpagecount" || f == "kmsg_absent" || f == "sysrq-trigger" || f == "kallsyms" {
			// Endless or without a readable end: only whether it is there.
			t = append(t, Probe{Section: s, Line: path, Name: "pf_" + strings.NewReplacer("/", "_", "-", "_", ".", "_").Replace(f), Varies: Answer,
				Why: "must not be readable", Cmd: "head -c 64 " + path + " > o 2> /dev/null && test -s o && ! grep -q '^0* ' o && echo readable; ls -l " + path + " 2> /dev/null | wc -l; true"})
			continue
		}
		if constant[f] {
			path = "=" + path
		}
		t = append(t, Probe{Section: s, Line: "/proc/" + f, Name: "pf_" + strings.NewReplacer("/", "_", "-", "_", ".", "_").Replace(f), Varies: Answer,
			Why: "differs between hosts and kernels, or with load", Cmd: "{x} procfs " + path})
	}
	add("/proc/aio-nr and other counters of fs", "pf_fs", Answer, "/proc/sys/fs/aio-nr", "/proc/sys/fs/dentry-state", "/proc/sys/fs/file-nr", "/proc/sys/fs/file-max", "/proc/sys/fs/inode-nr", "/proc/sys/fs/inode-state")
	add("/proc/arch_status", "pf_arch_status", Runs, "/proc/self/arch_status")
	add("/proc/loadavg", "pf_loadavg", Runs, "/proc/loadavg")
	add("/proc/meminfo", "pf_meminfo", Runs, "/proc/meminfo")
	add("/proc/mounts, mountinfo, mountstats", "pf_mounts", Host, "/proc/mounts", "/proc/self/mountinfo", "/proc/self/mountstats")
	add("/proc/net/*", "pf_net", Host, "/proc/net/dev", "/proc/net/route", "/proc/net/arp", "/proc/net/unix", "/proc/net/tcp", "/proc/net/udp", "/proc/net/tcp6", "/proc/net/if_inet6", "/proc/net/snmp", "/proc/net/netstat",
		"/proc/net/sockstat", "/proc/net/softnet_stat", "/proc/net/protocols", "/proc/net/packet", "/proc/net/netlink", "/proc/net/dev_mcast", "/proc/net/fib_trie", "/proc/net/ptype", "/proc/net/raw", "/proc/net/igmp")
	add("/proc/pressure/*", "pf_pressure", Answer, "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory", "/proc/pressure/irq")
	add("/proc/stat", "pf_stat", Runs, "/proc/stat")
	add("/proc/uptime", "pf_uptime", Runs, "/proc/uptime")
	add("/proc/version", "pf_version", Host, "=/proc/version")
	add("/proc/sys/kernel", "pf_sys_kernel", Host, "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/cap_last_cap", "/proc/sys/kernel/osrelease",
		"/proc/sys/kernel/tainted", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/shmmax", "/proc/sys/kernel/sem", "/proc/sys/kernel/pty/nr", "/proc/sys/kernel/pty/max", "/proc/sys/kernel/keys/maxkeys", "/proc/sys/kernel/ngroups_max",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/max_map_count", "/proc/sys/vm/min_free_kbytes", "/proc/sys/net/core/somaxconn", "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/fs/pipe-max-size", "/proc/sys/fs/nr_open", "/proc/sys/fs/inotify/max_user_watches")
	t = append(t,
		Probe{Section: s, Line: "self and thread-self", Name: "pf_self", Cmd: "readlink /proc/self /proc/thread-self /proc/mounts /proc/net; ls -ld /proc/self /proc/1"},
		Probe{Section: s, Line: "names in /proc", Name: "pf_names", Cmd: "{x} procfs_list /proc"},
		Probe{Section: s, Line: "names in /proc/self", Name: "pf_names_self", Cmd: "{x} procfs_list /proc/self /proc/self/task /proc/self/net /proc/self/ns /proc/self/attr /proc/self/map_files", Varies: Runs},
		Probe{Section: s, Line: "processes in /proc", Name: "procfs_processes"},
		Probe{Section: s, Line: "per-process files through every path", Name: "procfs_doors"},
		Probe{Section: s, Line: "mode and times of /proc itself", Name: "pf_modes", Cmd: "ls -l --time-style=full-iso /proc /proc/self /proc/sys /proc/sys/kernel",
			Native: "ls -l --time-style=full-iso /proc /proc/self /proc/sys /proc/sys/kernel 2> /dev/null || :", Varies: Runs}, // others may end meanwhile
	)
	perProcess := map[string]Varies{
		"auxv": Runs, "cgroup": Answer, "cmdline": Answer, "io": Answer, "limits": Perturbed, "maps": Runs, "mountinfo": Host, "mounts": Host, "numa_maps": Runs, "sched": Runs,
		"schedstat": Runs, "smaps": Runs, "smaps_rollup": Runs, "stat": Runs, "statm": Runs, "status": Runs, "syscall": Runs, "wchan": Answer, "environ": Perturbed, "comm": Answer,
		"oom_score": Perturbed, "pagemap_absent": Answer, "stack": Answer, "timers": Answer, "timens_offsets": Answer, "personality": Answer, "loginuid": Answer, "sessionid": Answer,
		"cpuset": Answer, "patch_state": Answer, "ksm_stat": Answer, "latency": Answer, "attr/current": Answer, "clear_refs": Answer, "uid_map": Answer, "gid_map": Answer,
	}
	for _, f := range sortedKeys(perProcess) {
		t = append(t, Probe{Section: s, Line: "per process: " + f, Name: "pp_" + strings.ReplaceAll(f, "/", "_"), Varies: perProcess[f],
			Why: "differs between hosts and kernels", Cmd: "{x} procfs /proc/self/" + f + " /proc/thread-self/" + f + " /proc/1/" + f})
	}
	t = append(t,
		Probe{Section: s, Line: "per process: fd links", Name: "pp_fd", Cmd: "true | ls -l --time-style=+ /proc/self/fd | cat; true | readlink /proc/self/fd/0"},
		Probe{Section: s, Line: "per process: fdinfo", Name: "pp_fdinfo", Cmd: "true | cat /proc/self/fdinfo/0 /proc/self/fdinfo/1; sleep 0; true | cat /proc/self/fdinfo/0", Varies: Host},
		Probe{Section: s, Line: "per process: ns links", Name: "pp_ns", Cmd: "ls -l --time-style=+ /proc/self/ns; readlink /proc/self/ns/*; stat -L -c '%i %d' /proc/self/ns/pid", Varies: Host},
	)
	sys := map[string]string{
		"block": "/sys/block", "bus": "/sys/bus", "cpufreq": "/sys/devices/system/cpu/cpu0/cpufreq", "cpuidle": "/sys/devices/system/cpu/cpuidle /sys/devices/system/cpu/cpu0/cpuidle",
		"devices": "/sys/devices", "fs": "/sys/fs", "kernel": "/sys/kernel", "kernel/mm": "/sys/kernel/mm", "kernel/irq": "/sys/kernel/irq", "THP": "/sys/kernel/mm/transparent_hugepage",
		"node": "/sys/devices/system/node", "RTC": "/sys/class/rtc", "class": "/sys/class", "net": "/sys/class/net", "firmware": "/sys/firmware", "module": "/sys/module",
		"cpu topology": "/sys/devices/system/cpu/cpu0/topology /sys/devices/system/cpu/cpu0/cache",
	}
	for _, k := range sortedKeys(sys) {
		t = append(t, Probe{Section: s, Line: "/sys: " + k, Name: "sys_" + strings.NewReplacer("/", "_", " ", "_").Replace(k), Varies: Answer,
			Why: "a property of the host", Cmd: "{x} procfs_list " + sys[k]})
	}
	t = append(t,
		Probe{Section: s, Line: "/sys: uevent_seqnum, THP, vmstat of a node", Name: "sys_files", Varies: Answer, Why: "counters of the host",
			Cmd: "{x} procfs /sys/kernel/uevent_seqnum /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/mm/transparent_hugepage/hpage_pmd_size /sys/devices/system/node/node0/vmstat /sys/devices/system/node/node0/meminfo /sys/class/net/lo/address /sys/devices/system/cpu/online"},
		Probe{Section: s, Line: "readdir order of /proc and /sys", Name: "sys_order", Cmd: "ls -U /proc; ls -U /sys /sys/devices 2>&1 | head -50", Varies: Runs},
	)
	return t
}
