// Package vary checks that each source of dettrace run --vary changes what it
// says and nothing else, in the same way every time.
package vary

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dettrace/internal/vary"
	"dettrace/test/lab"
)

var theLab lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &theLab)) }

// show prints a line "NAME VALUE" for each thing that some source changes.
const show = `
p() { n=$1; shift; echo "$n $("$@" 2>&1 | tr '\n' ' ')"; }
p date date -u +%F
p pid echo $$
p random od -An -tx4 -N8 /dev/urandom
p order ls -U /etc
p names ls /etc
p ino-image stat -c %i /etc
touch new; p ino-new stat -c %i new
p cpus nproc
p features grep -o -m1 -w -e sse4_2 -e avx2 /proc/cpuinfo
p host uname -n
p domain cat /proc/sys/kernel/domainname
p kernel uname -rv
p user id -un
p home echo "$HOME"
p locale echo "$LANG $LC_ALL"
p zone date +%Z
p umask umask
p env printenv CAPTURE_ENVIRONMENT
p path echo "$PATH"
p dir pwd
p memory sed -n 1p /proc/meminfo
p disk df --output=size .
p term echo "$TERM $COLUMNS"
p age stat -c %Y in
p uptime cat /proc/uptime
/kit/layout
/kit/layout-static`

// changes are the lines that each source changes.
func changes() map[string][]string {
	addresses := []string{"code", "data", "stack", "heap", "library", "big", "garbage"}
	return map[string][]string{
		vary.Time:        {"date"},
		vary.ClockRate:   {"uptime"},
		vary.Random:      {"random"},
		vary.ASLR:        addresses,
		vary.Uninit:      {"garbage"},
		vary.PID:         {"pid"},
		vary.Inode:       {"ino-image", "ino-new"},
		vary.FileOrder:   {"order"},
		vary.Schedule:    {},
		vary.CPUs:        {"cpus"},
		vary.CPUModel:    {"features"},
		vary.Host:        {"host", "domain"},
		vary.User:        {"user"},
		vary.Home:        {"home"},
		vary.Locales:     {"locale"},
		vary.Timezone:    {"zone"},
		vary.Umask:       {"umask"},
		vary.Environment: {"env"},
		vary.ExecPath:    {"path"},
		vary.BuildPath:   {"dir"},
		vary.Kernel:      {"kernel"},
		vary.Memory:      {"memory"},
		vary.Disk:        {"disk"},
		vary.Terminal:    {"term"},
		vary.InputTimes:  {"age"},
	}
}

func kit(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, flag := range map[string]string{"layout": "-fPIE", "layout-static": "-static-pie"} {
		c := exec.Command("gcc", "-O0", "-w", "-fno-stack-protector", flag, "-o", filepath.Join(dir, name), "testdata/layout.c")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "in"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, kit string, flags ...string) string {
	t.Helper()
	args := append([]string{"run", "-i", kit + ":/kit", "-i", filepath.Join(kit, "in") + ":/build/src/in"}, flags...)
	c := exec.Command(theLab.Kit.Dettrace, append(args, "--", "sh", "-c", show)...)
	c.Dir = t.TempDir()
	r := lab.Do(t, c)
	if r.Status != 0 {
		t.Fatalf("%v: status %d\n%s%s", flags, r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// differ are the names of the lines that differ.
func differ(t *testing.T, a, b string) (out []string) {
	t.Helper()
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	if len(x) != len(y) {
		t.Fatalf("%s\n%s", a, b)
	}
	for i := range x {
		if x[i] != y[i] {
			name, _, _ := strings.Cut(x[i], " ")
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func TestSources(t *testing.T) {
	dir := kit(t)
	base := run(t, dir, "--vary", "none")
	want := changes()
	for _, s := range vary.Names() {
		t.Run(s, func(t *testing.T) {
			got := differ(t, base, run(t, dir, "--vary", s))
			expected, known := want[s]
			if !known {
				t.Fatal("what does it change?")
			}
			if s != vary.ASLR && s != vary.Uninit {
				// Pointers to strings of the environment are left on the stack.
				got = slices.DeleteFunc(got, func(n string) bool { return n == "garbage" })
			}
			if !slices.Equal(got, expected) {
				t.Errorf("changes %v, want %v", got, expected)
			}
		})
	}
}

// TestSame: with all varied a run is a function of the seed, whatever the
// mechanism, and another seed gives another run.
func TestSame(t *testing.T) {
	dir := kit(t)
	a := run(t, dir, "--vary", "all")
	b := run(t, dir, "--vary", "all", "--no-fast-paths", "--log", filepath.Join(t.TempDir(), "log"))
	if a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
	other := differ(t, a, run(t, dir, "--vary", "all", "--vary-seed", "2"))
	for _, n := range []string{"date", "pid", "random", "order", "ino-new", "host", "kernel", "user", "dir", "memory", "code", "stack"} {
		if !slices.Contains(other, n) {
			t.Errorf("seed 2 gives the same %s", n)
		}
	}
}

// TestEvents: only the events of a range are varied, and the report counts all
// and names those.
func TestEvents(t *testing.T) {
	const script = `for i in 1 2; do date +%Y; done; for i in 1 2; do od -An -tx4 -N4 /dev/urandom; done; for i in 1 2; do sh -c 'echo $$'; done; for i in 1 2; do ls -U /etc | cksum; done`
	try := func(list string) ([]string, []vary.Metered) {
		report := filepath.Join(t.TempDir(), "report")
		r := theLab.OK(t, "--vary", list, "--report", report, "--", "sh", "-c", script)
		b, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ Varied []vary.Metered }
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(r.Stdout), "\n"), v.Varied
	}
	base, _ := try("none")
	_, counted := try("time[],random[],pid[0:0],fileordering[]")
	events := map[string]uint64{}
	for _, m := range counted {
		events[m.Source] = m.Events
		if len(m.Uses) != 0 {
			t.Errorf("%+v", m)
		}
	}
	for source, lines := range map[string][]int{vary.Time: {0, 1}, vary.Random: {2, 3}, vary.PID: {4, 5}, vary.FileOrder: {6, 7}} {
		n := events[source]
		if n < 2 {
			t.Fatalf("%s has %d events", source, n)
		}
		// Each single event changes at most one line, and each line is changed by one.
		hit := map[int]bool{}
		for i := range n {
			out, m := try(vary.Plan{{Source: source, Seed: 1, Ranges: []vary.Range{{From: i, To: i + 1}}}}.String())
			var changed []int
			for l := range base {
				if out[l] != base[l] {
					changed = append(changed, l)
				}
			}
			if len(changed) > 1 || len(changed) == 1 && !slices.Contains(lines, changed[0]) {
				t.Errorf("%s event %d changes lines %v", source, i, changed)
			}
			if len(m) != 1 || m[0].Events != n || len(m[0].Uses) != 1 || m[0].Uses[0].N != i {
				t.Errorf("%s event %d: %+v", source, i, m)
			}
			for _, l := range changed {
				hit[l] = true
			}
			if len(hit) == len(lines) {
				break
			}
		}
		if len(hit) != len(lines) {
			t.Errorf("%s: events change lines %v of %v", source, hit, lines)
		}
	}
}
