package guest

import (
	"strings"
	"testing"
)

// Threads begin and end as on Linux: a thousand of them, exec and exit of
// processes whose other threads wait or compute, cancellation, clocks and
// barriers between them.
func TestThreadEnds(t *testing.T) {
	for _, what := range []string{"thousand", "processes", "cancels", "clocks", "barriers"} {
		t.Run(what, func(t *testing.T) { sameAsNative(t, "thread_ends", what) })
	}
}

// The set of barriers is the same on every host, and has none of rseq(2).
func TestBarrierRegistrations(t *testing.T) {
	dir := compile(t, "thread_ends")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/thread_ends", "registrations"), "27f 4 14 54 -1")
}

// Threads, processes and their children have CPU time of their own, on which
// timers and sleeps are.
func TestCPUClocks(t *testing.T) { sameAsNative(t, "cpu_clocks") }

// Calls answered within the guest use the same CPU time as those that stop.
func TestCPUTimeFastPaths(t *testing.T) {
	dir := compile(t, "cpu_clocks")
	args := []string{"-i", dir + ":/t", "--", "/t/cpu_clocks", "values"}
	fast := sigLab.OK(t, args...).Stdout
	sameLines(t, strings.Split(strings.TrimSpace(fast), "\n"), sigLab.OK(t, append([]string{"--no-fast-paths"}, args...)...).Stdout)
}
