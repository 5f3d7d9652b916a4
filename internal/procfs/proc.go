package procfs

import (
	"strconv"
	"strings"

	"dettrace/internal/detfs"
	"dettrace/internal/machine"
)

// ProcBind lists the names below /proc that are bound over the kernel's: the
// entries of Proc, files and directories. What is neither here nor of a
// process is the kernel's and is refused by the Normaliser.
func ProcBind() []string {
	return []string{
		"acpi", "asound", "buddyinfo", "bus", "cgroups", "cmdline", "config.gz", "consoles", "cpuinfo", "crypto",
		"devices", "diskstats", "dma", "driver", "dynamic_debug", "execdomains", "fb", "filesystems", "fs",
		"interrupts", "iomem", "ioports", "irq", "kallsyms", "kcore", "key-users", "keys", "kmsg",
		"kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "loadavg", "lockdep", "lockdep_stats", "locks",
		"mdstat", "meminfo", "misc", "modules", "mtrr", "pagetypeinfo", "partitions", "pressure", "profile",
		"sched_debug", "schedstat", "scsi", "slabinfo", "softirqs", "stat", "swaps", "sys", "sysrq-trigger",
		"timer_list", "tty", "version", "version_signature", "vmallocinfo", "vmcore", "vmstat", "xen",
		"zoneinfo",
	}
}

// ProcKeep lists files below a directory of ProcBind that change with each
// read: the kernel's own file is bound back over ours, so that reads reach the
// Normaliser.
func ProcKeep() []string { return []string{"sys/kernel/random/uuid"} }

// ProcTree is the tree that ProcBind binds over procfs. It has every name of
// ProcBind, also those that few kernels have; they are empty then.
func ProcTree(m machine.Machine) detfs.StaticTree {
	return detfs.StaticTree{Name: "proc", Files: procFiles(m), Lines: sysctls(m)}
}

// Proc is the same tree as files alone.
func Proc(m machine.Machine) []detfs.StaticFile { return append(procFiles(m), sysctlFiles(m)...) }

// procFiles are all but those below sys.
func procFiles(m machine.Machine) []detfs.StaticFile {
	out := []detfs.StaticFile{
		file("buddyinfo", "Node 0, zone   Normal      0      0      0      0      0      0      0      0      0      0 "+
			padLeft(strconv.FormatUint(m.MemTotal/m.PageSize>>10, 10), 6)+" \n"),
		file("bus/input/devices", ""),
		file("bus/input/handlers", ""),
		file("bus/pci/devices", ""),
		file("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"),
		file("cmdline", "\n"),
		file("consoles", ""),
		file("cpuinfo", cpuinfo(m)),
		file("crypto", ""),
		file("devices", charDevices),
		file("diskstats", ""),
		file("dma", " 4: cascade\n"),
		file("execdomains", "0-0\tLinux           \t[kernel]\n"),
		file("filesystems", fileSystems),
		file("interrupts", cpuHeader(m)),
		file("iomem", ""),
		file("ioports", ""),
		file("key-users", ""),
		file("keys", ""),
		file("loadavg", "0.00 0.00 0.00 1/1 2\n"),
		file("locks", ""),
		file("meminfo", meminfo(m)),
		file("misc", "183 hw_random\n"),
		file("modules", ""),
		file("pagetypeinfo", "Page block order: 9\nPages per block:  512\n"),
		file("partitions", "major minor  #blocks  name\n\n"),
		file("pressure/cpu", pressureSome+pressureFull),
		file("pressure/io", pressureSome+pressureFull),
		file("pressure/irq", pressureFull),
		file("pressure/memory", pressureSome+pressureFull),
		file("schedstat", "version 17\ntimestamp 0\n"),
		file("slabinfo", "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"),
		file("softirqs", softirqs(m)),
		file("stat", machineStat(m)),
		file("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
		file("tty/drivers", ttyDrivers),
		file("tty/ldiscs", "n_tty       0\n"),
		file("version", "Linux version "+m.Release+" (dettrace@dettrace) (gcc) "+m.Version+"\n"),
		file("vmstat", vmstat(m)),
		file("zoneinfo", zoneinfo(m)),
	}
	have := map[string]bool{}
	for _, f := range out {
		top, _, _ := strings.Cut(f.Path, "/")
		have[top] = true
	}
	for _, name := range ProcBind() {
		switch name {
		case "sys":
		case "acpi", "asound", "driver", "dynamic_debug", "fs", "irq", "scsi", "xen":
			out = append(out, dir(name))
		default:
			if !have[name] {
				f := file(name, "")
				f.Mode = 0o400
				out = append(out, f)
			}
		}
	}
	return out
}

const (
	pressureSome = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
	pressureFull = "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

	charDevices = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n128 ptm\n136 pts\n\nBlock devices:\n  8 sd\n259 blkext\n"

	fileSystems = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\nnodev\tsockfs\nnodev\tpipefs\nnodev\tramfs\nnodev\tdevpts\n\text4\nnodev\tmqueue\n"

	ttyDrivers = "/dev/tty             /dev/tty        5       0 system:/dev/tty\n" +
		"/dev/console         /dev/console    5       1 system:console\n" +
		"/dev/ptmx            /dev/ptmx       5       2 system\n" +
		"pty_slave            /dev/pts      136 0-1048575 pty:slave\n" +
		"pty_master           /dev/ptm      128 0-1048575 pty:master\n"
)
