// Package build runs the builds of a build file: it gives each what it declares (and
// nothing that a build made the last time) and holds it to the lock.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"dettrace/internal/buildfile"
	"dettrace/internal/cache"
	"dettrace/internal/digests"
	"dettrace/internal/hint"
	"dettrace/internal/lock"
	"dettrace/internal/report"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// Options are how the builds of a file are made.
type Options struct {
	Host      settings.Host
	Interrupt <-chan struct{} // closed on Ctrl-C and the like
	Run       cache.Runner
	Digests   *digests.Cache // of inputs, between runs; nil: none
	Store     string         // of images; "": the default
	Report    string         // path of the host for the report of the one build, or ""
	InputList string         // likewise, for everything that it read
	Stdout    io.Writer      // of commands
	Verbose   bool
	Progress  string   // as --progress
	Only      []string // builds that were chosen; nil: all
	Update    bool     // renew the lock
	Frozen    bool     // never write the lock
	Version   string   // of dettrace, for the lock
}

// Result is that of one build.
type Result struct {
	Name    string          `json:"name"`
	Status  int             `json:"status"`
	Cached  bool            `json:"cached"`
	Outputs []report.Output `json:"outputs"`
}

// Builder works through one file. It is for one goroutine.
type Builder struct {
	LockPath string
	Many     bool // the file has more than one build
	Ran      bool // the last one came so far that it was run
	Changed  bool // the lock is not what it was
	Results  []Result

	o       Options
	dir     string     // of the file
	old     *lock.File // nil: none
	new     lock.File
	made    []string            // patterns of all outputs of the file, and the lock: no inputs
	secrets []string            // NAME=VALUE of all builds
	placed  map[string][]string // host paths of the outputs of each build
}

// New is a Builder for the builds of a file.
func New(file string, o Options) (*Builder, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	b := &Builder{o: o, dir: dir, placed: make(map[string][]string)}
	b.LockPath = filepath.Join(b.dir, strings.TrimSuffix(filepath.Base(file), ".toml")+".lock")
	return b, b.hide(file)
}

// Dir is the directory of the file, without symbolic links.
func (b *Builder) Dir() string { return b.dir }

// Store is that of images, as --store.
func (b *Builder) Store() string { return b.o.Store }

// Build runs one build and gives its exit status; the lock must have been read. The
// error is dettrace's own.
func (b *Builder) Build(ctx context.Context, one buildfile.Build) (int, error) {
	b.Ran = false
	spec, err := b.Spec(one)
	if err != nil {
		return run.ExitFailure, err
	}
	b.secrets = append(b.secrets, spec.SecretPairs()...)
	var locked *lock.Build
	if b.old != nil && !b.o.Update {
		locked = b.old.Builds[one.Name]
	}
	if locked == nil && b.o.Frozen {
		return run.ExitFailure, hint.With(fmt.Errorf("not in %s, and --frozen does not add it", b.LockPath), "dettrace build without --frozen adds it")
	}
	if locked != nil {
		diff, err := locked.Check(&spec, func() (run.Layers, error) { return run.OpenLayers(&spec, b.o.Digests, nil) })
		if err != nil {
			return run.ExitFailure, err
		}
		_ = b.o.Digests.Flush() // slower next time, no more
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
	result, err := b.o.Run(ctx, spec)
	b.Ran = true
	if err != nil || result.Status != 0 {
		if err != nil && result.Status == 0 {
			result.Status = run.ExitFailure
		}
		b.Results = append(b.Results, Result{one.Name, result.Status, result.Report.Host.Cached, []report.Output{}})
		return result.Status, err
	}
	for _, o := range spec.Outputs {
		b.placed[one.Name] = append(b.placed[one.Name], o.Host)
	}
	made := lock.Of(&spec, result.Learned, result.Report.Outputs)
	b.Results = append(b.Results, Result{one.Name, 0, result.Report.Host.Cached, made.Outputs})
	if locked != nil {
		made = locked // what it would be, down to the version
	} else {
		b.Changed = true
	}
	if b.new.Builds == nil {
		b.new.Builds = make(map[string]*lock.Build)
	}
	b.new.Builds[one.Name] = made
	return 0, nil
}
