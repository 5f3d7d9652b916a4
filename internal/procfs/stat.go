package procfs

import (
	"bytes"
	"strconv"
	"strings"
)

// statFields is the number of fields that proc_pid_stat(5) has had since
// Linux 3.5; later ones are dropped.
const statFields = 52

// ticks converts ns to the unit of stat: USER_HZ is 100 on every x86.
func ticks(ns int64) int64 {
	if ns < 0 {
		return 0
	}
	return ns / 10_000_000
}

// parseStat splits a stat line into its fields. comm stands between the first
// "(" and the last ")", since it may hold both, and blanks and newlines.
func parseStat(raw []byte) ([]string, bool) {
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 2 || end < open {
		return nil, false
	}
	f := append(make([]string, 0, statFields),
		strings.TrimSpace(string(raw[:open])), string(raw[open+1:end]))
	f = append(f, strings.Fields(string(raw[end+1:]))...)
	if len(f) < statFields || !isNumber(f[0]) || len(f[2]) != 1 {
		return nil, false
	}
	return f[:statFields], true
}

// stat implements proc_pid_stat(5). Fields count from 1 there.
func stat(n *Normaliser, w where, raw []byte, f Facts) ([]byte, bool) {
	s, ok := parseStat(raw)
	if !ok {
		return nil, false
	}
	set := func(field int, v string) { s[field-1] = v }
	zero := func(fields ...int) {
		for _, i := range fields {
			set(i, "0")
		}
	}
	set(2, n.comm(w, s[1], f))
	set(3, string(stateLetter(s[2][0], f)))
	// The kernel's own flags change with its version and with who runs us;
	// these two (PF_EXITING, PF_FORKNOEXEC) are the process's doing.
	flags, err := strconv.ParseUint(s[8], 10, 64)
	if err != nil {
		return nil, false
	}
	set(9, strconv.FormatUint(flags&0x44, 10))
	zero(10, 11, 12, 13) // page faults
	set(14, strconv.FormatInt(ticks(f.CPUTime), 10))
	set(16, strconv.FormatInt(ticks(f.ChildTime), 10))
	zero(15, 17, 21)
	set(18, strconv.Itoa(f.Attr.KernelPriority()-100)) // the declared machine's, whoever runs us
	set(19, strconv.Itoa(f.Attr.Nice))
	set(39, strconv.Itoa(f.Attr.CPUs.First()))
	set(40, strconv.Itoa(f.Attr.Priority))
	set(41, strconv.Itoa(f.Attr.Policy))
	set(22, strconv.FormatInt(ticks(f.Start-n.m.BootTime), 10))
	vsize, err := strconv.ParseUint(s[22], 10, 64)
	if err != nil {
		return nil, false
	}
	set(24, strconv.FormatUint(resident(vsize)/n.m.PageSize, 10))
	zero(29, 30, 35, 36, 37, 42, 43, 44)

	out := make([]byte, 0, len(raw)+16)
	out = append(out, s[0]...)
	out = append(out, " ("...)
	out = append(out, s[1]...)
	out = append(out, ')')
	for _, v := range s[2:] {
		out = append(out, ' ')
		out = append(out, v...)
	}
	return append(out, '\n'), true
}

// resident is the resident set that is shown for a process of vsize bytes.
// The true one depends on the host's page cache and memory pressure. Zero
// would say "kernel thread", so every process has up to 1 MiB.
func resident(vsize uint64) uint64 { return min(vsize, 1<<20) }

// statm implements proc_pid_statm(5): size resident shared text lib data dt.
func statm(n *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	s := strings.Fields(string(raw))
	if len(s) < 7 {
		return nil, false
	}
	pages, err := strconv.ParseUint(s[0], 10, 52)
	if err != nil {
		return nil, false
	}
	s[1], s[2] = strconv.FormatUint(resident(pages*n.m.PageSize)/n.m.PageSize, 10), "0"
	return []byte(strings.Join(s[:7], " ") + "\n"), true
}

// stateLetter picks the state to show. A tracee's own state is mostly "t",
// tracing stop, which is ours.
func stateLetter(raw byte, f Facts) byte {
	switch {
	case f.State != 0:
		return f.State
	case raw == 'Z' || raw == 'X' || raw == 'T':
		return raw
	}
	return 'S'
}

// comm implements proc_pid_comm(5).
func comm(n *Normaliser, w where, raw []byte, f Facts) ([]byte, bool) {
	return []byte(n.comm(w, strings.TrimSuffix(string(raw), "\n"), f) + "\n"), true
}

func (n *Normaliser) comm(w where, raw string, f Facts) string {
	if w.pid == "1" && f.Comm != "" {
		return f.Comm
	}
	return raw
}

// personality implements /proc/pid/personality. ADDR_NO_RANDOMIZE is how we
// start every process, not what it asked for.
func personality(_ *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	v, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 16, 32)
	if err != nil {
		return nil, false
	}
	return appendHex(nil, v&^0x0040000, 8, "\n"), true
}

func appendHex(out []byte, v uint64, width int, end string) []byte {
	s := strconv.FormatUint(v, 16)
	for i := len(s); i < width; i++ {
		out = append(out, '0')
	}
	out = append(out, s...)
	return append(out, end...)
}
