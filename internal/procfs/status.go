package procfs

import (
	"bytes"
	"strconv"
	"strings"
)

// statusKind says what becomes of a line of status.
type statusKind int

const (
	keep  statusKind = iota // the process's own doing
	fixed                   // always the given text
	kB                      // resident size, shown as resident() has it
	caps                    // capability set, cut to those of Linux 5.9
)

type statusLine struct {
	key  string
	kind statusKind
	text string
}

// statusLines are the lines of proc_pid_status(5) that are shown, in the
// kernel's order. NStgid and its kin show ids of the host's pid namespaces
// to nobody inside, and repeat Tgid; they are kept.
func statusLines() []statusLine {
	return []statusLine{
		{"Name", keep, ""}, {"Umask", keep, ""}, {"State", keep, ""}, {"Tgid", keep, ""},
		{"Ngid", fixed, "0"}, {"Pid", keep, ""}, {"PPid", keep, ""}, {"TracerPid", fixed, "0"},
		{"Uid", keep, ""}, {"Gid", keep, ""}, {"FDSize", keep, ""}, {"Groups", keep, ""},
		{"NStgid", keep, ""}, {"NSpid", keep, ""}, {"NSpgid", keep, ""}, {"NSsid", keep, ""},
		{"Kthread", fixed, "0"},
		{"VmPeak", keep, ""}, {"VmSize", keep, ""}, {"VmLck", keep, ""}, {"VmPin", fixed, "       0 kB"},
		{"VmHWM", kB, ""}, {"VmRSS", kB, ""},
		{"RssAnon", kB, ""}, {"RssFile", fixed, "       0 kB"}, {"RssShmem", fixed, "       0 kB"},
		{"VmData", keep, ""}, {"VmStk", keep, ""}, {"VmExe", keep, ""}, {"VmLib", keep, ""},
		// Page tables are made for pages in memory, not for all mapped.
		{"VmPTE", fixed, "      64 kB"}, {"VmSwap", fixed, "       0 kB"}, {"HugetlbPages", fixed, "       0 kB"},
		{"CoreDumping", fixed, "0"}, {"THP_enabled", fixed, "0"}, {"untag_mask", fixed, "0xffffffffffffffff"},
		{"Threads", keep, ""}, {"SigQ", fixed, "{signals}"},
		{"SigPnd", keep, ""}, {"ShdPnd", keep, ""}, {"SigBlk", keep, ""}, {"SigIgn", keep, ""}, {"SigCgt", keep, ""},
		{"CapInh", caps, ""}, {"CapPrm", caps, ""}, {"CapEff", caps, ""}, {"CapBnd", caps, ""}, {"CapAmb", caps, ""},
		{"NoNewPrivs", keep, ""}, {"Seccomp", fixed, "0"}, {"Seccomp_filters", fixed, "0"},
		{"Speculation_Store_Bypass", fixed, "not vulnerable"}, {"SpeculationIndirectBranch", fixed, "not affected"},
		{"Cpus_allowed", fixed, "{cpumask}"}, {"Cpus_allowed_list", fixed, "{cpulist}"},
		{"Mems_allowed", fixed, "1"}, {"Mems_allowed_list", fixed, "0"},
		{"voluntary_ctxt_switches", fixed, "0"}, {"nonvoluntary_ctxt_switches", fixed, "0"},
	}
}

// status implements proc_pid_status(5). Lines that the process has no part in
// are shown whether or not the host's kernel has them; the others only if the
// kernel has, since a zombie has no memory.
func status(n *Normaliser, w where, raw []byte, f Facts) ([]byte, bool) {
	lines := splitLines(raw)
	values := func(key string) (string, bool) {
		for _, l := range lines {
			if k, v, ok := bytes.Cut(l, []byte(":\t")); ok && string(k) == key {
				return string(v), true
			}
		}
		return "", false
	}
	if _, ok := values("Pid"); !ok {
		return nil, false
	}
	sizeText, hasMemory := values("VmSize")
	size := parseKB(sizeText)
	var out []byte
	for _, l := range statusLines() {
		v, ok := values(l.key)
		memory := isMemoryLine(l.key)
		switch {
		case memory && !hasMemory:
			continue
		case !ok && (l.kind == keep || l.kind == caps):
			continue
		}
		switch l.kind {
		case fixed:
			v = l.text
		case kB:
			v = padLeft(strconv.FormatUint(resident(size<<10)>>10, 10), 8) + " kB"
		case caps:
			c, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			if err != nil {
				return nil, false
			}
			v = string(appendHex(nil, c&(1<<41-1), 16, ""))
		}
		switch l.key {
		case "Name":
			v = n.comm(w, v, f)
		case "State":
			if v == "" {
				return nil, false
			}
			v = stateText(stateLetter(v[0], f))
		case "VmPeak":
			// The largest size so far counts mappings that exec made and
			// dropped, whose size is the kernel's matter.
			v = sizeText
		case "Groups":
			if f.Groups != nil {
				v = groupList(*f.Groups)
			}
		case "SigQ":
			v = "0/" + strconv.FormatUint(n.m.MaxThreads()/2, 10)
		case "Cpus_allowed":
			v = bitmap(n.m.CPUs, f.Attr.CPUs.Has)
		case "Cpus_allowed_list":
			v = cpuRanges(n.m.CPUs, f.Attr.CPUs.Has)
		}
		out = append(out, l.key...)
		out = append(out, ":\t"...)
		out = append(out, v...)
		out = append(out, '\n')
	}
	return out, true
}

func isMemoryLine(key string) bool {
	return strings.HasPrefix(key, "Vm") || strings.HasPrefix(key, "Rss") ||
		key == "HugetlbPages" || key == "CoreDumping" || key == "THP_enabled" || key == "untag_mask"
}

// groupList renders Groups: a blank follows each, and an empty list has one too
// (task_state() of fs/proc/array.c).
func groupList(groups []uint32) string {
	var b strings.Builder
	for _, g := range groups {
		b.WriteString(strconv.FormatUint(uint64(g), 10) + " ")
	}
	if len(groups) == 0 {
		return " "
	}
	return b.String()
}

// stateText is the State line of a letter (fs/proc/array.c, task_state_array).
func stateText(c byte) string {
	switch c {
	case 'R':
		return "R (running)"
	case 'D':
		return "D (disk sleep)"
	case 'T':
		return "T (stopped)"
	case 't':
		return "t (tracing stop)"
	case 'X':
		return "X (dead)"
	case 'Z':
		return "Z (zombie)"
	}
	return "S (sleeping)"
}

// parseKB reads "    3060 kB".
func parseKB(s string) uint64 {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "kB"))
	v, err := strconv.ParseUint(s, 10, 52)
	if err != nil {
		return 0
	}
	return v
}

func padLeft(s string, width int) string {
	if len(s) >= width {
		return s
	}
	return strings.Repeat(" ", width-len(s)) + s
}

// splitLines cuts text into lines without their ends.
func splitLines(raw []byte) [][]byte {
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	if len(raw) == 0 {
		return nil
	}
	return bytes.Split(raw, []byte("\n"))
}
