package procfs

import (
	"bytes"
	"strconv"
	"strings"
)

// sched implements /proc/pid/sched. The head names the process, the rest are
// statistics of the host's scheduler, but for policy and priority.
func sched(n *Normaliser, w where, raw []byte, f Facts) ([]byte, bool) {
	head, _, _ := bytes.Cut(raw, []byte("\n---"))
	// "comm (pid, #threads: N)": the name may hold brackets and newlines.
	i := bytes.LastIndexByte(head, '(')
	if i < 1 {
		return nil, false
	}
	name, ids := strings.TrimSuffix(string(head[:i]), " "), string(head[i:])
	out := []byte(n.comm(w, name, f) + " " + ids + "\n")
	out = append(out, strings.Repeat("-", 67)...)
	out = append(out, '\n')
	for _, l := range []struct {
		key string
		v   string
	}{
		{"se.exec_start", "0.000000"},
		{"se.vruntime", "0.000000"},
		{"se.sum_exec_runtime", milliseconds(f.CPUTime)},
		{"se.nr_migrations", "0"},
		{"nr_switches", "0"},
		{"nr_voluntary_switches", "0"},
		{"nr_involuntary_switches", "0"},
		{"se.load.weight", strconv.Itoa(f.Attr.Weight())},
		{"policy", strconv.Itoa(f.Attr.Policy)},
		{"prio", strconv.Itoa(f.Attr.KernelPriority())},
	} {
		out = append(out, l.key...)
		for i := len(l.key); i < 45; i++ {
			out = append(out, ' ')
		}
		out = append(out, ':')
		out = append(out, padLeft(l.v, 21)...)
		out = append(out, '\n')
	}
	return out, true
}

func milliseconds(ns int64) string {
	ns = max(ns, 0)
	frac := strconv.FormatInt(ns%1e6, 10)
	return strconv.FormatInt(ns/1e6, 10) + "." + strings.Repeat("0", 6-len(frac)) + frac
}
