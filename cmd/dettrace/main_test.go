package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dettrace/test/lab"
)

// asDettrace in the environment makes the test binary dettrace.
const asDettrace = "TEST_AS_DETTRACE"

// TestMain lets the test binary be dettrace, and the helper processes that
// dettrace starts from its own binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if hidden := hiddenCommand(os.Args[1]); hidden != nil {
			os.Exit(hidden(os.Args[2:]))
		}
	}
	if os.Getenv(asDettrace) != "" {
		os.Exit(user())
	}
	lab.HeedSignals()
	testscript.Main(m, map[string]func(){"dettrace": func() { os.Exit(user()) }})
}

// TestScript runs the command lines that need no container.
func TestScript(t *testing.T) { scripts(t, "script") }

// TestRun runs the command lines that need one. Each file documents a flag or
// a wrong use.
func TestRun(t *testing.T) { scripts(t, "run") }

// status runs a command that must exit with a status: status N CMD [ARG...].
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N CMD [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		RequireExplicitExec: false,
		Condition: func(cond string) (bool, error) {
			return cond == "root" && os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "registry": serveRegistry, "push": push},
		Setup: func(env *testscript.Env) error {
			// The host's values that a run could learn are set here.
			env.Setenv("HOSTVALUE", "from-the-host")
			env.Setenv("HOSTILE", "exit 4 #\x1b[2J")
			// Store and cache are the script's own.
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, ".data"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			return nil
		},
	})
}
