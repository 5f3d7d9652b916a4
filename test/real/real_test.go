package real

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/test/lab"
)

// otherUser builds on the perturbed host when we are root.
const otherUser = 1234

func cacheDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DETTRACE_CACHE")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Skip("no cache: HOME is not set")
		}
		dir = filepath.Join(home, ".cache", "dettrace")
	}
	if _, err := os.Stat(filepath.Join(dir, "stamps", "gen-git")); err != nil {
		t.Skipf("no sources in %s: run test/real/fetch.sh first", dir)
	}
	return dir
}

// binary builds dettrace to a place that every user can read.
func binary(t *testing.T) string {
	t.Helper()
	if b := os.Getenv("DETTRACE_BIN"); b != "" {
		return b
	}
	dir, err := os.MkdirTemp("/var/tmp", "dettrace-bin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "dettrace")
	cmd := exec.Command("go", "build", "-o", bin, "dettrace/cmd/dettrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

func TestRealSoftware(t *testing.T) {
	t.Parallel() // with the images
	if testing.Short() {
		t.Skip("builds of minutes")
	}
	cache, bin := cacheDir(t), binary(t)
	results := os.Getenv("DETTRACE_REAL_KEEP") // tars and logs stay here
	if results == "" {
		var err error
		if results, err = os.MkdirTemp("/var/tmp", "dettrace-real-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(results) })
	}
	if err := os.Chmod(results, 0o755); err != nil {
		t.Fatal(err)
	}
	list := Builds()
	rows := make([]tableRow, len(list))
	t.Cleanup(func() {
		table := []string{"| build | native differs | container same | wall native | wall container | ratio |", "| --- | --- | --- | ---: | ---: | ---: |"}
		for _, row := range rows {
			if row.name != "" {
				table = append(table, row.String())
			}
		}
		t.Logf("\n%s", strings.Join(table, "\n"))
	})
	for i, b := range list {
		t.Run(strings.ReplaceAll(b.Name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			rows[i] = tableRow{name: b.Name, native: "not run", same: "no"}
			testBuild(t, b, i%2, cache, bin, results, &rows[i])
		})
	}
}

type tableRow struct {
	name, native, same string
	nat, con           outcome
}

func (r tableRow) String() string {
	ratio := "-"
	if r.nat.Wall > 0 && r.con.Wall > 0 {
		ratio = fmt.Sprintf("%.2f", r.con.Wall.Seconds()/r.nat.Wall.Seconds())
	}
	return fmt.Sprintf("| %s | %s | %s | %.1f s | %.1f s | %s |", r.name, r.native, r.same, r.nat.Wall.Seconds(), r.con.Wall.Seconds(), ratio)
}

func testBuild(t *testing.T, b Build, cpu int, cache, bin, results string, row *tableRow) {
	root := os.Geteuid() == 0
	if b.Image != "host" {
		if _, err := os.Stat(filepath.Join(cache, b.Image)); err != nil {
			t.Skip("no image: run test/real/fetch.sh as root")
		}
	}
	other := 0
	// An image directory has files that only root reads: both runs are root's.
	if root && b.Image == "host" {
		other = otherUser
	}
	hosts := Hosts(cpu, other)
	if os.Getenv("DETTRACE_REAL_NATIVE") != "0" && (root || b.Image == "host") {
		testNative(t, b, hosts, cache, row)
	}

	keep := filepath.Join(results, strings.ReplaceAll(b.Name, " ", "_"))
	var runs [3]outcome
	for i, h := range []Host{hosts[0], hosts[1], hosts[0]} {
		o, err := contained(b, h, cache, bin, keep, i < 2)
		if err != nil {
			t.Fatal(err)
		}
		if o.Status != 0 || !bytes.Contains(o.Stdout, []byte(b.Want)) {
			t.Errorf("on the %s host: status %d, want 0 and %q in stdout\n%s\n%s", h.Name, o.Status, b.Want, tail(o.Stdout), tail(o.Stderr))
		}
		runs[i] = o
	}
	row.con = runs[2]
	if _, err := os.Stat(runs[0].Tar); err != nil {
		// Nothing was saved; the first event that differs may still tell why.
		event, err := lab.FirstEvent(runs[0].Log, runs[1].Log)
		t.Logf("first event that differs: %s %v", event, err)
		return
	}
	if compare(t, runs[0], runs[1]) && compare(t, runs[0], runs[2]) {
		row.same = "yes"
	}
	if t.Failed() || b.Artifact == "" {
		return
	}
	file := filepath.Join(t.TempDir(), "artifact")
	if err := extract(runs[0].Tar, b.Artifact, file); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-ec", b.Inspect, "sh", file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(b.InspectWant)) {
		t.Errorf("what was built does not work: %v, want %q\n%s", err, b.InspectWant, out)
	}
}

// testNative fills in whether two native builds differ. It fails only when
// the build itself does: then the container cannot be blamed.
func testNative(t *testing.T, b Build, hosts [2]Host, cache string, row *tableRow) {
	var runs [2]outcome
	for i, h := range hosts {
		o, err := native(b, h, cache)
		if err != nil {
			t.Fatal(err)
		}
		if o.Status != 0 {
			t.Fatalf("native build on the %s host: status %d\n%s\n%s", h.Name, o.Status, tail(o.Stdout), tail(o.Stderr))
		}
		runs[i] = o
	}
	row.nat = runs[0]
	files := runs[0].Files.differing(runs[1].Files)
	switch {
	case len(files) > 0:
		row.native = fmt.Sprintf("%d files, first %s", len(files), files[0])
	case !bytes.Equal(runs[0].Stdout, runs[1].Stdout):
		row.native = "output only"
	default:
		row.native = "file times only"
	}
}

// compare is the oracle. It says everything that differs and, as the
// cause is nearly always earlier, the first event that does.
func compare(t *testing.T, a, b outcome) bool {
	t.Helper()
	var wrong []string
	if a.Status != b.Status {
		wrong = append(wrong, fmt.Sprintf("status %d and %d", a.Status, b.Status))
	}
	if !bytes.Equal(a.Stdout, b.Stdout) {
		wrong = append(wrong, "stdout")
	}
	if !bytes.Equal(a.Stderr, b.Stderr) {
		wrong = append(wrong, fmt.Sprintf("stderr\n- %s\n+ %s", tail(a.Stderr), tail(b.Stderr)))
	}
	if same, err := sameFile(a.Tar, b.Tar); err != nil {
		wrong = append(wrong, err.Error())
	} else if !same {
		wrong = append(wrong, "saved tar: "+tarDifference(a.Tar, b.Tar))
	}
	if a.Report != b.Report {
		wrong = append(wrong, fmt.Sprintf("report: %+v and %+v", a.Report, b.Report))
	}
	event, err := "", error(nil)
	if a.Log != "" && b.Log != "" {
		event, err = lab.FirstEvent(a.Log, b.Log)
	}
	if err != nil {
		wrong = append(wrong, err.Error())
	} else if event != "" {
		wrong = append(wrong, "event log\n"+event)
	}
	if len(wrong) > 0 {
		t.Errorf("two runs differ in:\n%s", strings.Join(wrong, "\n"))
	}
	return len(wrong) == 0
}

func tarDifference(a, b string) string {
	x, errX := readTar(a)
	y, errY := readTar(b)
	if errX != nil || errY != nil {
		return fmt.Sprint(errX, errY)
	}
	names := x.differing(y)
	if len(names) == 0 {
		return "same entries, other order or encoding"
	}
	return fmt.Sprintf("%d entries, first %s\n- %s\n+ %s", len(names), names[0], x[names[0]], y[names[0]])
}

func tail(b []byte) string {
	const most = 1500
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return string(b)
}
