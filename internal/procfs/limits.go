package procfs

import (
	"math"
	"strconv"
	"strings"
)

// A Limit is a line of proc_pid_limits(5); math.MaxUint64 is unlimited.
type Limit struct {
	Name       string // "Max cpu time"
	Soft, Hard uint64
}

// limits implements proc_pid_limits(5): the name in 25 columns, two figures in
// 20 each, and the unit.
func limits(_ *Normaliser, _ where, raw []byte, f Facts) ([]byte, bool) {
	var out []byte
	for _, l := range splitLines(raw) {
		line := string(l)
		for _, v := range f.Limits {
			if strings.HasPrefix(line, v.Name+"  ") && len(line) > 68 {
				line = padRight(v.Name, 26) + padRight(limitText(v.Soft), 21) + padRight(limitText(v.Hard), 21) + line[68:]
			}
		}
		out = append(append(out, line...), '\n')
	}
	return out, true
}

func limitText(v uint64) string {
	if v == math.MaxUint64 {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}

func padRight(s string, width int) string {
	return s + strings.Repeat(" ", max(width-len(s), 0))
}
