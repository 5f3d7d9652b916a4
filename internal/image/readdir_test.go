package image

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// TestHostOrder: another order of the host's directory is really another one, and
// nothing of it shows.
func TestHostOrder(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		write(t, filepath.Join(dir, fmt.Sprint("file", i)), "x")
	}
	open := func(order uint64) *lazy { return open(t, "dir:"+dir, Options{HostOrder: order}).(*lazy) }
	own := open(0)
	raw, err := own.unsorted(own.root)
	must(t, err)
	list, err := own.readDir(own.root)
	must(t, err)
	for seed := uint64(1); seed < 4; seed++ {
		other := open(seed)
		got, err := other.unsorted(other.root)
		must(t, err)
		if slices.Equal(got, raw) {
			t.Errorf("order %d: the host's own", seed)
		}
		shown, err := other.readDir(other.root)
		must(t, err)
		if !slices.Equal(shown, list) || len(list) != 50 {
			t.Errorf("order %d: listed as %v, not %v", seed, shown, list)
		}
	}
}
