package detfs

import (
	"syscall"
	"testing"
)

// Only what nobody finds there is missing.
func TestMissing(t *testing.T) {
	tt := newTree(t, Config{Dirs: []Dir{{Path: "/closed", Mode: 0o700}, {Path: "/proc", Mode: 0o555}, {Path: "/dev", Mode: 0o755}}})
	for p, want := range map[string]bool{
		"/none": true, "/usr/none": true, "/usr/none/x": true, "/etc/passwd/x": true, "/usr/../etc/none": true,
		"/": false, "/etc/passwd": false, "/usr": false, "none": false, "": false,
		"/closed/none": false, "/proc/1/exe": false, "/dev/none": false, "/sys/none": false,
	} {
		if got := tt.missing([]string{p}) == 1; got != want {
			t.Errorf("%q: missing %v", p, got)
		}
	}
	n := tt.premade(tt.guest, syscall.S_IFLNK|0o777)
	n.target = "/proc/self"
	tt.setStart(tt.guest, "link", n)
	if tt.missing([]string{"/link/exe"}) != 0 || tt.missing([]string{"/link"}) != 0 {
		t.Error("what is behind a link is missing")
	}
	if n := tt.missing([]string{"/none", "/usr/none", "/etc/passwd", "/none"}); n != 2 {
		t.Errorf("%d are missing from the first on", n)
	}
	if n := tt.missing([]string{"/none", "/usr/none"}); n != 2 {
		t.Errorf("%d of two are missing", n)
	}
}
