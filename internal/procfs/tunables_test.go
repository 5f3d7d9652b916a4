package procfs

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestTunables writes to files of one process, one after another, and reads
// back.
func TestTunables(t *testing.T) {
	n := testNormaliser()
	var tun Tunables
	tun.SetTimerSlack(0)
	read := func(file string) string {
		out, ok := n.File("7/"+file, nil, Facts{Tunables: tun})
		if !ok {
			t.Fatalf("%s is unknown", file)
		}
		return string(out)
	}
	for _, tt := range []struct {
		file, text string
		privileged bool
		errno      unix.Errno
		want       string // what the file says afterwards
	}{
		{"oom_score_adj", "500\n", false, 0, "500\n"},
		{"oom_adj", "", false, unix.EINVAL, "8\n"},
		{"oom_score_adj", "0", false, 0, "0\n"}, // back to the lowest so far
		{"oom_score_adj", "-1", false, unix.EACCES, "0\n"},
		{"oom_score_adj", "-1000", true, 0, "-1000\n"},
		{"oom_score", "", false, 0, "0\n"},
		{"oom_score_adj", " 1000 ", false, 0, "1000\n"},
		{"oom_adj", "14", false, unix.EACCES, "15\n"},
		{"oom_adj", "-17", true, 0, "-17\n"},
		{"oom_adj", "16", true, unix.EINVAL, "-17\n"},
		{"oom_score_adj", "-1000", false, 0, "-1000\n"},
		{"oom_score_adj", "1001", true, unix.EINVAL, "-1000\n"},
		{"oom_score_adj", "ten", true, unix.EINVAL, "-1000\n"},
		{"coredump_filter", "", false, unix.EINVAL, "00000033\n"},
		{"coredump_filter", "0xffff", false, 0, "000001ff\n"},
		{"loginuid", "x", false, unix.EINVAL, "4294967295"},
		{"loginuid", "1000", false, 0, "1000"},
		{"loginuid", "1001", false, unix.EPERM, "1000"},
		{"loginuid", "4294967295", true, 0, "4294967295"},
		{"autogroup", "-5", false, unix.EPERM, "/autogroup-1 nice 0\n"},
		{"autogroup", "5", false, 0, "/autogroup-1 nice 5\n"},
		{"timerslack_ns", "1", false, 0, "1\n"},
		{"timerslack_ns", "0", false, 0, "50000\n"},
	} {
		e, ok := tun.Set(tt.file, []byte(tt.text), tt.privileged)
		if ok != (tt.file != "oom_score") || e != tt.errno {
			t.Errorf("%s <- %q: %v, %v, want %v", tt.file, tt.text, e, ok, tt.errno)
		}
		if got := read(tt.file); got != tt.want {
			t.Errorf("%s after %q: %q, want %q", tt.file, tt.text, got, tt.want)
		}
	}
}
