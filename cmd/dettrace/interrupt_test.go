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

// TestIgnored: signals that our parent ignores for us are ignored (nohup(1)).
func TestIgnored(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `trap '' HUP INT; exec "$0" run --stdin - -- cat`, self)
	cmd.Env = append(os.Environ(), asDettrace+"=1")
	cmd.Dir = t.TempDir()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than any pipe holds: the run goes on when it was taken.
	const size = 1 << 20
	for i := range 2 {
		if _, err := in.Write([]byte(strings.Repeat("x", size))); err != nil {
			t.Errorf("write %d: %v", i, err)
		}
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
			if err := cmd.Process.Signal(sig); err != nil {
				t.Errorf("%v: %v", sig, err)
			}
		}
	}
	_ = in.Close() // what follows says how it went
	if err := cmd.Wait(); err != nil || out.Len() != 2*size {
		t.Errorf("ended with %v, %d bytes", err, out.Len())
	}
}
