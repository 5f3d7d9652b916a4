package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/explain"
	"dettrace/internal/hint"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/settings"
	"dettrace/internal/vary"
	"dettrace/internal/verify"
)

// Exit statuses of verify, diff and explain, as of diff(1) and cmp(1).
const (
	exitSame      = 0
	exitDifferent = 1
	exitTrouble   = 2
)

type verifyFlags struct {
	runs       int
	only       []string
	diffoscope bool
	json       bool
	junit      string
	against    string
	from       buildOf
}

func (a App) verifyCommand(status *int) *cobra.Command {
	var flags settings.Flags
	var v verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [flags] {[--] CMD [ARG...] | -f FILE}",
		Short: "Check that a command gives the same result on other hosts",
		Long: `Run CMD several times, each time on a machine that is deliberately another
one: another CPU, loaded or not, another user, umask, nice level and limits,
other clocks and process ids, another environment and directory, inputs and image
copied to another file system in another order, cached or not. Compare exit status,
output and all changed files.

Takes the flags of run that say what is run, and keeps no outputs. With --file a
build of a build file is run; what it needs of other builds must be there.

Exit status: 0 the same, 1 different, 2 CMD fails alike in every run, or
trouble; --json tells the last two apart. With --vary or --against 1 also means
that it is the same in dettrace and different elsewhere.`,
		Example: `  dettrace verify -- make
  dettrace verify -n 5 --image ./trixie -- dpkg-buildpackage -us -uc -b
  dettrace verify -f dettrace.toml
  dettrace verify --only '../*.deb' -- dpkg-buildpackage -us -uc -b
  dettrace verify --diffoscope -- make
  dettrace verify --vary all,-build_path -- make
  dettrace verify --against hello_2.10-3_amd64.deb --image ./trixie -- dpkg-buildpackage -us -uc -b
  dettrace verify --json --junit verify.xml -- make check`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			*status, err = a.verify(cmd, flags, v, args)
			return err
		},
	}
	fs := cmd.Flags()
	fs.IntVarP(&v.runs, "runs", "n", 2, "how many runs, `N`: the first on the host as it is, the others perturbed")
	fs.StringArrayVar(&v.only, "only", nil, "compare only these files, `GUEST` paths or globs; relative to the working directory (repeatable)")
	fs.BoolVar(&v.diffoscope, "diffoscope", false, "show different files with diffoscope(1)")
	fs.StringVar(&v.against, "against", "", "compare with what was built elsewhere, `FILE` (also a .buildinfo) or directory, and name the sources of what differs")
	fs.BoolVar(&v.json, "json", false, "print the result as JSON")
	fs.StringVar(&v.junit, "junit", "", "write a JUnit report to `FILE`")
	v.from.register(a, cmd)
	settings.Register(fs, &flags)
	fs.Lookup("vary").Usage = "then run with these sources of difference varied, too: is it the same outside of dettrace? all, or names with commas, - in front of one takes it out"
	for _, name := range unusedByVerify() {
		_ = fs.MarkHidden(name) // fails only for a flag that does not exist; a test covers it
	}
	fs.SortFlags = false
	registerCompletion(cmd)
	return cmd
}

// unusedByVerify are the flags of run that make no sense for runs that are compared.
func unusedByVerify() []string {
	return []string{"output", "force", "output-on-failure", "write-back", "save", "commit", "save-schedule", "record", "on-failure", "log", "trace", "report", "list-inputs", "timing", "verbose", "quiet", "messages", "state-dir", "host-order"}
}

