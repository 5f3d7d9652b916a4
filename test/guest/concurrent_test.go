package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dettrace/internal/door"
)

// With the door threads-native threads and processes do to each other what they
// do on Linux, whatever the order in which they come, and nothing hangs or stays
// behind: with that door alone, with all of them, and with the log, which makes
// more calls stop.
func TestConcurrent(t *testing.T) {
	dir := compile(t, "concurrent")
	var all []string
	for _, d := range door.Names() {
		all = append(all, "--allow", d)
	}
	for _, mode := range []string{"threads", "pipes", "forks", "kills", "signals", "leaves", "exec", "exits", "ipc", "times", "spins", "clocks", "attrs"} {
		t.Run(mode, func(t *testing.T) {
			want := []byte("gone\n")
			if mode != "leaves" { // which nothing on the host would end
				var err error
				if want, err = exec.Command(filepath.Join(dir, "concurrent"), mode).Output(); err != nil {
					t.Fatal(err)
				}
			}
			settings := [][]string{{"--allow", door.Threads}, all}
			if mode == "signals" || mode == "exec" || mode == "forks" {
				settings = append(settings, []string{"--allow", door.Threads, "--log", filepath.Join(t.TempDir(), "log")})
			}
			for i, flags := range settings {
				mark := fmt.Sprintf("CONCURRENT_TEST=%d.%s.%d", os.Getpid(), mode, i)
				report := filepath.Join(t.TempDir(), "report")
				r := sigLab.OK(t, append(slices.Clone(flags), "-e", mark, "--report", report, "-i", dir+":/t", "--", "/t/concurrent", mode)...)
				if r.Stdout != string(want) {
					t.Errorf("%v: %q, natively %q", flags, r.Stdout, want)
				}
				if used, pure := doorsOf(t, report); pure || !slices.Contains(used, door.Threads) && mode != "times" {
					t.Errorf("%v: doors %v, pure %v", flags, used, pure)
				}
				if left := marked(mark); len(left) > 0 {
					t.Errorf("%v: processes %v are left", flags, left)
				}
			}
		})
	}
	t.Run("sockets", func(t *testing.T) {
		r := sigLab.OK(t, "--allow", door.Threads, "-i", dir+":/t", "--", "/t/concurrent", "sockets")
		if want := "204800 bytes, outside: Network is unreachable, raw: -1 Operation not permitted\n"; r.Stdout != want {
			t.Errorf("%q", r.Stdout)
		}
	})
	t.Run("clocks without a stop", func(t *testing.T) {
		r := sigLab.OK(t, "--timing", "--allow", door.Threads, "-i", dir+":/t", "--", "/t/concurrent", "clocks")
		counted := regexp.MustCompile(`([0-9,]+) +[0-9.]+ ms .* entry clock_gettime`).FindStringSubmatch(r.Stderr)
		if len(counted) > 0 && len(counted[1]) > 2 { // the bad one, and that without the region
			t.Errorf("of 150,000 readings, %s stopped", counted[1])
		}
	})
	t.Run("closed", func(t *testing.T) {
		r := sigLab.Run(t, "--spin-limit", "1", "-i", dir+":/t", "--", "/t/concurrent", "spins")
		if r.Status != 124 {
			t.Errorf("two threads ran at once: status %d, %q", r.Status, r.Stdout)
		}
	})
}

// The door lets no more in than it says: one thread alone sees the same on every
// run and leaves the run pure; clocks, randomness and files are the container's.
func TestConcurrentStaysControlled(t *testing.T) {
	const script = `echo $$; cat /proc/sys/kernel/random/uuid; od -An -N8 -tx8 /dev/urandom; nproc; hostname; id -u
stat -c '%i %d %Y %u' / /etc/passwd; touch f; stat -c '%i %d %u' f; date +%Y-%m-%d; ls /proc; cat /proc/uptime`
	first := ""
	for range 3 {
		r := sigLab.OK(t, "--allow", door.Threads, "--", "/bin/sh", "-c", script)
		if first == "" {
			first = r.Stdout
		}
		if r.Stdout != first {
			t.Errorf("another run:\n%s\nand\n%s", first, r.Stdout)
		}
	}
	if closed := sigLab.OK(t, "--", "/bin/sh", "-c", "hostname; id -u; stat -c '%i %d' /etc/passwd"); !contains(first, closed.Stdout) {
		t.Errorf("not as with the door closed:\n%s\n%s", first, closed.Stdout)
	}
	report := filepath.Join(t.TempDir(), "report")
	sigLab.OK(t, "--allow", door.Threads, "--report", report, "--", "date")
	if used, pure := doorsOf(t, report); !pure || len(used) != 0 {
		t.Errorf("one thread alone: doors %v, pure %v", used, pure)
	}
	r := sigLab.Run(t, "--allow", door.Threads, "--report", report, "--", "unshare", "-n", "true")
	if r.Status == 0 || !strings.Contains(r.Stderr, "refused: unshare") {
		t.Errorf("unshare(2): status %d, %s", r.Status, r.Stderr)
	}
	if r := sigLab.Run(t, "--allow", door.Threads, "--timeout", "1", "--", "sh", "-c", "sleep 1000 & sleep 1000"); r.Status != 124 {
		t.Errorf("--timeout: status %d", r.Status)
	}
}

func contains(text, lines string) bool {
	for l := range strings.Lines(lines) {
		if !strings.Contains(text, strings.TrimSpace(l)) {
			return false
		}
	}
	return true
}

func doorsOf(t *testing.T, path string) (used []string, pure bool) {
	t.Helper()
	var r struct {
		Doors []string `json:"doors_used"`
		Pure  bool     `json:"pure"`
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Doors, r.Pure
}

// marked lists the processes of the host that have mark in their environment,
// but dettrace's own, which has it in its arguments.
func marked(mark string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		if b, err := os.ReadFile(d + "/environ"); err == nil && bytes.Contains(b, []byte(mark)) {
			n, _ := strconv.Atoi(filepath.Base(d))
			pids = append(pids, n)
		}
	}
	return pids
}

// Programs that children of vfork(2) execute, often before the event of the birth
// comes: cc1 has an instruction in it that is replaced by one that traps.
func TestConcurrentCompiler(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc")
	}
	const script = "echo 'int f;' >/tmp/a.c; for i in 1 2 3 4 5 6; do gcc -c /tmp/a.c -o /tmp/$i.o & gcc -c /tmp/a.c -o /tmp/x$i.o || exit 1; wait $! || exit 1; done; cat /tmp/*.o | wc -c"
	sigLab.OK(t, "--allow", door.Threads, "--", "sh", "-c", script)
}
