package guest

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"dettrace/test/lab"
)

// rounds makes the programs of random cases run with more seeds.
var rounds = flag.Int("rounds", 3, "seeds of each program of random cases")

// differential runs c/name.c SEED N, a program of random cases whose results
// Linux determines, on this host and in containers with and without fast paths,
// and wants the same of all.
func differential(t *testing.T, name string, n int, flags ...string) {
	t.Helper()
	dir := compile(t, name)
	for seed := 1; seed <= *rounds; seed++ {
		t.Run("seed "+strconv.Itoa(seed), func(t *testing.T) {
			differs(t, dir, name, flags, strconv.Itoa(seed), strconv.Itoa(n))
		})
	}
}

// differs is differential for one seed.
func differs(t *testing.T, dir, name string, flags []string, args ...string) {
	t.Helper()
	native := lab.Do(t, exec.Command(filepath.Join(dir, name), args...))
	if native.Status != 0 {
		t.Fatalf("natively: status %d\n%s%s", native.Status, native.Stdout, native.Stderr)
	}
	for _, more := range [][]string{nil, {"--no-fast-paths"}} {
		run := append(append(append(flags[:len(flags):len(flags)], more...), "-i", dir+":/t", "--", "/t/"+name), args...)
		got := sigLab.OK(t, run...).Stdout
		if got == native.Stdout {
			continue
		}
		line, from := 1, 0
		for i := range min(len(got), len(native.Stdout)) {
			if got[i] != native.Stdout[i] {
				break
			}
			if got[i] == '\n' {
				line, from = line+1, i+1
			}
		}
		t.Fatalf("flags %v, line %d\ngot  %s\nwant %s\nafter\n%s", more, line,
			head(got[from:], 300), head(native.Stdout[from:], 300), tail(got[:from], 1500))
	}
}

func head(s string, n int) string { return s[:min(len(s), n)] }
func tail(s string, n int) string { return s[max(len(s)-n, 0):] }

// What the kernel's scheduler is told of threads is kept, and refused, as on Linux.
func TestSchedulerAttributes(t *testing.T) {
	if nice, _ := syscall.Getpriority(syscall.PRIO_PROCESS, 0); nice != 20 && os.Getuid() != 0 {
		t.Skip("needs to begin at nice level 0, which a plain user cannot go back to")
	}
	differential(t, "sched_attr", 30, "--cpus", "2")
}

// Actions, masks, pending signals, handlers within handlers, waits, timers,
// children, threads and interrupted calls: thousands of random cases.
func TestRandomSignals(t *testing.T) { differential(t, "sig_random", 40) }

// Waiters and what wakes and moves them, locks in all states, lists of dead
// owners and errors of futex(2) and futex_waitv(2).
func TestRandomFutexes(t *testing.T) { differential(t, "futex_random", 60) }
