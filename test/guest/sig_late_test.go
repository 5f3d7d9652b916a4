package guest

import "testing"

// The wake-up for a signal does not outlive the call that it was for.
func TestSignalAfterSleep(t *testing.T) {
	dir := compile(t, "sig_late")
	got := twice(t, "-i", dir+":/sig", "--", "/sig/sig_late")
	if want := "slept 0 0, 1 signal"; got[0] != want {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

// A signal that came since a thread had the turn last ends the wait that it begins.
func TestSignalBeforeWait(t *testing.T) {
	dir := compile(t, "sig_begins")
	for _, flags := range [][]string{nil, {"--no-fast-paths"}} {
		got := twice(t, append(flags, "-i", dir+":/sig", "--", "/sig/sig_begins")...)
		if want := "interrupted"; got[0] != want {
			t.Errorf("%v: got %q, want %q", flags, got[0], want)
		}
	}
}
