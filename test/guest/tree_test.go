package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Random trees of processes: fork, vfork, clone3, exec, threads, all forms of
// waiting, signals, timers, pipes, terminals. What has one right result is as
// on Linux, and two containers agree on the rest too, event by event.
func TestTrees(t *testing.T) {
	src, err := filepath.Glob("c/tree/*.c")
	if err != nil || len(src) == 0 {
		t.Fatal("no sources: ", err)
	}
	dir := compileAll(t, "tree", src...)
	tree := filepath.Join(dir, "tree")
	t.Cleanup(func() { killAll(tree) })
	for seed := 1; seed <= 4; seed++ {
		s := strconv.Itoa(seed)
		t.Run(s, func(t *testing.T) {
			native := exec.Command(tree, s, t.TempDir())
			// Into a file: killed processes may leave children that hold it open.
			f, err := os.Create(filepath.Join(t.TempDir(), "native"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			native.Stdout = f
			if err := native.Run(); err != nil {
				t.Fatalf("native: %v", err)
			}
			want, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			var outs, logs [2]string
			for i := range logs {
				log := filepath.Join(t.TempDir(), "log")
				r := sigLab.OK(t, "--log", log, "-i", dir+":/t", "--", "sh", "-c", "mkdir /tmp/d && exec /t/tree "+s+" /tmp/d")
				b, err := os.ReadFile(log)
				if err != nil {
					t.Fatal(err)
				}
				outs[i], logs[i] = r.Stdout, string(b)
			}
			sameLines(t, strings.Split(strings.TrimSpace(outs[0]), "\n"), string(want))
			if outs[0] != outs[1] || logs[0] != logs[1] {
				t.Error("two containers differ: compare their logs")
			}
		})
	}
}

// killAll ends what runs a program natively: of a tree whose root has ended, some
// may wait for ever.
func killAll(program string) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return
	}
	for _, l := range links {
		if exe, err := os.Readlink(l); err != nil || exe != program {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(l))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
