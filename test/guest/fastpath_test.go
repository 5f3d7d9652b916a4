package guest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What fast paths serve is as if every call had stopped: the same output, and
// the same events, logical time and changes.
func TestFastPaths(t *testing.T) {
	dir := compile(t, "fastpath")
	for seed := 1; seed <= 6; seed++ {
		s := strconv.Itoa(seed)
		t.Run(s, func(t *testing.T) {
			command := []string{"/t/fastpath", "2000", s}
			if seed%3 == 2 {
				command = append(command, "fifo")
			} else if seed%3 == 0 {
				command = append(command, "fifo", "chld")
			}
			served := sameWithout(t, append([]string{"-i", dir + ":/t", "--"}, command...)...)
			if seed%3 == 1 && served < 1000 {
				t.Errorf("%d calls served: the test tests nothing", served)
			}
		})
	}
}

// The same of programs as they are.
func TestFastPathsOfShells(t *testing.T) {
	for name, script := range map[string]string{
		"spawns": "for i in 1 2 3 4 5 6 7 8 9; do ls -l /etc >/tmp/$i; cat /tmp/$i | wc; done",
		"jobs":   "for i in 1 2 3; do (ls -R /usr/share/doc | head -500; kill -TERM $$) & done; trap 'echo term' TERM; wait; wait; wait",
		"timer":  "timeout 0.01 sh -c 'while :; do ls / >/dev/null; done'; echo $?",
		"owners": "mkdir /tmp/d; for i in $(seq 40); do echo $i >/tmp/d/$i; done; chown -R 33:34 /tmp/d; chown -h 70000:1 /tmp/d/7; chown :65535 /tmp/d/8; tar -C /tmp -c d | tar -C /var/tmp -x; stat -c '%n %u %g %z' /tmp/d/* /var/tmp/d/*",
		"find":   "find /usr/include -name 's*.h' -newer /etc/passwd | sort | tail -5; du -s /etc/init.d; tar c /etc/init.d | cksum",
	} {
		t.Run(name, func(t *testing.T) {
			if sameWithout(t, "--", "sh", "-c", script) == 0 {
				t.Error("nothing was served")
			}
		})
	}
}

// The same where addresses are random: sites are found anew in each image, if it
// makes many calls, and images without such are left alone.
func TestFastPathsOfRandomAddresses(t *testing.T) {
	dir := compile(t, "fastpath")
	for _, command := range [][]string{
		{"/t/fastpath", "2000", "1"},
		{"/t/fastpath", "2000", "3", "fifo", "chld"},
		{"sh", "-c", "for i in $(seq 400); do [ -e /etc/passwd ]; done; find /usr/include -name 's*.h' -newer /etc/passwd | sort | tail -5; tar c /etc/init.d | cksum"},
	} {
		if served := sameWithout(t, append([]string{"--allow", "aslr", "-i", dir + ":/t", "--"}, command...)...); served < 300 && len(command) < 4 {
			t.Errorf("%v: %d calls served", command, served)
		}
	}
}

// sameWithout runs a command with and without fast paths, and tells how many
// calls were served with.
func sameWithout(t *testing.T, args ...string) (served uint64) {
	t.Helper()
	type result struct {
		Stdout, Stderr string
		Status         int
		Report         map[string]any
	}
	var rs [2]result
	for i, flags := range [][]string{nil, {"--no-fast-paths"}} {
		file := filepath.Join(t.TempDir(), "report.json")
		r := sigLab.Run(t, append(append(flags, "--report", file), args...)...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Stderr)
		}
		var report struct {
			Stops struct{ Served uint64 }
		}
		var all map[string]any
		if err := json.Unmarshal(b, &report); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &all); err != nil {
			t.Fatal(err)
		}
		delete(all, "host")
		delete(all, "stops")
		stderr, _, _ := strings.Cut(r.Stderr, "dettrace: repeat: ") // it names the flags
		rs[i] = result{r.Stdout, stderr, r.Status, all}
		if i == 0 {
			served = report.Stops.Served
		} else if report.Stops.Served != 0 {
			t.Errorf("%d calls served with --no-fast-paths", report.Stops.Served)
		}
	}
	if d := cmp.Diff(rs[1], rs[0]); d != "" {
		t.Errorf("without fast paths (-) and with (+):\n%s", d)
	}
	return served
}

// A signal that a served call sends to its caller.
func TestFastPathSignal(t *testing.T) { sameAsNative(t, "fastpath_signal") }

// The counter while the signal by which it traps is blocked.
func TestTSCBlocked(t *testing.T) { sameAsNative(t, "tsc_blocked") }

// Calls that are made in the guest and then once more, which must not find their
// path overwritten by the first answer.
func TestFastPathOverlap(t *testing.T) { sameAsNative(t, "fastpath_overlap") }
