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
