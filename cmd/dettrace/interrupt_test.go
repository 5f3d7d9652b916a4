package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestInterrupt: Ctrl-C and SIGTERM end the guest, whatever it ignores, and
// leave no mount behind.
func TestInterrupt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			cmd := exec.Command(self)
			cmd.Args = []string{"dettrace", "run", "--state-dir", dir, "--", "sh", "-c", "trap '' INT TERM; echo ready; while :; do :; done"}
			cmd.Env = append(os.Environ(), asDettrace+"=1")
			cmd.Dir = t.TempDir()
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || line != "ready\n" {
				t.Errorf("guest said %q, %v", line, err)
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
				t.Errorf("ended with %v; stderr:\n%s", err, &stderr)
			}
			if !strings.Contains(stderr.String(), "dettrace: error: interrupted\n") {
				t.Errorf("stderr:\n%s", &stderr)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left in the state directory: %v, %v", left, err)
			}
		})
	}
}
