package guest

import (
	"strings"
	"testing"
)

// Loops that only look at memory let others run, and are left at the same
// place however long they went round: flags, spin locks, between processes,
// and until a signal.
func TestSpin(t *testing.T) {
	dir := compile(t, "spin")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/spin"), `flags sS1sS2P3n4w5bA
lock 0: 12 aaabbbcccddd
lock 1: 12 abcdabcdabcd
lock 2: 12 abcdabcdabcd
lock 3: 12 aaabbbcccddd
alarm
processes 40 0
yield and clock
time 101.001488000`)
}

// A loop that takes a lock to look, and gives it back, does not keep it from those who
// try to get it without a call, or with sleeps between.
func TestSpinWithLock(t *testing.T) {
	dir := compile(t, "spin_lock")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/spin_lock"), `done 100
done 100
done 100
done 103
done 106
slept`)
	for _, n := range []string{"1", "4"} {
		r := sigLab.Run(t, "-i", dir+":/t", "--", "/t/spin_lock", n)
		if r.Status != 125 || !strings.Contains(r.Stderr, "deadlock") {
			t.Errorf("%s that nobody can help: status %d\n%s", n, r.Status, r.Stderr)
		}
	}
}

// A loop that nobody can end is a deadlock; one that counts may be a
// computation, and ends by a limit only.
func TestSpinForever(t *testing.T) {
	dir := compile(t, "spin")
	for _, tt := range []struct {
		name, arg string
		flags     []string
		status    int
		want      []string
	}{
		{"nobody left", "forever", nil, 125, []string{"deadlock", "spin (pid 2) thread 2: spins at 0x4", "/t/spin+0x", ", main+0x"}},
		{"counts", "counts", []string{"--spin-limit", "1s"}, 124, []string{"no system calls for 1s", "spin (thread 2) at 0x4", "/t/spin+0x", ", main+0x", "sched_yield", "info line"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := sigLab.Run(t, append(tt.flags, "-i", dir+":/t", "--", "/t/spin", tt.arg)...)
			if r.Status != tt.status {
				t.Errorf("status %d, want %d", r.Status, tt.status)
			}
			for _, w := range tt.want {
				if !strings.Contains(r.Stderr, w) {
					t.Errorf("no %q in\n%s", w, r.Stderr)
				}
			}
		})
	}
}
