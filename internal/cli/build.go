package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/build"
	"dettrace/internal/buildfile"
	"dettrace/internal/digests"
	"dettrace/internal/hint"
	"dettrace/internal/report"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

type buildFlags struct {
	cacheFlags
	noCache    bool
	only       []string
	update     bool
	frozen     bool
	locked     bool
	list       bool
	json       bool
	store      string
	report     string
	listInputs string
	verbose    bool
	progress   string
}

func (a App) buildCommand(status *int) *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [flags] [FILE|DIR]",
		Short: "Build what dettrace.toml declares, and lock it",
		Long: `Run the builds of FILE (default dettrace.toml, in DIR if that is given) and copy
their outputs beside it. The first time dettrace.lock is written: settings,
everything that was read of image and inputs, and outputs, by digest. With a lock
what differs from it is refused, until --update-lock renews it.

Results come from the cache when nothing that a build reads has changed.

Exit status: the command's of the build that failed, 125 failure of dettrace.`,
		Example: `  dettrace build
  dettrace build --update-lock
  dettrace build --frozen ~/project
  dettrace build --only tests --explain-miss
  dettrace build --list`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return hint.With(fmt.Errorf("%s: takes one file or directory, got %d arguments", cmd.CommandPath(), len(args)), "--only NAME chooses builds of the file")
			}
			return nil
		},
		DisableFlagsInUseLine: true,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			*status, err = a.build(cmd, f, args)
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.only, "only", nil, "build `NAME` and what it needs, nothing else (repeatable)")
	fs.BoolVar(&f.update, "update-lock", false, "take what is there now and renew dettrace.lock")
	fs.BoolVar(&f.frozen, "frozen", false, "never write dettrace.lock: fail if it is missing or does not have a build")
	fs.BoolVar(&f.locked, "locked", false, "the same as --frozen")
	fs.BoolVar(&f.list, "list", false, "list the builds and do nothing")
	fs.BoolVar(&f.json, "json", false, "print the result as JSON; the output of the commands goes to standard error")
	fs.StringVar(&f.store, "store", "", "`DIR` of the store of images (default as for dettrace image)")
	fs.StringVar(&f.report, "report", "", "write the JSON report of the one build to `FILE`")
	fs.StringVar(&f.listInputs, "list-inputs", "", "write everything that the one build read to `FILE` (JSON lines)")
	fs.BoolVar(&f.noCache, "no-cache", false, "neither use nor store results")
	fs.BoolVar(&f.failures, "cache-failures", false, "store builds that failed, too")
	fs.BoolVar(&f.explain, "explain-miss", false, "say on standard error why no stored result could be used")
	settings.RegisterCache(fs, &f.CacheFlags)
	fs.StringVar(&f.progress, "progress", "auto", "`HOW` to show how far a run is, on standard error: auto (a line, on a terminal), plain, json or none")
	_ = cmd.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(settings.ProgressModes(), cobra.ShellCompDirectiveNoFileComp))
	fs.BoolVar(&f.verbose, "verbose", false, "say more on standard error")
	fs.SortFlags = false
	_ = cmd.MarkFlagDirname("cache-dir")
	_ = cmd.MarkFlagDirname("store")
	_ = cmd.RegisterFlagCompletionFunc("only", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.buildNames(args), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// buildNames lists what completion offers; errors are for those who build something.
func (a App) buildNames(args []string) (names []string) {
	if file, err := a.buildFile(args); err == nil {
		if builds, err := buildfile.Read(file); err == nil {
			for _, b := range builds {
				names = append(names, b.Name)
			}
		}
	}
	return names
}

// buildFile finds the file that is meant.
func (a App) buildFile(args []string) (string, error) {
	if len(args) > 0 {
		return buildfile.Find(a.hostPath(args[0]))
	}
	return buildfile.Find(a.Host.Dir)
}

// repeatBuild is the command line that makes one build of the file again.
func repeatBuild(fs *pflag.FlagSet, one buildfile.Build, many bool, args []string) string {
	line := []string{"dettrace", "build"}
	if many {
		line = append(line, "--only="+one.Name)
	}
	for _, arg := range given(fs) {
		if !strings.HasPrefix(arg, "--only=") {
			line = append(line, arg)
		}
	}
	return rerun.Quote(append(shortBools(fs, line), args...))
}

func (a App) build(cmd *cobra.Command, f buildFlags, args []string) (int, error) {
	f.frozen = f.frozen || f.locked
	if f.frozen && f.update {
		return run.ExitFailure, errors.New("--frozen and --update-lock: one of them")
	}
	file, err := a.buildFile(args)
	if err != nil {
		return run.ExitFailure, err
	}
	builds, err := buildfile.Read(file)
	if err == nil {
		builds, err = buildfile.Select(builds, f.only)
	}
	if err != nil {
		return run.ExitFailure, err
	}
	if f.list {
		return 0, listBuilds(a.Host.Stdout, builds, f.json)
	}
	if (f.report != "" || f.listInputs != "") && len(builds) != 1 {
		return run.ExitFailure, hint.With(fmt.Errorf("--report and --list-inputs are for one build, these are %d", len(builds)), "dettrace.lock has all; or choose one with --only NAME")
	}
	f.use = !f.noCache
	b, err := a.newBuilder(f, file)
	if err == nil {
		err = b.ReadLock()
	}
	if err != nil {
		return run.ExitFailure, err
	}
	for _, one := range builds {
		status, err := b.Build(cmd.Context(), one)
		repeat := ""
		if b.Ran && failed(status, err) {
			repeat = repeatBuild(cmd.Flags(), one, b.Many, args)
		}
		if err != nil && len(builds) > 1 {
			err = hint.With(fmt.Errorf("build %s: %w", one.Name, err), hint.Of(err))
		}
		if err != nil || status != 0 {
			err = errors.Join(err, a.tellBuilt(b, f))
			if err != nil && repeat != "" {
				return status, &failedRun{err, repeat}
			}
			if repeat != "" {
				a.say("repeat: %s", repeat)
			}
			return status, err
		}
	}
	if err := b.WriteLock(); err != nil {
		return run.ExitFailure, err
	}
	return 0, a.tellBuilt(b, f)
}

// newBuilder is one for the builds of a file, with the cache if f says so.
func (a App) newBuilder(f buildFlags, file string) (*build.Builder, error) {
	o := build.Options{
		Host: a.Host, Interrupt: a.Interrupt, Store: f.store, Verbose: f.verbose, Progress: f.progress,
		Only: f.only, Update: f.update, Frozen: f.frozen,
	}
	if o.Store == "" {
		o.Store, _ = settings.Lookup(a.Host.Env, "DETTRACE_STORE")
	}
	for _, p := range []struct {
		name string
		to   *string
	}{{o.Store, &o.Store}, {f.report, &o.Report}, {f.listInputs, &o.InputList}} {
		if p.name != "" {
			*p.to = a.hostPath(p.name)
		}
	}
	if f.json {
		o.Stdout = a.Host.Stderr
	}
	info, _ := debug.ReadBuildInfo()
	o.Version = versionText(info)
	var err error
	if o.Run, err = a.runner(f.cacheFlags, f.verbose); err != nil {
		return nil, err
	}
	if f.use {
		if dir, _, err := settings.ResolveCache(f.CacheFlags, a.Host); err == nil {
			o.Digests = digests.Open(filepath.Join(dir, "digests"))
		}
	}
	return build.New(file, o)
}

// tellBuilt prints what was done.
func (a App) tellBuilt(b *build.Builder, f buildFlags) error {
	if f.json {
		return writeJSON(a.Host.Stdout, struct {
			Builds []build.Result `json:"builds"`
			Lock   string         `json:"lock"`
			Wrote  bool           `json:"lock_written"`
		}{b.Results, b.LockPath, b.Changed && !f.frozen})
	}
	for _, r := range b.Results {
		if r.Status != 0 {
			continue // its own output said why
		}
		how := "built"
		if r.Cached {
			how = "unchanged"
		}
		a.say("%s: %s, %s", r.Name, how, report.Plural(len(r.Outputs), "file"))
	}
	return nil
}

func listBuilds(w io.Writer, builds []buildfile.Build, asJSON bool) error {
	type item struct {
		Name  string   `json:"name"`
		Needs []string `json:"needs"`
	}
	list := []item{}
	for _, b := range builds {
		i := item{b.Name, []string{}}
		for _, n := range b.Needs {
			i.Needs = append(i.Needs, n.Build)
		}
		list = append(list, i)
	}
	if asJSON {
		return writeJSON(w, list)
	}
	for _, i := range list {
		line := i.Name
		if len(i.Needs) > 0 {
			line += " (needs " + strings.Join(i.Needs, ", ") + ")"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
