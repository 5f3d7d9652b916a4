package settings

import (
	"strings"
	"testing"
	"time"
)

// FuzzValues: no value makes a parser panic, and what passes is in bounds.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"", "now", "@1", "2026-01-01", "9223372036T", "1KiB", "1h", "a:b", "0:0", "/x:/y", "../..:same", "x[", "a:b:"} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, s string) {
		if ns, err := parseEpoch(s, func() time.Time { return time.Unix(1, 0) }); err == nil && (ns < 0 || ns/1e9 > maxEpoch+1) {
			t.Errorf("epoch %q: %d", s, ns)
		}
		if n, err := ParseSize("--memory", s); err == nil && n < 0 {
			t.Errorf("size %q: %d", s, n)
		}
		if d, err := parseTimeout("--timeout", s); err == nil && d < 0 {
			t.Errorf("timeout %q: %v", s, d)
		}
		_ = checkUser(s) // only must not panic
		_ = checkHostname(s)
		if out, err := ParseOutput(s, SourceDir, dir); err == nil && (!strings.HasPrefix(out.Guest, "/") || out.Guest == "/" || strings.Contains(out.Guest+"/", "/../")) {
			t.Errorf("output %q: %+v", s, out)
		}
		if in, err := parseInput(s, SourceDir, dir); err == nil && (!strings.HasPrefix(in.Guest, "/") || strings.Contains(in.Guest+"/", "/../")) {
			t.Errorf("input %q: %+v", s, in)
		}
	})
}
