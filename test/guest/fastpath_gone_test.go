package guest

import (
	"fmt"
	"strings"
	"testing"
)

// A program may need the addresses of the fast paths, or attack them: its calls
// go on, or it dies. The supervisor does not.
func TestFastPathsGone(t *testing.T) {
	dir := compile(t, "fastpath_gone")
	for i, c := range []struct {
		what   string
		status int
		maps   string // lines of the maps file below 2 MiB, at the end: the guest's own; and pages that are mapped
	}{
		{"unmapped", 0, "0 0"},
		{"unmapped with all around", 0, "0 0"},
		{"state unmapped", 0, "0 74"},
		{"replaced", 0, "1 75"},
		{"protected", 0, "0 75"},
		{"moved away", 0, "0 74"},
		{"moved over", 0, "1 75"},
		{"unmapped in a child", 0, "0 75"},
		{"a thread inside", 0, "0 0"},
		{"cut off", 135, ""},
		{"written to", 0, "0 75"},
		{"punched", 0, "0 75"},
		{"not for children", 0, "0 75"},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := sigLab.Run(t, "-i", dir+":/t", "--", "sh", "-c", fmt.Sprintf("/t/fastpath_gone %d; s=$?; ls /etc/passwd; exit $s", i))
			if r.Status != c.status {
				t.Fatalf("status %d, not %d\n%s%s", r.Status, c.status, r.Stdout, r.Stderr)
			}
			if c.status == 0 && !strings.HasSuffix(r.Stdout, "\n"+c.maps+"\n/etc/passwd\n") {
				t.Errorf("%s", r.Stdout)
			}
		})
	}
}
