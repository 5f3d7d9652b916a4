package guest

import "testing"

// A child that ends while another is collected is not forgotten where waits are
// answered in the guest.
func TestServedWaits(t *testing.T) {
	dir := compile(t, "wait_served")
	for _, flags := range [][]string{nil, {"--no-fast-paths"}} {
		got := twice(t, append(flags, "-i", dir+":/t", "--", "/t/wait_served")...)
		if want := "80 collected, none 120 times"; got[0] != want {
			t.Errorf("%v: got %q, want %q", flags, got[0], want)
		}
	}
}
