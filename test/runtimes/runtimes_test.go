package runtimes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dettrace/test/lab"
)

// DETTRACE_RUNTIMES_RUNS is how often each workload runs; without it as often
// as it says.
const runsVar = "DETTRACE_RUNTIMES_RUNS"

func TestRuntimes(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes")
	}
	asked := 0
	if v := os.Getenv(runsVar); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 2 {
			t.Fatalf("%s=%q: want a number of at least 2", runsVar, v)
		}
		asked = n
	}
	bin, tmp := binary(t), t.TempDir()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	free, err := cpus()
	if err != nil {
		t.Fatal(err)
	}
	goTools := sync.OnceValue(func() toolchain { return prepareGo(filepath.Join(tmp, "go")) })
	list := Workloads()
	rows := make([]string, len(list))
	t.Cleanup(func() {
		rows = slices.DeleteFunc(rows, func(r string) bool { return r == "" })
		t.Logf("\n| workload | runs | idle | loaded |\n| --- | ---: | ---: | ---: |\n%s", strings.Join(rows, "\n"))
	})
	for i, w := range list {
		t.Run(w.Name, func(t *testing.T) {
			if missing := absent(w.Tools); len(missing) > 0 {
				t.Skipf("not installed: %s", strings.Join(missing, ", "))
			}
			t.Parallel()
			cpu := <-free
			defer func() { free <- cpu }()
			var flags []string
			if w.Go {
				tc := goTools()
				if tc.err != nil {
					t.Fatal(tc.err)
				}
				flags = tc.flags
			}
			runs := w.Runs
			if runs == 0 {
				runs = 20
			}
			if asked > 0 {
				runs = asked
			}
			if w.Once {
				runs = 1
			}
			rows[i] = testWorkload(t, w, cpu, command(bin, testdata, w, flags), runs)
		})
	}
}

// testWorkload runs on an idle host, and every fourth time on a loaded one. The
// first two runs, on the idle host, write event logs, which are compared, too: with a
// log every call stops, and each stop beside a busy loop costs a slice of its time.
func testWorkload(t *testing.T, w Workload, cpu string, argv []string, runs int) string {
	t.Helper()
	var first lab.Outcome
	var walls [2]float64
	logs := [2]string{filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "log")}
	for i := range runs {
		on, log := 0, ""
		if i%4 == 2 {
			on = 1
		}
		if i < len(logs) && runs > 1 {
			log = logs[i]
		}
		h := hosts()[on]
		o, wall, err := run(h, cpu, argv, t.TempDir(), log)
		if err != nil {
			t.Fatal(err)
		}
		walls[on] = wall.Seconds()
		if i == 0 {
			first = o
			check(t, w, o)
			if t.Failed() {
				break
			}
			continue
		}
		d := first.Differences(o)
		if i == 1 {
			event, err := lab.FirstEvent(logs[0], logs[1])
			if err != nil {
				t.Fatal(err)
			}
			if event != "" {
				d = append(d, "event log\n"+event)
			}
		}
		if len(d) > 0 {
			t.Errorf("run %d, on the %s host, differs from the first:\n%s\nits standard error ends:\n%s\nrun it twice with --log FILE and compare: %s",
				i+1, h.name, strings.Join(d, "\n"), tail(o.Stderr), strings.Join(argv, " "))
		}
	}
	return fmt.Sprintf("| %s | %d | %.1f s | %.1f s |", w.Name, runs, walls[0], walls[1])
}

// check says whether a run did what the workload is for.
func check(t *testing.T, w Workload, o lab.Outcome) {
	t.Helper()
	if o.Status != 0 && w.Fails == "" {
		t.Errorf("status %d\n%s\n%s", o.Status, tail(o.Stdout), tail(o.Stderr))
	}
	if w.Fails != "" && (o.Status == 0 || !strings.Contains(o.Stderr, w.Fails)) {
		t.Errorf("status %d, want a failure that says %q\n%s", o.Status, w.Fails, tail(o.Stderr))
	}
	for _, want := range w.Want {
		if !strings.Contains(o.Stdout, want) {
			t.Errorf("no %q in what it printed\n%s\n%s", want, tail(o.Stdout), tail(o.Stderr))
		}
	}
}

// binary builds dettrace; DETTRACE names one to test instead.
func binary(t *testing.T) string {
	t.Helper()
	if b := os.Getenv("DETTRACE"); b != "" {
		return b
	}
	bin := filepath.Join(t.TempDir(), "dettrace")
	cmd := exec.Command("go", "build", "-o", bin, "dettrace/cmd/dettrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// absent lists the tools that the host image does not have where the
// container's PATH looks.
func absent(tools []string) []string {
	var out []string
next:
	for _, tool := range tools {
		for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
			if _, err := exec.LookPath(filepath.Join(dir, tool)); err == nil {
				continue next
			}
		}
		out = append(out, tool)
	}
	return out
}

func tail(s string) string { return s[max(0, len(s)-2000):] }
