package isolation

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dettrace/test/lab"
)

// A process of the guest that somebody on the host kills (as the kernel does
// when memory is short) ends the run: no answer would be the right one.
func TestKilledFromOutside(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"the child that runs", `sh -c 'echo up; while :; do echo -n; done'; echo wrong`},
		{"a child that waits", `sh -c 'echo up; read x <&4' 4<>fifo & sleep 1; read line; wait; echo wrong`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), lab.Limit)
			defer cancel()
			cmd := exec.CommandContext(ctx, l.Kit.Dettrace, "run", "--stdin=-", "--", "sh", "-c", "mkfifo fifo; "+tt.script)
			cmd.Dir = t.TempDir()
			var stderr strings.Builder
			cmd.Stderr = &stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(out)
			line, err := r.ReadString('\n')
			if err != nil || line != "up\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if err := syscall.Kill(guestLeaf(t, cmd.Process.Pid), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			in.Close()
			rest, _ := r.ReadString(0)
			err = cmd.Wait()
			if cmd.ProcessState.ExitCode() != 125 || !strings.Contains(stderr.String(), "killed from outside the container") || rest != "" {
				t.Errorf("%v, stdout %q\n%s", err, rest, stderr.String())
			}
		})
	}
}

// guestLeaf finds the youngest descendant of pid that has no children.
func guestLeaf(t *testing.T, pid int) int {
	t.Helper()
	leaf := pid
	for {
		next := 0
		files, _ := filepath.Glob("/proc/" + strconv.Itoa(leaf) + "/task/*/children")
		for _, f := range files {
			b, _ := os.ReadFile(f)
			for _, w := range strings.Fields(string(b)) {
				if c, _ := strconv.Atoi(w); c > next && !strings.Contains(cmdline(c), "__detfs") {
					next = c
				}
			}
		}
		if next == 0 {
			return leaf
		}
		leaf = next
	}
}

func cmdline(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return string(b)
}
