package guest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Data that the kernel moves: the program says the same as natively.
func TestSplice(t *testing.T) {
	dir := compile(t, "splice")
	cmd := exec.Command(filepath.Join(dir, "splice"))
	cmd.Dir = t.TempDir()
	native, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(twice(t, "-i", dir+":/s", "--", "/s/splice"), "\n")
	if want := strings.TrimSpace(string(native)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
