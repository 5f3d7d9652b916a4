package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/hint"
	"dettrace/internal/hunt"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// exitFound is the exit status of a hunt that found a schedule.
const exitFound = 1

type huntFlags struct {
	options hunt.Options
	json    bool
	junit   string
}

func (a App) huntCommand(status *int) *cobra.Command {
	var flags settings.Flags
	var h huntFlags
	cmd := &cobra.Command{
		Use:   "hunt [flags] [--] CMD [ARG...]",
		Short: "Look for an order of threads in which a command fails",
		Long: `Run CMD under one schedule after the other until it fails: by its exit
status, a signal, a deadlock or --timeout; with --differ, until its output or
the files it changes differ from those in the default order. Then the schedule
is shrunk to the fewest decisions with which it still fails, and the switches
from thread to thread that they cause are named.

Takes the flags of run that say what is run, and keeps no outputs.

Exit status: 0 no schedule failed, 1 one did, 125 failure of dettrace.`,
		Example: `  dettrace hunt -- ./test
  dettrace hunt --schedules 1000 --jobs 2 --timeout 60 -- ./test
  dettrace hunt --differ --cpus 4 -- ./render
  dettrace hunt --save-schedule race.json -- ./test
  dettrace run --schedule race.json -- ./test
  dettrace hunt --json --junit hunt.xml -- make check`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			*status, err = a.hunt(cmd, flags, h, args)
			return err
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&h.options.Schedules, "schedules", 100, "most schedules to try, `N`")
	fs.Uint64Var(&h.options.First, "first", 1, "schedule seed `N` of the first")
	fs.IntVar(&h.options.Jobs, "jobs", 1, "runs at once, `J`: the result is the same")
	fs.BoolVar(&h.options.Differ, "differ", false, "another result than in the default order is a failure, and a failure alone is none")
	fs.IntVar(&h.options.Shrinks, "shrink-runs", 500, "most runs `N` for shrinking; 0: do not shrink")
	fs.BoolVar(&h.json, "json", false, "print the result as JSON")
	fs.StringVar(&h.junit, "junit", "", "write a JUnit report to `FILE`")
	settings.Register(fs, &flags)
	for _, name := range unusedByHunt() {
		_ = fs.MarkHidden(name) // fails only for a flag that does not exist; a test covers it
	}
	fs.Lookup("save-schedule").Usage = "write the shrunk schedule to `FILE`"
	fs.SortFlags = false
	registerCompletion(cmd)
	return cmd
}

// unusedByHunt are the flags of run that make no sense for many runs.
func unusedByHunt() []string {
	return []string{"output", "force", "output-on-failure", "write-back", "save", "commit", "schedule-seed", "schedule", "vary", "vary-seed", "record", "on-failure", "log", "trace", "report", "list-inputs", "timing", "verbose", "quiet"}
}

func (a App) hunt(cmd *cobra.Command, flags settings.Flags, h huntFlags, args []string) (status int, err error) {
	if err := cmp.Or(h.check(cmd.Flags(), flags), settings.CheckPlace("--junit", h.junit, a.Host), settings.CheckPlace("--save-schedule", flags.SaveSchedule, a.Host)); err != nil {
		return run.ExitFailure, err
	}
	t, err := a.trials(cmd, flags, buildOf{}, args)
	if err != nil {
		return run.ExitFailure, err
	}
	defer t.end()
	a.mask = t.spec.Mask()
	defer func() { err = a.mask.Error(err) }()
	p := &hunt.Program{Path: t.self, Flags: settings.Pinned(settings.Args(settings.Bare(flags)), t.spec, flags), Own: t.hide, Command: args, Dir: t.dir.Path}
	stop, err := a.follow(t, flags.Progress, 0)
	if err != nil {
		return run.ExitFailure, err
	}
	p.Begun = t.begun
	f, err := hunt.Hunt(t.ctx, h.options, p.Run, func(t hunt.Trial) {
		if t.Failed && h.options.Shrinks > 0 {
			a.say("schedule seed %d fails: %s; shrinking", t.Seed, t.Outcome.How())
		}
	})
	stop()
	if errors.Is(err, run.ErrInterrupted) {
		return run.ExitInterrupted, err
	}
	if err != nil && !errors.Is(err, hunt.ErrNotRepeated) {
		return run.ExitFailure, err
	}
	return a.tell(f, p, h, flags, err)
}

// tell writes the results to where they were asked for.
func (a App) tell(f hunt.Finding, p *hunt.Program, h huntFlags, flags settings.Flags, err error) (int, error) {
	saved := ""
	if flags.SaveSchedule != "" && f.Shrunk != nil {
		saved = flags.SaveSchedule
		err = errors.Join(err, a.save(saved, f.Shrunk.Write))
	}
	if h.junit != "" {
		err = errors.Join(err, a.save(h.junit, func(w io.Writer) error { return f.JUnit(w, p) }))
	}
	if h.json {
		err = errors.Join(err, a.masked(a.Host.Stdout, func(w io.Writer) error { return f.JSON(w, p, saved) }))
	} else {
		err = errors.Join(err, a.masked(a.Host.Stdout, func(w io.Writer) error { return f.Text(w, p, saved) }))
	}
	switch {
	case err != nil:
		return run.ExitFailure, err
	case f.Found:
		return exitFound, nil
	}
	return 0, nil
}

func (h huntFlags) check(fs *pflag.FlagSet, flags settings.Flags) error {
	if err := refused(fs, "hunt", "repeat the run that hunt finds with it", unusedByHunt()); err != nil {
		return err
	}
	o := h.options
	switch {
	case o.Schedules < 1:
		return fmt.Errorf("--schedules %d: at least 1", o.Schedules)
	case o.First == 0:
		return errors.New("--first 0: seed 0 is the default order, which is tried in any case")
	case o.Jobs < 1:
		return fmt.Errorf("--jobs %d: at least 1", o.Jobs)
	case o.Shrinks < 0:
		return fmt.Errorf("--shrink-runs %d: not negative", o.Shrinks)
	case flags.Stdin == "-":
		return errOneStdin
	case flags.SaveSchedule != "" && o.Shrinks == 0:
		return hint.With(errors.New("--save-schedule without shrinking"), "repeat the run that hunt finds with it")
	}
	return nil
}
