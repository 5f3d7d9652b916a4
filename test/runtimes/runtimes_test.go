package runtimes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// DETTRACE_RUNTIMES_RUNS is how often each workload runs; without it three
// times, and the long ones twice.
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
	goTools := sync.OnceValue(func() toolchain { return prepareGo(filepath.Join(tmp, "go")) })
	table := []string{"| workload | runs | idle | loaded |", "| --- | ---: | ---: | ---: |"}
	for _, w := range Workloads() {
		t.Run(w.Name, func(t *testing.T) {
			if missing := absent(w.Tools); len(missing) > 0 {
				t.Skipf("not installed: %s", strings.Join(missing, ", "))
			}
			var flags []string
			if w.Go {
				tc := goTools()
				if tc.err != nil {
					t.Fatal(tc.err)
				}
				flags = tc.flags
			}
			runs := 3
			if w.Long {
				runs = 2
			}
			if asked > 0 {
				runs = asked
			}
			table = append(table, testWorkload(t, w, command(bin, testdata, w, flags), runs))
		})
	}
	t.Logf("\n%s", strings.Join(table, "\n"))
}

// testWorkload runs on an idle and a loaded host in turns.
func testWorkload(t *testing.T, w Workload, argv []string, runs int) string {
	t.Helper()
	var first outcome
	var walls [2]float64
	for i := range runs {
		h := hosts()[i%2]
		o, wall, err := run(h, argv, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		walls[i%2] = wall.Seconds()
		if i == 0 {
			first = o
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
			if t.Failed() {
				break
			}
			continue
		}
		if d := differences(first, o); len(d) > 0 {
			t.Errorf("run %d, on the %s host, differs from the first:\n%s\nrun it twice with --log FILE and compare: %s",
				i+1, h.name, strings.Join(d, "\n"), strings.Join(argv, " "))
		}
	}
	return fmt.Sprintf("| %s | %d | %.1f s | %.1f s |", w.Name, runs, walls[0], walls[1])
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
