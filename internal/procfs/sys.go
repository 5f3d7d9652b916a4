package procfs

import (
	"strconv"
	"strings"

	"dettrace/internal/detfs"
	"dettrace/internal/machine"
)

// Sys is the whole of /sys.
func Sys(m machine.Machine) []detfs.StaticFile {
	const cpu, node, thp = "devices/system/cpu/", "devices/system/node/", "kernel/mm/transparent_hugepage/"
	cpus := max(m.CPUs, 1)
	list := cpuList(cpus) + "\n"
	out := []detfs.StaticFile{
		dir("block"),
		dir("class/block"),
		link("class/net/lo", "../../devices/virtual/net/lo"),
		dir("class/tty"),
		dir("dev/block"),
		dir("dev/char"),
		file(cpu+"isolated", "\n"),
		file(cpu+"kernel_max", strconv.Itoa(cpus-1)+"\n"),
		file(cpu+"offline", "\n"),
		file(cpu+"online", list),
		file(cpu+"possible", list),
		file(cpu+"present", list),
		file(cpu+"smt/active", "0\n"),
		file(cpu+"smt/control", "notsupported\n"),
		file(node+"has_cpu", "0\n"),
		file(node+"has_memory", "0\n"),
		file(node+"has_normal_memory", "0\n"),
		file(node+"online", "0\n"),
		file(node+"possible", "0\n"),
		file(node+"node0/cpulist", list),
		file(node+"node0/cpumap", cpuMask(cpus)+"\n"),
		file(node+"node0/distance", "10\n"),
		file(node+"node0/meminfo", nodeMeminfo(m)),
		file(node+"node0/numastat", "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0\n"),
		file("devices/virtual/net/lo/addr_len", "6\n"),
		file("devices/virtual/net/lo/address", "00:00:00:00:00:00\n"),
		file("devices/virtual/net/lo/broadcast", "00:00:00:00:00:00\n"),
		file("devices/virtual/net/lo/carrier", "1\n"),
		file("devices/virtual/net/lo/flags", "0x9\n"),
		file("devices/virtual/net/lo/ifindex", "1\n"),
		file("devices/virtual/net/lo/iflink", "1\n"),
		file("devices/virtual/net/lo/mtu", "65536\n"),
		file("devices/virtual/net/lo/operstate", "unknown\n"),
		file("devices/virtual/net/lo/tx_queue_len", "1000\n"),
		file("devices/virtual/net/lo/type", "772\n"),
		file("devices/virtual/net/lo/uevent", "INTERFACE=lo\nIFINDEX=1\n"),
		dir("firmware"),
		dir("fs/cgroup"),
		file("kernel/cpu_byteorder", "little\n"),
		file("kernel/address_bits", "64\n"),
		file("kernel/fscaps", "1\n"),
		file(thp+"defrag", "always defer defer+madvise madvise [never]\n"),
		file(thp+"enabled", "always madvise [never]\n"),
		file(thp+"hpage_pmd_size", "2097152\n"),
		file(thp+"shmem_enabled", "always within_size advise [never] deny force\n"),
		file(thp+"use_zero_page", "0\n"),
		file("kernel/mm/ksm/run", "0\n"),
		dir("kernel/security"),
		file("kernel/uevent_seqnum", "0\n"),
		dir("module"),
		dir("power"),
	}
	for _, n := range []string{"rx_bytes", "rx_dropped", "rx_errors", "rx_packets", "tx_bytes", "tx_dropped", "tx_errors", "tx_packets"} {
		out = append(out, file("devices/virtual/net/lo/statistics/"+n, "0\n"))
	}
	for i := range cpus {
		out = append(out, sysCPU(cpu+"cpu"+strconv.Itoa(i)+"/", i, cpus)...)
		out = append(out, link(node+"node0/cpu"+strconv.Itoa(i), "../../cpu/cpu"+strconv.Itoa(i)))
	}
	return out
}

// sysCPU is one CPU: a core of its own in the only package.
func sysCPU(at string, i, cpus int) []detfs.StaticFile {
	n := strconv.Itoa(i) + "\n"
	all, allMask := cpuList(cpus)+"\n", cpuMask(cpus)+"\n"
	mask := bitmap(cpus, func(c int) bool { return c == i }) + "\n"
	t, c := at+"topology/", at+"cache/index0/"
	out := []detfs.StaticFile{
		file(c+"coherency_line_size", "64\n"),
		file(c+"level", "1\n"),
		file(c+"shared_cpu_list", n),
		file(c+"shared_cpu_map", mask),
		file(c+"size", "32K\n"),
		file(c+"type", "Data\n"),
		file(t+"core_cpus", mask),
		file(t+"core_cpus_list", n),
		file(t+"core_id", n),
		file(t+"core_siblings", allMask),
		file(t+"core_siblings_list", all),
		file(t+"die_cpus", allMask),
		file(t+"die_cpus_list", all),
		file(t+"die_id", "0\n"),
		file(t+"package_cpus", allMask),
		file(t+"package_cpus_list", all),
		file(t+"physical_package_id", "0\n"),
		file(t+"thread_siblings", mask),
		file(t+"thread_siblings_list", n),
	}
	if i > 0 { // the boot CPU cannot be switched off
		out = append(out, file(at+"online", "1\n"))
	}
	return out
}

func nodeMeminfo(m machine.Machine) string {
	var b strings.Builder
	for _, f := range memFields(m) {
		switch f.key {
		case "MemTotal", "MemFree":
			b.WriteString(memLine("Node 0 ", f.key, f.kB))
			if f.key == "MemFree" {
				b.WriteString(memLine("Node 0 ", "MemUsed", m.MemTotal>>10-f.kB))
			}
		case "Active", "Inactive", "Active(file)", "Inactive(file)", "AnonPages", "Mapped", "Shmem", "Slab":
			b.WriteString(memLine("Node 0 ", f.key, f.kB))
		}
	}
	return b.String()
}

// Etc are files laid over the guest's own tree.
func Etc(m machine.Machine) []detfs.StaticFile {
	etc := func(path, text string) detfs.StaticFile {
		return detfs.StaticFile{Path: path, Mode: 0o644, Content: []byte(text)}
	}
	return []detfs.StaticFile{
		etc("/etc/hostname", m.Hostname+"\n"),
		etc("/etc/hosts", "127.0.0.1\tlocalhost "+m.Hostname+"\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
		etc("/etc/machine-id", m.MachineID+"\n"),
		link("/etc/mtab", "../proc/self/mounts"),
		etc("/etc/resolv.conf", ""),
	}
}