func (a App) verify(cmd *cobra.Command, flags settings.Flags, v verifyFlags, args []string) (status int, err error) {
	if err := a.checkVerify(cmd.Flags(), flags, v); err != nil {
		return exitTrouble, err
	}
	t, err := a.trials(cmd, flags, v.from, args)
	if err != nil {
		return exitTrouble, err
	}
	defer t.end()
	a.mask = t.spec.Mask()
	defer func() { err = a.mask.Error(err) }()
	p := &verify.Program{
		Self: t.self, Flags: t.flags, Inputs: t.spec.Inputs, Command: t.command, Image: t.spec.Image, Store: t.spec.Store,
		Env: a.Host.Env, EnvKeep: t.spec.HostEnvNames, EnvAll: flags.EnvHost, Dir: t.dir, Workdir: t.spec.Workdir,
		Files: settings.ReadFiles(t.flags),
	}
	p.Only = settings.GuestPaths(v.only, p.Workdir)
	of := v.runs
	if flags.Vary != "" || v.against != "" {
		of = 0 // as many as it takes
	}
	stop, err := a.follow(t, flags.Progress, of)
	if err != nil {
		return exitTrouble, err
	}
	defer stop()
	p.Begun = t.begun
	ctx := t.ctx
	told := map[string]bool{}
	r, err := verify.Verify(ctx, p, v.runs, func(o verify.Outcome) {
		for _, n := range o.Notes {
			if !told[n] {
				a.note("%s", n)
			}
			told[n] = true
		}
	})
	if err == nil && r.Result == verify.Same {
		err = a.elsewhere(ctx, &r, p, flags, v)
	}
	stop()
	if errors.Is(err, run.ErrInterrupted) {
		return run.ExitInterrupted, err
	}
	if err != nil {
		return exitTrouble, err
	}
	if err := a.tellVerify(ctx, r, v, t.command); err != nil {
		return exitTrouble, err
	}
	if r.Elsewhere() {
		return exitDifferent, nil
	}
	switch r.Result {
	case verify.Same:
		return exitSame, nil
	case verify.Different:
		return exitDifferent, nil
	}
	a.sayRepeat(t, flags, v.from)
	return exitTrouble, nil
}

func (a App) checkVerify(fs *pflag.FlagSet, flags settings.Flags, v verifyFlags) error {
	if err := refused(fs, "verify", "to keep results: dettrace run", unusedByVerify()); err != nil {
		return err
	}
	switch {
	case v.runs < 2:
		return fmt.Errorf("--runs %d: at least 2", v.runs)
	case flags.Stdin == "-":
		return errOneStdin
	case v.diffoscope && v.json:
		return errors.New("--diffoscope and --json: one of them")
	}
	if err := settings.CheckPlace("--junit", v.junit, a.Host); err != nil {
		return err
	}
	if v.against != "" {
		if _, err := os.Stat(a.hostPath(v.against)); err != nil {
			return hint.With(fmt.Errorf("--against: %w", err), "a file, a directory or a .buildinfo that was built elsewhere")
		}
	}
	// Before anything is run; the runs inside do not have it.
	if _, err := settings.VaryPlan(flags); err != nil {
		return err
	}
	if v.diffoscope {
		if _, err := exec.LookPath("diffoscope"); err != nil {
			return hint.With(fmt.Errorf("--diffoscope: %w", err), "apt install diffoscope, or leave the flag away: differences are shown in any case")
		}
	}
	return nil
}

// elsewhere asks what --vary and --against ask of a command that is the same
// inside.
func (a App) elsewhere(ctx context.Context, r *verify.Result, v *verify.Program, flags settings.Flags, f verifyFlags) error {
	if flags.Vary == "" && f.against == "" {
		return nil
	}
	seed, err := settings.ParseSeed("--vary-seed", flags.VarySeed)
	if err != nil {
		return err
	}
	dir := filepath.Join(v.Dir.Path, "outside")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	p := &explain.Program{Self: v.Self, Flags: v.Flags, Inputs: v.Inputs, Command: v.Command, Dir: dir, Only: v.Only, Begun: v.Begun}
	o := explain.Options{Sources: vary.Names(), Seed: seed, Jobs: 1, Causes: 4}
	if flags.Vary != "" {
		plan, err := settings.VaryPlan(flags)
		if err != nil {
			return err
		}
		if r.Outside, err = p.Outside(ctx, plan); err != nil {
			return err
		}
		r.Outside.Vary = flags.Vary
		o.Sources = nil
		for _, c := range plan {
			o.Sources = append(o.Sources, c.Source)
		}
	}
	if f.against != "" {
		r.Against, err = explain.Compare(ctx, p, a.hostPath(f.against), o)
	}
	return err
}

func (a App) tellVerify(ctx context.Context, r verify.Result, v verifyFlags, args []string) error {
	var err error
	if v.junit != "" {
		err = a.save(v.junit, func(w io.Writer) error { return r.JUnit(w, rerun.Quote(args)) })
	}
	if v.json {
		return errors.Join(err, a.masked(a.Host.Stdout, r.JSON))
	}
	err = errors.Join(err, a.masked(a.Host.Stdout, r.Text))
	if v.diffoscope && r.Difference != nil && len(r.Difference.Files) > 0 {
		c := exec.CommandContext(ctx, "diffoscope", r.Difference.DirA, r.Difference.DirB)
		c.Stdout, c.Stderr = a.Host.Stdout, a.Host.Stderr
		var exit *exec.ExitError
		if e := c.Run(); e != nil && !errors.As(e, &exit) { // it exits with 1 for differences
			err = errors.Join(err, e)
		}
	}
	return err
}
