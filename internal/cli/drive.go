package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/buildfile"
	"dettrace/internal/hint"
	"dettrace/internal/progress"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/scratch"
	"dettrace/internal/settings"
)

// What the commands share that make many runs: hunt, verify, explain.

// trials are runs of one command by processes of their own.
type trials struct {
	ctx     context.Context // ended by Ctrl-C and the like
	self    string          // our binary
	dir     *scratch.Dir
	spec    run.Spec
	flags   []string // of run, with absolute paths; without those of inputs
	hide    []string // of them, what keeps dir from the guest
	command []string
	runs    atomic.Int64 // begun
	end     func()
}

// begun counts a run.
func (t *trials) begun() { t.runs.Add(1) }

// follow tells, as --progress says, how many runs have begun of so many, 0 if nobody
// knows, until stop is called; what a says meanwhile goes beside it.
func (a *App) follow(t *trials, how string, of int) (stop func(), err error) {
	mode, columns, err := settings.Progress(how, a.Host)
	if err != nil || mode == "" || mode == progress.None {
		return func() {}, err
	}
	p := progress.New(a.Host.Stderr, mode, columns)
	a.Host.Stderr = p.Beside(a.Host.Stderr)
	return sync.OnceFunc(p.Follow(func(seconds float64) progress.Sample {
		return progress.Runs{Run: t.runs.Load(), Of: int64(of), Seconds: seconds}
	})), nil
}

// trials prepares runs of what flags and args say, or of a build of a file. The
// caller calls end.
func (a App) trials(cmd *cobra.Command, flags settings.Flags, from buildOf, args []string) (*trials, error) {
	t := &trials{command: args}
	host := a.Host
	var err error
	if from.file != "" {
		if err := from.check(cmd.Flags(), args); err != nil {
			return nil, err
		}
		t.spec, flags, host.Dir, err = a.declared(from, cmd.Flags(), flags)
		t.command = t.spec.Command
	} else {
		flags = settings.Bare(flags)
		// What run would refuse is refused once, and before anything is run.
		t.spec, err = settings.Resolve(flags, args, host)
	}
	if err != nil {
		return nil, err
	}
	t.flags = append(settings.Absolute(settings.Args(flags), t.spec, flags, host), settings.HideArgs(t.spec.Inputs)...)
	if t.self, err = scratch.Self(); err != nil {
		return nil, err
	}
	if t.dir, err = scratch.New(t.self, "dettrace-"+cmd.Name()+"-"); err != nil {
		return nil, err
	}
	// Directories for temporary files may be in an input; ours is in none.
	if real, err := filepath.EvalSymlinks(t.dir.Path); err == nil {
		for _, value := range settings.HideBelow(t.spec.Inputs, real) {
			t.hide = append(t.hide, "--hide="+value)
		}
	}
	t.flags = append(t.flags, t.hide...)
	ctx, cancel := a.interruptible(cmd.Context())
	t.ctx = ctx
	t.end = func() {
		cancel(nil)
		t.dir.Close()
	}
	return t, nil
}

// sayRepeat names the command line of one run of what failed in all of them.
func (a App) sayRepeat(t *trials, flags settings.Flags, from buildOf) {
	line := []string{"dettrace", "run"}
	if from.file == "" {
		line = append(line, settings.Pinned(settings.Args(settings.Bare(flags)), t.spec, flags)...)
		line = append(append(line, "--"), t.command...)
	} else {
		line[1] = "build"
		if from.name != "" {
			line = append(line, "--only="+from.name)
		}
		line = append(line, from.file)
	}
	a.say("repeat: %s", rerun.Quote(line))
}

// refused are the flags of run that a command that makes many runs does not
// take.
func refused(fs *pflag.FlagSet, command, advice string, names []string) error {
	for _, name := range names {
		if fs.Changed(name) {
			return hint.With(fmt.Errorf("--%s: not a flag of %s", name, command), advice)
		}
	}
	return nil
}

// errOneStdin refuses standard input for several runs.
var errOneStdin = hint.With(errors.New("--stdin -: every run needs the same input"), "put it into a file")

// interruptible is ctx, ended by Ctrl-C and the like.
func (a App) interruptible(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-a.Interrupt:
			cancel(run.ErrInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// given are the flags on the command line, in the order of the help.
func given(fs *pflag.FlagSet) (args []string) {
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "help" {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args
}

// buildOf names a build of a build file, as what is run.
type buildOf struct{ file, name string }

func (b *buildOf) register(a App, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&b.file, "file", "f", "", "run a build of the build `FILE`, or of dettrace.toml in a directory, instead of a command")
	cmd.Flags().StringVar(&b.name, "build", "", "with --file: the build `NAME`, if the file has several")
	_ = cmd.MarkFlagFilename("file", "toml") // fails only for a flag that does not exist; a test covers it
	_ = cmd.RegisterFlagCompletionFunc("build", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.buildNames([]string{cmp.Or(b.file, ".")}), cobra.ShellCompDirectiveNoFileComp
	})
}

// beside are the flags of run that may stand beside --file.
func beside() []string {
	return []string{"store", "timeout", "spin-limit", "no-fast-paths", "vary", "vary-seed", "progress"}
}

func (b buildOf) check(fs *pflag.FlagSet, args []string) error {
	if len(args) > 0 {
		return hint.With(errors.New("--file and a command: one of them"), "the build file says what is run; --build NAME chooses a build")
	}
	var err error
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings.Register(own, new(settings.Flags))
	own.VisitAll(func(f *pflag.Flag) {
		if fs.Changed(f.Name) && !slices.Contains(beside(), f.Name) && err == nil {
			err = hint.With(fmt.Errorf("--file and --%s: one of them", f.Name), "the build file says what is run")
		}
	})
	return err
}

// declared is the build that from means, its flags, and the directory that its
// relative paths start at. Builds that it needs must have been made.
func (a App) declared(from buildOf, fs *pflag.FlagSet, given settings.Flags) (spec run.Spec, flags settings.Flags, dir string, err error) {
	fail := func(err error) (run.Spec, settings.Flags, string, error) { return run.Spec{}, flags, "", err }
	file, err := a.buildFile([]string{from.file})
	if err != nil {
		return fail(err)
	}
	builds, err := buildfile.Read(file)
	if err != nil {
		return fail(err)
	}
	if from.name == "" {
		if len(builds) > 1 {
			var names []string
			for _, b := range builds {
				names = append(names, b.Name)
			}
			return fail(hint.With(fmt.Errorf("%s: has %d builds", file, len(builds)), "choose one with --build: "+strings.Join(names, ", ")))
		}
		from.name = builds[0].Name
	}
	if builds, err = buildfile.Select(builds, []string{from.name}); err != nil {
		return fail(err)
	}
	b, err := a.newBuilder(buildFlags{store: given.Store}, file)
	if err != nil {
		return fail(err)
	}
	one := builds[len(builds)-1]
	for _, need := range builds[:len(builds)-1] {
		if err := b.Found(need); err != nil {
			return fail(err)
		}
	}
	if fs.Changed("timeout") {
		one.Flags.Timeout = given.Timeout
	}
	one.Flags.SpinLimit, one.Flags.NoFastPaths = given.SpinLimit, given.NoFastPaths
	spec, err = b.Spec(one)
	if err != nil {
		return fail(err)
	}
	flags = settings.Bare(one.Flags)
	flags.Store = b.Store()
	return spec, flags, b.Dir(), nil
}
