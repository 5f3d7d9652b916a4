package cli

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"dettrace/internal/kernel"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// failedRun is the error of a run, with the line that repeats the run.
type failedRun struct {
	error
	repeat string
}

func (e *failedRun) Unwrap() error { return e.error }

// repeatOf is the line that repeats the run which ended with err, or "".
func repeatOf(err error) string {
	var f *failedRun
	if errors.As(err, &f) {
		return f.repeat
	}
	return ""
}

// failed reports whether a run ended in a way worth repeating. Somebody who
// ended it, or stopped reading its output, knows what they did.
func failed(status int, err error) bool {
	return status != 0 && !errors.Is(err, run.ErrInterrupted) && !errors.Is(err, kernel.ErrOutputClosed)
}

// repeatable reports whether a line can: what a person typed is gone, unless it was
// recorded.
func repeatable(spec run.Spec, flags settings.Flags) bool {
	return spec.Terminal == nil || flags.Record != "" || !spec.Terminal.Input.Outside()
}

// repeatLine is the command line that makes the run of spec again, in the same
// directory. What is decided elsewhere by now is written out: which image a
// name stood for, and what time it was.
func repeatLine(fs *pflag.FlagSet, spec run.Spec, flags settings.Flags, args []string) string {
	line := []string{"dettrace", "run"}
	if fs.Lookup("resume") != nil {
		line[1] = "shell"
	}
	known := runFlags()
	for _, arg := range settings.Pinned(given(fs), spec, flags) {
		name, value, _ := strings.Cut(arg, "=")
		switch {
		case known.Lookup(strings.TrimPrefix(name, "--")) == nil:
			continue // of a command that runs for a purpose of its own, such as why
		case flags.Record != "" && name == "--stdin":
			continue
		case name == "--record":
			arg = "--stdin-replay=" + value
		}
		line = append(line, arg)
	}
	line = append(append(line, "--"), args...)
	return spec.Mask().Text(rerun.Quote(shortBools(fs, line)))
}

// runFlags are the flags of run and of shell.
func runFlags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings.Register(fs, new(settings.Flags))
	new(cacheFlags).register(fs)
	fs.String("resume", "", "")
	return fs
}

// shortBools writes --force for --force=true.
func shortBools(fs *pflag.FlagSet, line []string) []string {
	for i, word := range line {
		if word == "--" {
			break
		}
		name, isTrue := strings.CutSuffix(strings.TrimPrefix(word, "--"), "=true")
		if f := fs.Lookup(name); isTrue && f != nil && f.Value.Type() == "bool" {
			line[i] = "--" + name
		}
	}
	return line
}
