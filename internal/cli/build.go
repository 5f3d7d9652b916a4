package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/buildfile"
	"dettrace/internal/cache"
	"dettrace/internal/digests"
	"dettrace/internal/hint"
	"dettrace/internal/lock"
	"dettrace/internal/output"
	"dettrace/internal/redact"
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
		if builds, err := readBuildFile(file); err == nil {
			for _, b := range builds {
				names = append(names, b.Name)
			}
		}
	}
	return names
}

// buildFile finds the file that is meant.
func (a App) buildFile(args []string) (string, error) {
	file := a.Host.Dir
	if len(args) > 0 {
		file = a.hostPath(args[0])
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		file = filepath.Join(file, buildfile.Name)
		_, err = os.Stat(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", hint.With(fmt.Errorf("%s: no such file", file), "docs/build-file.md has an example of one")
	}
	return file, err
}

func readBuildFile(file string) ([]buildfile.Build, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	builds, err := buildfile.Parse(b)
	if err != nil {
		return nil, hint.With(fmt.Errorf("%s: %w", file, err), hint.Of(err))
	}
	return builds, nil
}

// built is the result of one build.
type built struct {
	Name    string          `json:"name"`
	Status  int             `json:"status"`
	Cached  bool            `json:"cached"`
	Outputs []report.Output `json:"outputs"`
}

// builder works through one file.
type builder struct {
	a        App
	f        buildFlags
	dir      string // of the file
	store    string // as --store
	lockPath string
	old      *lock.File // nil: none
	new      lock.File
	changed  bool
	do       cache.Runner
	known    *digests.Cache
	made     []string            // patterns of all outputs of the file, and the lock: no inputs
	secrets  []string            // NAME=VALUE of all builds
	placed   map[string][]string // host paths of the outputs of each build
	results  []built
	many     bool // the file has more than one build
	ran      bool // the last one came so far that it was run
}

// repeatLine is the command line that makes one build of the file again.
func (b *builder) repeatLine(fs *pflag.FlagSet, one buildfile.Build, args []string) string {
	line := []string{"dettrace", "build"}
	if b.many {
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
	builds, err := readBuildFile(file)
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
	b, err := a.newBuilder(f, file)
	if err != nil {
		return run.ExitFailure, err
	}
	if err := b.readLock(); err != nil {
		return run.ExitFailure, err
	}
	b.f.use = !f.noCache
	if b.do, err = a.runner(b.f.cacheFlags, f.verbose); err != nil {
		return run.ExitFailure, err
	}
	if b.f.use {
		if dir, _, err := settings.ResolveCache(f.CacheFlags, a.Host); err == nil {
			b.known = digests.Open(filepath.Join(dir, "digests"))
		}
	}
	for _, one := range builds {
		status, err := b.one(cmd.Context(), one)
		repeat := ""
		if b.ran && failed(status, err) {
			repeat = b.repeatLine(cmd.Flags(), one, args)
		}
		if err != nil && len(builds) > 1 {
			err = hint.With(fmt.Errorf("build %s: %w", one.Name, err), hint.Of(err))
		}
		if err != nil || status != 0 {
			err = errors.Join(err, b.tell())
			if err != nil && repeat != "" {
				return status, &failedRun{err, repeat}
			}
			if repeat != "" {
				a.say("repeat: %s", repeat)
			}
			return status, err
		}
	}
	if err := b.writeLock(builds); err != nil {
		return run.ExitFailure, err
	}
	return 0, b.tell()
}

// newBuilder is one for the builds of a file.
func (a App) newBuilder(f buildFlags, file string) (*builder, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	b := &builder{a: a, f: f, dir: dir, store: f.store, placed: make(map[string][]string)}
	if b.store == "" {
		b.store, _ = settings.Lookup(a.Host.Env, "DETTRACE_STORE")
	}
	if b.store != "" {
		b.store = a.hostPath(b.store)
	}
	b.lockPath = filepath.Join(b.dir, strings.TrimSuffix(filepath.Base(file), ".toml")+".lock")
	return b, b.hide(file)
}

// found takes the outputs that a build left beside the file at another time.
func (b *builder) found(one buildfile.Build) error {
	for _, o := range one.Flags.Outputs {
		out, err := settings.ParseOutput(o, one.Flags.Workdir, b.dir)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(out.Host); err != nil {
			return hint.With(fmt.Errorf("needs build:%s: %w", one.Name, err), "dettrace build --only "+one.Name+" makes it")
		}
		b.placed[one.Name] = append(b.placed[one.Name], out.Host)
	}
	return nil
}

func (b *builder) readLock() error {
	f, err := os.Open(b.lockPath)
	if errors.Is(err, fs.ErrNotExist) {
		if b.f.frozen {
			return hint.With(fmt.Errorf("%s: no such file, and --frozen does not make it", b.lockPath), "dettrace build without --frozen writes it")
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	old, err := lock.Read(f)
	if err != nil && b.f.update {
		return nil // made anew
	}
	if err != nil {
		return hint.With(fmt.Errorf("%s: %w", b.lockPath, err), hint.Of(err))
	}
	b.old = old
	return nil
}

// hide finds what builds of the file make: a build must not see what it, or
// another one that it does not need, made the last time.
func (b *builder) hide(file string) error {
	all, err := readBuildFile(file)
	if err != nil {
		return err
	}
	b.many = len(all) > 1
	b.made = []string{output.HostPattern("", b.lockPath)}
	for _, one := range all {
		for _, o := range one.Flags.Outputs {
			out, err := settings.ParseOutput(o, one.Flags.Workdir, b.dir)
			if err != nil {
				return hint.With(fmt.Errorf("build %s: %w", one.Name, err), hint.Of(err))
			}
			b.made = append(b.made, output.HostPattern(out.Guest, out.Host))
		}
	}
	return nil
}

// below gives the patterns of b.made inside an input.
func (b *builder) below(host string) []string {
	var out []string
	for _, p := range b.made {
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(output.HostPattern("", host), "/")+"/"); ok {
			out = append(out, "/"+rest)
		}
	}
	return out
}

// one runs one build.
func (b *builder) one(ctx context.Context, one buildfile.Build) (int, error) {
	b.ran = false
	spec, err := b.spec(one)
	if err != nil {
		return run.ExitFailure, err
	}
	b.secrets = append(b.secrets, spec.SecretPairs()...)
	var locked *lock.Build
	if b.old != nil && !b.f.update {
		locked = b.old.Builds[one.Name]
	}
	if locked == nil && b.f.frozen {
		return run.ExitFailure, hint.With(fmt.Errorf("not in %s, and --frozen does not add it", b.lockPath), "dettrace build without --frozen adds it")
	}
	if locked != nil {
		diff, err := locked.Check(&spec, func() (run.Layers, error) { return run.OpenLayers(&spec, b.known, nil) })
		if err != nil {
			return run.ExitFailure, err
		}
		_ = b.known.Flush() // slower next time, no more
		if len(diff) > 0 {
			return run.ExitFailure, hint.With(errors.New("not what is locked:\n  "+strings.Join(diff, "\n  ")), "--update-lock takes what is there now")
		}
	}
	spec.Accept = func(made []report.Output) error {
		if locked == nil {
			return nil
		}
		if diff := locked.CheckOutputs(made); len(diff) > 0 {
			return hint.With(errors.New("all inputs are as locked, but not the outputs:\n  "+strings.Join(diff, "\n  ")),
				"the kernel or the CPU of another host can be the reason (docs/guarantees.md); dettrace verify looks for others")
		}
		return nil
	}
	result, err := b.do(ctx, spec)
	b.ran = true
	if err != nil || result.Status != 0 {
		if err != nil && result.Status == 0 {
			result.Status = run.ExitFailure
		}
		b.results = append(b.results, built{one.Name, result.Status, result.Report.Host.Cached, []report.Output{}})
		return result.Status, err
	}
	for _, o := range spec.Outputs {
		b.placed[one.Name] = append(b.placed[one.Name], o.Host)
	}
	made := lock.Of(&spec, result.Learned, result.Report.Outputs)
	b.results = append(b.results, built{one.Name, 0, result.Report.Host.Cached, made.Outputs})
	if locked != nil {
		made = locked // what it would be, down to the version
	} else {
		b.changed = true
	}
	if b.new.Builds == nil {
		b.new.Builds = make(map[string]*lock.Build)
	}
	b.new.Builds[one.Name] = made
	return 0, nil
}

// spec resolves one build: relative paths start at the file's directory, and
// nothing comes from the host's environment but secrets.
func (b *builder) spec(one buildfile.Build) (run.Spec, error) {
	host := b.a.Host
	host.Dir = b.dir
	flags := one.Flags
	flags.Store, flags.Verbose, flags.Progress = b.store, b.f.verbose, b.f.progress
	for _, n := range one.Needs {
		outputs := b.placed[n.Build]
		if len(outputs) == 0 {
			return run.Spec{}, hint.With(fmt.Errorf("needs build:%s, which has no outputs", n.Build), "outputs are what a build hands on")
		}
		for _, o := range outputs {
			guest := n.Guest
			switch {
			case guest == "":
				guest = "/build/" + filepath.Base(o)
			case len(outputs) > 1:
				guest = path.Join(guest, filepath.Base(o))
			}
			flags.Inputs = append(flags.Inputs, o+":"+guest)
		}
	}
	spec, err := settings.Resolve(flags, one.Command, host)
	if err != nil {
		return spec, err
	}
	for i := range spec.Inputs {
		spec.Inputs[i].Hide = b.below(spec.Inputs[i].Host)
	}
	spec.Interrupt = b.a.Interrupt
	if b.f.json {
		spec.Stdout = host.Stderr
	}
	for _, w := range []struct {
		name string
		to   *string
	}{{b.f.report, &spec.Report}, {b.f.listInputs, &spec.InputList}} {
		if w.name != "" {
			*w.to = b.a.hostPath(w.name)
		}
	}
	return spec, nil
}

// writeLock writes the lock if something in it is new. Builds that were not
// chosen keep what they had; those that are no more in the file go.
func (b *builder) writeLock(selected []buildfile.Build) error {
	if !b.changed || b.f.frozen {
		return nil
	}
	if b.old != nil && len(b.f.only) > 0 {
		for name, have := range b.old.Builds {
			if b.new.Builds[name] == nil {
				b.new.Builds[name] = have
			}
		}
	}
	info, _ := debug.ReadBuildInfo()
	b.new.Dettrace = versionText(info)
	return output.SaveFunc(b.lockPath, output.Options{Force: true}, func(w io.Writer) error {
		m := redact.New(b.secrets).Writer(w, false)
		return errors.Join(b.new.Write(m), m.Flush())
	})
}

// tell prints what was done.
func (b *builder) tell() error {
	if b.f.json {
		return writeJSON(b.a.Host.Stdout, struct {
			Builds []built `json:"builds"`
			Lock   string  `json:"lock"`
			Wrote  bool    `json:"lock_written"`
		}{b.results, b.lockPath, b.changed && !b.f.frozen})
	}
	for _, r := range b.results {
		if r.Status != 0 {
			continue // its own output said why
		}
		how := "built"
		if r.Cached {
			how = "unchanged"
		}
		b.a.say("%s: %s, %s", r.Name, how, report.Plural(len(r.Outputs), "file"))
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
