// Package lab runs the binary under test for the end-to-end tests: it builds
// dettrace and the probe programs once per test binary, and runs commands in
// containers under a limit of wall time.
package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dettrace/test/probes"
)

// Limit is the wall time that any single run may take.
const Limit = 30 * time.Second

// Lab is one built binary with its probes.
type Lab struct {
	Kit *probes.Kit
}

// Main builds the lab into *l, runs the tests and cleans up. DETTRACE names a
// binary to test instead of one built from this tree.
func Main(m *testing.M, l *Lab) int {
	HeedSignals()
	tmp, err := os.MkdirTemp("", "lab")
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 2
	}
	defer os.RemoveAll(tmp)
	kit, err := probes.Build(tmp, filepath.Join("..", ".."), os.Getenv("DETTRACE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 2
	}
	l.Kit = kit
	return m.Run()
}

// HeedSignals has commands that are started from now on end by SIGINT and SIGHUP, also
// where who started the tests ignores them: nohup(1), or a shell in the background.
func HeedSignals() {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig) // execve(2) resets what is caught
		}
	}
}

// Result is how a run ended.
type Result struct {
	Stdout, Stderr string
	Status         int // as a shell would show it
	Wall           time.Duration
}

// Run is one run of dettrace: "run --image host --no-default-input -i
// KIT:/probes -w /tmp", then args, which hold further flags, "--" and the
// command.
func (l *Lab) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return l.RunIn(t, "", nil, args...)
}

// RunIn is Run with a directory and more environment.
func (l *Lab) RunIn(t testing.TB, dir string, env []string, args ...string) Result {
	t.Helper()
	c := l.Command(args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	return Do(t, c)
}

// Command is the command that Run runs.
func (l *Lab) Command(args ...string) *exec.Cmd {
	return exec.Command(l.Kit.Dettrace, append([]string{"run", "--image", "host", "--no-default-input",
		"-i", l.Kit.Dir + ":/probes", "-w", "/tmp"}, args...)...)
}

// Do runs a command under the limit.
func Do(t testing.TB, c *exec.Cmd) Result {
	t.Helper()
	return DoWithin(t, c, Limit)
}

// DoWithin is Do with another limit, for commands that make many runs.
func DoWithin(t testing.TB, c *exec.Cmd, limit time.Duration) Result {
	t.Helper()
	var out, err bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &out
	}
	c.Stderr = &err
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Setpgid = true
	start := time.Now()
	if e := c.Start(); e != nil {
		t.Fatal(e)
	}
	timer := time.AfterFunc(limit, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	e := c.Wait()
	if !timer.Stop() {
		t.Fatalf("no end after %v: %v\n%s%s", limit, c.Args, out.String(), err.String())
	}
	r := Result{Stdout: out.String(), Stderr: err.String(), Wall: time.Since(start)}
	var exit *exec.ExitError
	switch {
	case errors.As(e, &exit):
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
			r.Status = 128 + int(ws.Signal())
		} else {
			r.Status = ws.ExitStatus()
		}
	case e != nil:
		t.Fatal(e)
	}
	return r
}

// OK runs and wants status 0.
func (l *Lab) OK(t testing.TB, args ...string) Result {
	t.Helper()
	r := l.Run(t, args...)
	if r.Status != 0 {
		t.Fatalf("%v: status %d\n%s%s", args, r.Status, r.Stdout, r.Stderr)
	}
	return r
}

// Shell runs a shell script twice, wants status 0 and the same output, and
// returns it.
func (l *Lab) Shell(t testing.TB, script string) string {
	t.Helper()
	a := l.OK(t, "--", "/bin/sh", "-c", script)
	b := l.OK(t, "--", "/bin/sh", "-c", script)
	if a.Stdout != b.Stdout {
		t.Errorf("two runs differ:\n%s\n%s", a.Stdout, b.Stdout)
	}
	return strings.TrimSpace(a.Stdout)
}
