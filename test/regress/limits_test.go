package regress

import (
	"strings"
	"testing"
)

// A guest over its memory ends the run; when is not determined.
func TestMemoryLimit(t *testing.T) {
	r := l.Run(t, "--memory=64M", "--", "sh", "-c", "head -c 200000000 /dev/zero | tail -c 150000000 | wc -c")
	if r.Status != 125 || !strings.Contains(r.Stderr, "more memory than --memory allows (67108864 bytes)") {
		t.Errorf("status %d\n%s", r.Status, r.Stderr)
	}
	l.OK(t, "--memory=64M", "--", "sh", "-c", "head -c 200000000 /dev/zero | tail -c 15000000 | wc -c")
}

// Limits of CPU time count real time in the kernel: they read back, no more.
func TestCPULimit(t *testing.T) {
	out := l.Shell(t, `ulimit -t; ulimit -St 7; ulimit -St; (ulimit -St; ulimit -Ht 5; ulimit -Ht) 2>&1; ulimit -Ht 9; ulimit -Ht; ulimit -Ht 10 2>/dev/null || echo refused`)
	if out = strings.ReplaceAll(out, "\n", " "); !strings.HasPrefix(out, "unlimited 7 7") || !strings.HasSuffix(out, "9 refused") {
		t.Errorf("got %s", out)
	}
}
