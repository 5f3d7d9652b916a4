package procfs

import (
	_ "embed"
	"strconv"
	"strings"

	"dettrace/internal/detfs"
	"dettrace/internal/machine"
)

// The clock of a run is read in ns since 1970; files count from the boot.

// Uptime is /proc/uptime at now (ns since 1970): seconds since boot, and the
// idle time summed over all CPUs, of which there is none.
func Uptime(now int64, m machine.Machine) []byte {
	t := max(now-m.BootTime, 0) / 10_000_000
	cs := strconv.FormatInt(t%100, 10)
	if len(cs) < 2 {
		cs = "0" + cs
	}
	return []byte(strconv.FormatInt(t/100, 10) + "." + cs + " 0.00\n")
}

// file and the like shorten the tables of static trees.
func file(path, text string) detfs.StaticFile {
	return detfs.StaticFile{Path: path, Mode: 0o444, Content: []byte(text)}
}

func link(path, target string) detfs.StaticFile {
	return detfs.StaticFile{Path: path, Mode: 0o777, Content: []byte(target), Link: true}
}

func dir(path string) detfs.StaticFile {
	return detfs.StaticFile{Path: path, Mode: 0o555, Dir: true}
}

//go:embed data/sysctl.txt
var sysctlText string

//go:embed data/vmstat.txt
var vmstatNames string

// sysctls are the files below /proc/sys, a line "sys/path=value" for each, with
// the words in braces of data/sysctl.txt replaced by the machine's.
func sysctls(m machine.Machine) string {
	return strings.NewReplacer(
		"{HOSTNAME}", m.Hostname,
		"{DOMAINNAME}", m.Domainname,
		"{RELEASE}", m.Release,
		"{VERSION}", m.Version,
		"{PID_MAX}", strconv.Itoa(m.PidMax),
		"{THREADS_MAX}", strconv.FormatUint(m.MaxThreads(), 10),
		"{BOOT_ID}", m.BootID,
		"{UUID}", m.BootID, // the kernel's file lies over it, see ProcKeep
	).Replace(sysctlText)
}

// sysctlFiles are the same as files.
func sysctlFiles(m machine.Machine) (out []detfs.StaticFile) {
	for line := range strings.Lines(sysctls(m)) {
		if path, v, ok := strings.Cut(line, "="); ok {
			out = append(out, detfs.StaticFile{Path: path, Mode: 0o644, Content: []byte(v)})
		}
	}
	return out
}

// cpuList is a range of CPUs as in /sys ("0-3").
func cpuList(cpus int) string {
	if cpus <= 1 {
		return "0"
	}
	return "0-" + strconv.Itoa(cpus-1)
}

// cpuMask is the bitmap of all CPUs.
func cpuMask(cpus int) string {
	return bitmap(cpus, func(int) bool { return true })
}

// cpuRanges prints a set of CPUs as the kernel's %*pbl does: "0-2,5".
func cpuRanges(cpus int, has func(cpu int) bool) string {
	var out []byte
	for i := 0; i < cpus; i++ {
		if !has(i) {
			continue
		}
		first := i
		for i+1 < cpus && has(i+1) {
			i++
		}
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(first), 10)
		if i > first {
			out = strconv.AppendInt(append(out, '-'), int64(i), 10)
		}
	}
	return string(out)
}

// bitmap prints a set of CPUs as the kernel's %*pb does: hexadecimal groups
// of 32 bits, highest first, and the first as wide as its bits need.
func bitmap(cpus int, has func(cpu int) bool) string {
	cpus = max(cpus, 1)
	var out []byte
	for group := (cpus - 1) / 32; group >= 0; group-- {
		bits := min(cpus-group*32, 32)
		var v uint64
		for i := range bits {
			if has(group*32 + i) {
				v |= 1 << i
			}
		}
		out = appendHex(out, v, (bits+3)/4, "")
		if group > 0 {
			out = append(out, ',')
		}
	}
	return string(out)
}
