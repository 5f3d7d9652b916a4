package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"dettrace/internal/console"
	"dettrace/internal/hint"
	"dettrace/internal/kept"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// failureKeeper does what --on-failure asks for.
type failureKeeper struct {
	dir   string // "": nothing was asked for
	shell bool
	flags []string
}

// keeper makes the place for what is kept, below the state directory.
func (a App) keeper(spec *run.Spec, flags settings.Flags) (*failureKeeper, error) {
	k := &failureKeeper{shell: flags.OnFailure == settings.OnFailureShell}
	if flags.OnFailure == "" {
		return k, nil
	}
	var err error
	if k.dir, err = os.MkdirTemp(spec.StateDir, "dettrace-failed-"); err != nil {
		return nil, fmt.Errorf("--on-failure: %w", err)
	}
	if real, err := filepath.EvalSymlinks(k.dir); err == nil {
		settings.HideOwn(spec.Inputs, real) // its name is a random one
	}
	spec.Keep = kept.Changes(k.dir)
	k.flags = settings.Entering(*spec, flags, a.Host)
	return k, nil
}

// endKept is called after the run of spec, which ended with result. It says what was
// kept, or opens a shell in it. Calls after the first do nothing.
func (a App) endKept(ctx context.Context, k *failureKeeper, spec run.Spec, result run.Result) error {
	if k.dir == "" {
		return nil
	}
	defer func() { k.dir = "" }()
	if _, err := os.Stat(spec.Keep); errors.Is(err, os.ErrNotExist) {
		return os.RemoveAll(k.dir) // it did not fail, or not by itself
	}
	if k.shell && a.Host.Terminal != nil {
		a.say("the command failed with status %d: this is a shell in its files, directory and environment; exit ends it", result.Status)
		_, err := a.Run(ctx, entering(spec, result, a.Host.Terminal))
		if err != nil {
			err = fmt.Errorf("--on-failure shell: %w", err)
		}
		return errors.Join(err, os.RemoveAll(k.dir))
	}
	err := kept.Write(k.dir, kept.Run{Command: spec.MaskedCommand(), Status: result.Status, LogicalNS: result.LogicalNS, Flags: k.flags})
	if err != nil {
		return hint.With(fmt.Errorf("--on-failure: %w", err), "what the command had changed is in "+spec.Keep)
	}
	if k.shell {
		a.note("--on-failure shell needs a terminal on standard input: the files are kept instead")
	}
	a.say("the failed command's files are kept in %s", k.dir)
	a.say("enter them: %s", rerun.Quote([]string{"dettrace", "shell", "--resume", k.dir}))
	return nil
}

// entering is the run of a shell where the run of spec stopped.
func entering(spec run.Spec, result run.Result, host *console.Host) run.Spec {
	s := spec
	s.Command = guestShell()
	s.Resume = &run.Resume{Changes: spec.Keep, NS: result.LogicalNS}
	size := console.DefaultSize()
	if spec.Terminal != nil {
		size = spec.Terminal.Size
	}
	s.Terminal, s.Stdin, s.Progress = &console.Terminal{Size: size, Input: console.NewLive(host)}, nil, "none" // of progress.Mode: the shell has the terminal
	if !slices.Contains(s.DeclaredEnv, "TERM") {
		s.Env = settings.WithTerminal(s.Env)
	}
	s.Keep, s.Save, s.Commit, s.Report, s.InputList, s.SaveSchedule = "", "", "", "", "", ""
	s.Outputs, s.WriteBack, s.Log, s.Trace, s.Schedule, s.ScheduleSeed = nil, false, nil, nil, nil, 0
	s.Timeout, s.SpinLimit, s.Strict, s.Profile, s.Verbose = 0, 0, false, false, false
	return s
}
