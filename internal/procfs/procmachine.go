package procfs

import (
	"strconv"
	"strings"

	"dettrace/internal/cpu"
	"dettrace/internal/machine"
)

func cpuinfo(m machine.Machine) string {
	var b strings.Builder
	for i := range max(m.CPUs, 1) {
		n, cpus := strconv.Itoa(i), strconv.Itoa(max(m.CPUs, 1))
		for _, l := range []struct{ key, v string }{
			{"processor\t", n},
			{"vendor_id\t", m.CPU.Vendor},
			{"cpu family\t", number(m.CPU.Family)},
			{"model\t\t", number(m.CPU.Model)},
			{"model name\t", m.CPU.Brand},
			{"stepping\t", number(m.CPU.Stepping)},
			{"cpu MHz\t\t", "1000.000"},
			{"cache size\t", strconv.Itoa(m.CPU.CacheKB()) + " KB"},
			{"physical id\t", "0"},
			{"siblings\t", cpus},
			{"core id\t\t", n},
			{"cpu cores\t", cpus},
			{"apicid\t\t", n},
			{"initial apicid\t", n},
			{"fpu\t\t", "yes"},
			{"fpu_exception\t", "yes"},
			{"cpuid level\t", number(m.CPU.Level())},
			{"wp\t\t", "yes"},
			{"flags\t\t", m.CPU.Flags(m.CPUs)},
			{"bugs\t\t", ""},
			{"bogomips\t", "2000.00"},
			{"clflush size\t", "64"},
			{"cache_alignment\t", "64"},
			{"address sizes\t", number(cpu.PhysBits) + " bits physical, " + number(cpu.VirtBits) + " bits virtual"},
		} {
			b.WriteString(l.key + ": " + l.v + "\n")
		}
		b.WriteString("power management:\n\n")
	}
	return b.String()
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// memField is one line of meminfo: a share of the RAM, or zero.
type memField struct {
	key string
	kB  uint64
}

// memFields splits a machine that has used an eighth of its RAM. The figures
// never change: what the guest takes is accounted elsewhere.
func memFields(m machine.Machine) []memField {
	total := m.MemTotal >> 10
	free, cached := total/8*7, total/16
	return []memField{
		{"MemTotal", total}, {"MemFree", free}, {"MemAvailable", free + cached/2}, {"Buffers", 0}, {"Cached", cached},
		{"SwapCached", 0}, {"Active", cached}, {"Inactive", 0}, {"Active(anon)", 0}, {"Inactive(anon)", 0},
		{"Active(file)", cached}, {"Inactive(file)", 0}, {"Unevictable", 0}, {"Mlocked", 0},
		{"SwapTotal", 0}, {"SwapFree", 0}, {"Zswap", 0}, {"Zswapped", 0}, {"Dirty", 0}, {"Writeback", 0},
		{"AnonPages", 0}, {"Mapped", 0}, {"Shmem", 0}, {"KReclaimable", 0}, {"Slab", 0}, {"SReclaimable", 0},
		{"SUnreclaim", 0}, {"KernelStack", 0}, {"PageTables", 0}, {"SecPageTables", 0}, {"NFS_Unstable", 0},
		{"Bounce", 0}, {"WritebackTmp", 0}, {"CommitLimit", total / 2}, {"Committed_AS", 0},
		{"VmallocTotal", 34359738367}, {"VmallocUsed", 0}, {"VmallocChunk", 0}, {"Percpu", 0},
		{"AnonHugePages", 0}, {"ShmemHugePages", 0}, {"ShmemPmdMapped", 0}, {"FileHugePages", 0}, {"FilePmdMapped", 0},
	}
}

func meminfo(m machine.Machine) string {
	var b strings.Builder
	for _, f := range memFields(m) {
		b.WriteString(memLine("", f.key, f.kB))
	}
	b.WriteString("HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n")
	b.WriteString(memLine("", "Hugepagesize", 2048))
	b.WriteString(memLine("", "Hugetlb", 0))
	return b.String()
}

// memLine is a line of meminfo: values end in column 24.
func memLine(prefix, key string, kB uint64) string {
	v := strconv.FormatUint(kB, 10)
	return prefix + key + ":" + padLeft(v, max(23-len(key), len(v)+1)) + " kB\n"
}

// machineStat is proc_stat(5).
func machineStat(m machine.Machine) string {
	zeros := strings.Repeat(" 0", 10) + "\n"
	var b strings.Builder
	b.WriteString("cpu " + zeros)
	for i := range max(m.CPUs, 1) {
		b.WriteString("cpu" + strconv.Itoa(i) + zeros)
	}
	// seconds, rounded down also before 1970
	btime := m.BootTime / 1e9
	if m.BootTime%1e9 < 0 {
		btime--
	}
	b.WriteString("intr 0\nctxt 0\nbtime " + strconv.FormatInt(btime, 10) +
		"\nprocesses 2\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n")
	return b.String()
}

func cpuHeader(m machine.Machine) string {
	s := strings.Repeat(" ", 11)
	for i := range max(m.CPUs, 1) {
		s += "CPU" + strconv.Itoa(i) + "       "
	}
	return s + "\n"
}

func softirqs(m machine.Machine) string {
	s := "          " + cpuHeader(m)
	for _, name := range []string{"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"} {
		s += padLeft(name, 12) + ":" + strings.Repeat(padLeft("0", 11), max(m.CPUs, 1)) + "\n"
	}
	return s
}

// vmstat has the names of a current kernel; all counters but that of free pages are zero.
func vmstat(m machine.Machine) string {
	var b strings.Builder
	b.Grow(len(vmstatNames) * 3 / 2)
	for name := range strings.FieldsSeq(vmstatNames) {
		b.WriteString(name)
		if name == "nr_free_pages" {
			b.WriteString(" " + strconv.FormatUint(m.MemTotal/m.PageSize/8*7, 10) + "\n")
		} else {
			b.WriteString(" 0\n")
		}
	}
	return b.String()
}

func zoneinfo(m machine.Machine) string {
	pages := m.MemTotal / m.PageSize
	p := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return "Node 0, zone   Normal\n  pages free     " + p(pages/8*7) +
		"\n        boost    0\n        min      16384\n        low      20480\n        high     24576" +
		"\n        spanned  " + p(pages) + "\n        present  " + p(pages) + "\n        managed  " + p(pages) +
		"\n  node_unreclaimable:  0\n  start_pfn:           0\n"
}
