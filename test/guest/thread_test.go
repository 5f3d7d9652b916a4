package guest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestFutexWakes: what FUTEX_WAKE says, answered inside the guest or not. Sleeps
// are logical there, so the waiters stand in their waits when they are over.
func TestFutexWakes(t *testing.T) {
	dir := compile(t, "futex_wakes")
	args := []string{"-i", dir + ":/t", "--", "/t/futex_wakes"}
	if sameWithout(t, args...) == 0 {
		t.Error("nothing was served")
	}
	var counts []string
	for _, l := range strings.Split(strings.TrimSpace(sigLab.OK(t, args...).Stdout), "\n") {
		if !strings.HasPrefix(l, "order:") {
			counts = append(counts, strings.TrimSpace(l))
		}
	}
	nobody := "0 -22 -14"
	want := []string{
		nobody, nobody, nobody, nobody, nobody, "1 0 1 1",
		"1 2 3 4 4 4 4 4 0 0 0 0 0 1 2 3", "1 1 0 0 -1 2", "0 0 0 1",
	}
	if d := cmp.Diff(want, counts); d != "" {
		t.Error(d)
	}
}

// TestFutexOneSite: calls are answered within the guest although others wait in
// calls made by the same instruction, and those go on from there.
func TestFutexOneSite(t *testing.T) {
	dir := compile(t, "futex_one_site")
	want := `woken 0
handled 4
wake 0: 1
wake 1: 0
wake 2: 0
wake 3: 0
wake 4: 0
wake 5: 1
result 0: 0
result 1: -4
result 2: -4
result 3: -4
result 4: -110
result 5: 0
done`
	for _, how := range []string{"register", "number"} {
		t.Run(how, func(t *testing.T) {
			args := []string{"-i", dir + ":/t", "--", "/t/futex_one_site", how}
			sameLines(t, twice(t, args...), want)
			if served := sameWithout(t, args...); served < 2500 {
				t.Errorf("%d calls served", served)
			}
		})
	}
}

// A namespace is refused and reported, not only denied for want of a capability.
func TestTimeNamespace(t *testing.T) {
	dir := compile(t, "time_namespace")
	args := []string{"-i", dir + ":/t", "--", "/t/time_namespace"}
	sameLines(t, twice(t, args...), "EPERM\n")
	const want = "not controlled: refused: clone3 of namespaces"
	if r := sigLab.Run(t, append([]string{"--strict"}, args...)...); r.Status != 125 || !strings.Contains(r.Stderr, want) {
		t.Errorf("status %d, no %q in\n%s", r.Status, want, r.Stderr)
	}
}

// The guest's memory is its own, also what we borrow of it.
func TestSmallStack(t *testing.T) { sameAsNative(t, "small_stack") }
