package procfs

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mapping is one line of proc_pid_maps(5).
type mapping struct {
	start, end uint64
	perms      string
	offset     string
	dev, ino   uint64
	name       string
}

// parseMapping reads a line of maps, which is also the first line of each
// entry of smaps.
func parseMapping(line string) (m mapping, ok bool) {
	var f [5]string
	rest := line
	for i := range f {
		rest = strings.TrimLeft(rest, " ")
		f[i], rest, _ = strings.Cut(rest, " ")
	}
	from, to, ok := strings.Cut(f[0], "-")
	if !ok || len(f[1]) != 4 {
		return m, false
	}
	major, minor, ok := strings.Cut(f[3], ":")
	if !ok {
		return m, false
	}
	var errs [5]error
	var ma, mi uint64
	m.start, errs[0] = strconv.ParseUint(from, 16, 64)
	m.end, errs[1] = strconv.ParseUint(to, 16, 64)
	ma, errs[2] = strconv.ParseUint(major, 16, 32)
	mi, errs[3] = strconv.ParseUint(minor, 16, 32)
	m.ino, errs[4] = strconv.ParseUint(f[4], 10, 64)
	for _, err := range errs {
		if err != nil {
			return m, false
		}
	}
	if _, err := strconv.ParseUint(f[2], 16, 64); err != nil {
		return m, false
	}
	m.perms, m.offset = f[1], f[2]
	m.dev = unix.Mkdev(uint32(ma), uint32(mi))
	m.name = strings.TrimLeft(rest, " ")
	return m, true
}

// virtual replaces what the host decides in a mapping.
func (n *Normaliser) virtual(m mapping) mapping {
	if n.Original != nil {
		if off, err := strconv.ParseUint(m.offset, 16, 64); err == nil && off != 0 {
			if o, ok := n.Original(m.name, m.start, off); ok {
				m.dev, m.ino, m.name = o.Dev, o.Ino, o.Name
				m.offset = string(appendHex(nil, o.Offset, 8, ""))
			}
		}
	}
	if m.dev != 0 || m.ino != 0 {
		m.dev, m.ino = n.ids(m.dev, m.ino)
	}
	if m.name == "[vsyscall]" {
		m.perms = "--xp" // r-xp where the host was booted with vsyscall=emulate
	}
	m.name = n.linkName(m.name, m.ino)
	return m
}

// linkName is Readlink for a name whose inode number is already virtual.
func (n *Normaliser) linkName(name string, ino uint64) string {
	return Readlink(name, func(string, uint64) uint64 { return ino })
}

func (m mapping) append(out []byte) []byte {
	at := len(out)
	out = appendHex(out, m.start, 8, "-")
	out = appendHex(out, m.end, 8, " ")
	out = append(out, m.perms...)
	out = append(out, ' ')
	out = append(out, m.offset...)
	out = append(out, ' ')
	out = appendHex(out, uint64(unix.Major(m.dev)), 2, ":")
	out = appendHex(out, uint64(unix.Minor(m.dev)), 2, " ")
	out = strconv.AppendUint(out, m.ino, 10)
	out = append(out, ' ')
	if m.name != "" {
		// seq_pad in fs/proc/task_mmu.c: names stand in column 73.
		for len(out)-at < 73 {
			out = append(out, ' ')
		}
		out = append(out, m.name...)
	}
	return append(out, '\n')
}

// maps implements proc_pid_maps(5). Newlines in names are escaped by the kernel.
func maps(n *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	out := make([]byte, 0, len(raw)+len(raw)/8)
	for _, l := range splitLines(raw) {
		m, ok := parseMapping(string(l))
		if !ok {
			return nil, false
		}
		if !n.hidden(m) {
			out = n.virtual(m).append(out)
		}
	}
	return out, true
}

// hidden reports whether the guest is not shown m.
func (n *Normaliser) hidden(m mapping) bool { return n.Hidden != nil && n.Hidden(m.name, m.start) }

