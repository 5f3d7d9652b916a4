package guest

import "testing"

// A round of a loop may pass the same registers more than once.
func TestSpinStack(t *testing.T) {
	dir := compile(t, "spin_stack")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/spin_stack"), "sets\nseen")
}
