package guest

import "testing"

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