// smapsZero are the counters of proc_pid_smaps(5), all zero: they depend on
// the page cache and on memory pressure.
func smapsZero() []string {
	return []string{
		"Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty",
		"Referenced", "Anonymous", "KSM", "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped",
		"Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked",
	}
}

func appendCounter(out []byte, key string, kb uint64) []byte {
	out = append(out, key...)
	out = append(out, ':')
	v := strconv.FormatUint(kb, 10)
	for i := len(key) + 1 + len(v); i < 24; i++ {
		out = append(out, ' ')
	}
	out = append(out, v...)
	return append(out, " kB\n"...)
}

// smaps implements proc_pid_smaps(5).
func smaps(n *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	var out []byte
	open, hidden := false, false
	for _, l := range splitLines(raw) {
		if m, ok := parseMapping(string(l)); ok {
			open = true
			if hidden = n.hidden(m); hidden {
				continue
			}
			out = n.virtual(m).append(out)
			out = appendCounter(out, "Size", (m.end-m.start)>>10)
			out = appendCounter(out, "KernelPageSize", n.m.PageSize>>10)
			out = appendCounter(out, "MMUPageSize", n.m.PageSize>>10)
			for _, key := range smapsZero() {
				out = appendCounter(out, key, 0)
			}
			out = append(out, "THPeligible:           0\n"...)
			continue
		}
		if !open {
			return nil, false
		}
		if hidden {
			continue
		}
		if flags, ok := bytes.CutPrefix(l, []byte("VmFlags:")); ok {
			out = append(out, "VmFlags:"...)
			for _, f := range strings.Fields(string(flags)) {
				if stableFlag(f) {
					out = append(append(out, ' '), f...)
				}
			}
			out = append(out, " \n"...)
		}
	}
	return out, true
}

// stableFlag reports whether a letter pair of VmFlags says what the process
// asked for. Others, as "sd" (soft dirty), depend on the kernel's configuration.
func stableFlag(f string) bool {
	switch f {
	case "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "pf", "lo", "io", "sr", "rr", "dc", "de", "nr", "dd", "wf":
		return true
	}
	return false
}

// smapsRollup implements /proc/pid/smaps_rollup: a first line for the whole
// address space, then the counters.
func smapsRollup(n *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	lines := splitLines(raw)
	if len(lines) == 0 {
		return nil, true
	}
	m, ok := parseMapping(string(lines[0]))
	if !ok {
		return nil, false
	}
	out := n.virtual(m).append(nil)
	for _, key := range smapsZero() {
		out = appendCounter(out, key, 0)
		if key == "Pss_Dirty" {
			for _, key := range []string{"Pss_Anon", "Pss_File", "Pss_Shmem"} {
				out = appendCounter(out, key, 0)
			}
		}
	}
	return out, true
}

// numaMaps implements /proc/pid/numa_maps: address, policy and name are kept,
// the counts of pages are not.
func numaMaps(n *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	var out []byte
	for _, l := range splitLines(raw) {
		f := strings.Fields(string(l))
		if len(f) < 2 {
			return nil, false
		}
		addr, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil {
			return nil, false
		}
		if i := slices.IndexFunc(f, func(w string) bool { return strings.HasPrefix(w, "file=") }); i > 0 && n.hidden(mapping{start: addr, name: strings.TrimPrefix(f[i], "file=")}) {
			continue
		}
		out = append(append(out, f[0]...), " default"...)
		for _, w := range f[2:] {
			if strings.HasPrefix(w, "file=") {
				name := strings.TrimPrefix(w, "file=")
				if n.Original != nil {
					if o, ok := n.Original(name, addr, 0); ok {
						name = o.Name
					}
				}
				w = "file=" + n.linkName(name, 0)
				out = append(append(out, ' '), w...)
			} else if w == "heap" || w == "stack" {
				out = append(append(out, ' '), w...)
			}
		}
		out = append(out, '\n')
	}
	return out, true
}
