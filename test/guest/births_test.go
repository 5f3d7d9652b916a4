package guest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Births that do not stop at their entry are as those that do.
func TestBirths(t *testing.T) {
	dir := compile(t, "births")
	failed := strings.Repeat("19 children, then EAGAIN; vfork EAGAIN; the next has number 1 more\n", 4)
	for _, fast := range []bool{true, false} {
		for _, c := range []struct {
			args []string
			want string
			call string // that stops rarely
		}{
			{[]string{"registers", "60"}, "registers ok\n", "clone"},
			{[]string{"vfork", "60"}, "registers ok\n", "vfork"},
			{[]string{"signals", "40"}, "40 children got their signal, 40 parents\n", "vfork"},
			{[]string{"forged", "1"}, "forged: refused\n", ""},
			{[]string{"failures", "4"}, failed, ""},
		} {
			flags := []string{"-i", dir + ":/t", "--pids", "20", "--timing"}
			if !fast {
				flags = append(flags, "--no-fast-paths")
			}
			r := sigLab.OK(t, append(flags, append([]string{"--", "/t/births"}, c.args...)...)...)
			if r.Stdout != c.want {
				t.Errorf("%v, fast paths %v: got\n%swant\n%s", c.args, fast, r.Stdout, c.want)
			}
			stops := 0
			if m := regexp.MustCompile(`(?m)^ +(\d+) .* entry ` + c.call + `$`).FindStringSubmatch(r.Stderr); m != nil {
				fmt.Sscan(m[1], &stops)
			}
			if many := stops > 20; c.call != "" && many == fast {
				t.Errorf("fast paths %v: %d calls of %s stopped at their entry\n%s", fast, stops, c.call, r.Stderr)
			}
		}
	}
}
