package guest

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Nearly all programs are linked dynamically: their data lies near the top of
// the address space, their clock is read through the vDSO, and their libc maps
// shared caches. None of that stops again and again.
func TestDynamic(t *testing.T) {
	dir := compileAs(t, "dynamic", filepath.Join("c", "dynamic.c"))
	if sameWithout(t, "-i", dir+":/t", "--", "sh", "-c", "for i in 1 2 3; do /t/dynamic; done") == 0 {
		t.Error("nothing was served")
	}
	order := strings.Join(twice(t, "-i", dir+":/t", "--", "/t/dynamic"), "\n")
	for i := range 30 {
		if want := fmt.Sprintf("woken %d\nyielded %d\n", i, i); !strings.Contains(order, want) {
			t.Errorf("sched_yield does not let the woken thread run:\n%s", order)
			break
		}
	}
	r := sigLab.OK(t, "--timing", "-i", dir+":/t", "--", "sh", "-c", "for i in $(seq 40); do /t/dynamic clock; done; /t/dynamic many")
	const most = 20 // until the sites were found
	for call, calls := range map[string]int{"futex": 500, "sched_yield": 500, "mmap": 500, "clock_gettime": 40} {
		m := regexp.MustCompile(`(?m)^ +([\d,]+) .* entry ` + call + `$`).FindStringSubmatch(r.Stderr)
		if m == nil {
			continue
		}
		if n, err := strconv.Atoi(m[1]); err != nil || n > most {
			t.Errorf("%s stops in %d calls of %s:\n%s", m[1], calls, call, r.Stderr)
		}
	}
}
