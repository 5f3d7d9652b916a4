package guest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"dettrace/test/lab"
)

// What is known of a descriptor is forgotten before it becomes another: closed and
// replaced in every way, at sites that are replaced and at those that cannot be, by
// threads, handlers, children and across exec.
func TestDescriptors(t *testing.T) {
	dir := compile(t, "descriptors")
	native := exec.Command(filepath.Join(dir, "descriptors"), "1")
	native.Dir = t.TempDir() // for its files
	if r := lab.Do(t, native); r.Status != 0 {
		t.Fatalf("natively: %+v", r)
	}
	for seed := 1; seed <= *rounds; seed++ {
		s := strconv.Itoa(seed)
		t.Run("seed "+s, func(t *testing.T) {
			sameWithout(t, "-i", dir+":/t", "--", "/t/descriptors", s)
		})
	}
	// They are not asked about each time, so some of what closes them stops.
	for _, c := range []struct {
		flags []string
		want  bool
	}{{nil, true}, {[]string{"--no-fast-paths"}, false}, {[]string{"--log", filepath.Join(t.TempDir(), "log")}, false}} {
		file := filepath.Join(t.TempDir(), "report.json")
		sigLab.OK(t, append(c.flags, "--report", file, "-i", dir+":/t", "--", "/t/descriptors", "1")...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var report struct {
			Stops struct {
				ByCall []struct{ Call string } `json:"by_call"`
			}
		}
		if err := json.Unmarshal(b, &report); err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"close", "dup2", "dup3", "close_range"} {
			if got := slices.Contains(report.Stops.ByCall, struct{ Call string }{call}); got != c.want {
				t.Errorf("%v: %s stops: %v", c.flags, call, got)
			}
		}
	}
}
