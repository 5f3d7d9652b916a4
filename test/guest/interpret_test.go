package guest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Text that a program interprets is that of the file: a jump into the region
// would be followed as if it were the program's. The report says what of the
// CPU it may show.
func TestInterpreter(t *testing.T) {
	dir := compile(t, "interpret")
	file := filepath.Join(t.TempDir(), "report.json")
	const linker = "/lib64/ld-linux-x86-64.so.2"
	for _, args := range [][]string{nil, {"--no-fast-paths"}} {
		r := sigLab.OK(t, append(args, "--report", file, "-i", dir+":/t", "--", "/t/interpret", linker)...)
		if r.Stdout != "text same\n"+strings.Repeat("code 42\n", 3) {
			t.Errorf("%v: %s%s", args, r.Stdout, r.Stderr)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var report struct {
			VisibleCPU []string `json:"visible_cpu"`
		}
		if err := json.Unmarshal(b, &report); err != nil {
			t.Fatal(err)
		}
		if s := strings.Join(report.VisibleCPU, "\n"); !strings.Contains(s, "mapped by a static program") {
			t.Errorf("%v: the report does not say that the text stays: %s", args, s)
		}
	}
}

// What dettrace maps into each process is not shown.
func TestMapsHideTheFastPaths(t *testing.T) {
	const script = "cat /proc/self/maps /proc/self/smaps /proc/self/numa_maps"
	with := sigLab.OK(t, "--", "sh", "-c", script)
	without := sigLab.OK(t, "--no-fast-paths", "--", "sh", "-c", script)
	if with.Stdout != without.Stdout || strings.Contains(with.Stdout, "dettrace") {
		t.Errorf("%s", with.Stdout)
	}
}
