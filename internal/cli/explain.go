package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/explain"
	"dettrace/internal/hint"
	"dettrace/internal/run"
	"dettrace/internal/settings"
	"dettrace/internal/vary"
)

type explainFlags struct {
	options explain.Options
	only    []string
	json    bool
	html    string
	from    buildOf
}

func (a App) explainCommand(status *int) *cobra.Command {
	var flags settings.Flags
	var e explainFlags
	cmd := &cobra.Command{
		Use:   "explain [flags] {[--] CMD [ARG...] | -f FILE}",
		Short: "Tell which sources of nondeterminism reach the results of a command",
		Long: `Run CMD with everything fixed, then with one source of difference varied at a
time, and tell which source reaches which file. What has events (clock reads,
random draws, listings, process numbers, ...) is narrowed down by bisection to
the use that matters: its process, the first write that differs, also into a
file that is deleted later, and from there to each output, into archives and
packages. Sources that act only together are found, too.

Takes the flags of run that say what is run, and keeps no outputs. With --file a
build of a build file is run; what it needs of other builds must be there.
--vary says which sources are tried (all unless given).

Exit status: 0 no source reaches anything, 1 one does, 2 CMD fails or trouble.`,
		Example: `  dettrace explain -- make
  dettrace explain --only '../*.deb' --image ./trixie -- dpkg-buildpackage -us -uc -b
  dettrace explain -f dettrace.toml --build app
  dettrace explain --vary all,-build_path --html why.html -- make
  dettrace explain --json --jobs 2 -- ./configure`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			*status, err = a.explain(cmd, flags, e, args)
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&e.only, "only", nil, "only these files count, `GUEST` paths or globs; relative to the working directory (repeatable)")
	fs.StringVar(&e.html, "html", "", "write a page with files, causes and logs to `FILE`")
	fs.BoolVar(&e.json, "json", false, "print the result as JSON")
	fs.IntVar(&e.options.Jobs, "jobs", 1, "runs at once, `J`: the result is the same")
	fs.IntVar(&e.options.Causes, "causes", 8, "narrow down at most `N` uses of a source")
	e.from.register(a, cmd)
	settings.Register(fs, &flags)
	for _, name := range unusedByVerify() {
		_ = fs.MarkHidden(name) // fails only for a flag that does not exist; a test covers it
	}
	fs.Lookup("vary").Usage = "the sources to try: all, or names with commas, - in front of one takes it out (docs/explain.md)"
	fs.SortFlags = false
	registerCompletion(cmd)
	return cmd
}

// sources are those to try.
func (e *explainFlags) sources(flags *settings.Flags) error {
	list := flags.Vary
	if list == "" {
		list = "all"
	}
	plan, err := vary.Parse(list, 1)
	if err != nil {
		return err
	}
	if len(plan) == 0 {
		return hint.With(errors.New("--vary: no source to try"), "leave the flag out for all")
	}
	for _, c := range plan {
		if c.Ranges != nil || c.Seed != 1 {
			return errors.New("--vary: explain chooses seeds and events itself; --vary-seed sets the first seed")
		}
		e.options.Sources = append(e.options.Sources, c.Source)
	}
	flags.Vary = "none"
	return nil
}

func (e *explainFlags) check(fs *pflag.FlagSet, flags settings.Flags) error {
	if err := refused(fs, "explain", "to keep results: dettrace run", unusedByVerify()); err != nil {
		return err
	}
	switch {
	case e.options.Jobs < 1:
		return fmt.Errorf("--jobs %d: at least 1", e.options.Jobs)
	case e.options.Causes < 1:
		return fmt.Errorf("--causes %d: at least 1", e.options.Causes)
	case flags.Stdin == "-":
		return errOneStdin
	}
	return nil
}

func (a App) explain(cmd *cobra.Command, flags settings.Flags, e explainFlags, args []string) (status int, err error) {
	if err := errors.Join(e.check(cmd.Flags(), flags), e.sources(&flags), settings.CheckPlace("--html", e.html, a.Host)); err != nil {
		return exitTrouble, err
	}
	if e.options.Seed, err = settings.ParseSeed("--vary-seed", flags.VarySeed); err != nil {
		return exitTrouble, err
	}
	t, err := a.trials(cmd, flags, e.from, args)
	if err != nil {
		return exitTrouble, err
	}
	defer t.end()
	a.mask = t.spec.Mask()
	defer func() { err = a.mask.Error(err) }()
	p := &explain.Program{Self: t.self, Flags: t.flags, Inputs: t.spec.Inputs, Command: t.command, Dir: t.dir.Path, Only: settings.GuestPaths(e.only, t.spec.Workdir)}
	stop, err := a.follow(t, flags.Progress, 0)
	if err != nil {
		return exitTrouble, err
	}
	p.Begun = t.begun
	r, err := explain.Explain(t.ctx, p, e.options)
	stop()
	if errors.Is(err, run.ErrInterrupted) {
		return run.ExitInterrupted, err
	}
	if err == nil && e.html != "" {
		err = a.save(e.html, func(w io.Writer) error { return r.HTML(w) })
	}
	if err == nil {
		if e.json {
			err = a.masked(a.Host.Stdout, r.JSON)
		} else {
			err = a.masked(a.Host.Stdout, r.Text)
		}
	}
	switch {
	case err != nil:
		return exitTrouble, err
	case r.Result == explain.BuildFailed:
		a.sayRepeat(t, flags, e.from)
		return exitTrouble, nil
	case r.Result == explain.Unreproducible:
		return exitDifferent, nil
	}
	return exitSame, nil
}
