package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Children killed by the end of their parent: the same log on every run.
func TestParentDeathSignal(t *testing.T) {
	dir := compile(t, "pdeath")
	var logs [3]string
	for i := range logs {
		file := filepath.Join(t.TempDir(), "log")
		r := sigLab.OK(t, "--log", file, "-i", dir+":/p", "--", "/p/pdeath")
		if got := strings.TrimSpace(r.Stdout); got != "parent 1\n20 children" {
			t.Fatalf("got %s", got)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if logs[i] = string(b); logs[i] != logs[0] {
			t.Error("two event logs differ")
		}
	}
}
