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
	failed := strings.Repeat("19 children, then EAGAIN; the next has number 1 more\n", 4)
	for _, fast := range []bool{true, false} {
		for want, args := range map[string][]string{
			"registers ok\n":                 {"registers", "60"},
			"40 children got their signal\n": {"signals", "40"},
			"forged: refused\n":              {"forged", "1"},
			failed:                           {"failures", "4"},
		} {
			flags := []string{"-i", dir + ":/t", "--pids", "20", "--timing"}
			if !fast {
				flags = append(flags, "--no-fast-paths")
			}
			r := sigLab.OK(t, append(flags, append([]string{"--", "/t/births"}, args...)...)...)
			if r.Stdout != want {
				t.Errorf("%v, fast paths %v: got\n%swant\n%s", args, fast, r.Stdout, want)
			}
			stops := 0
			if m := regexp.MustCompile(`(?m)^ +(\d+) .* entry clone$`).FindStringSubmatch(r.Stderr); m != nil {
				fmt.Sscan(m[1], &stops)
			}
			if many := stops > 20; args[0] == "registers" && many == fast {
				t.Errorf("fast paths %v: %d births stopped at their entry\n%s", fast, stops, r.Stderr)
			}
		}
	}
}
