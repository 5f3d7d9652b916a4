package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dettrace/internal/hint"
	"dettrace/internal/history"
	"dettrace/internal/run"
	"dettrace/internal/scratch"
	"dettrace/internal/settings"
	"dettrace/internal/trace"
)

func (a App) whyCommand(status *int) *cobra.Command {
	var flags settings.Flags
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "why FILE[:OFFSET] {--trace TRACE | [run flags] -- CMD [ARG...]}",
		Short: "Tell which process wrote a file, and from what",
		Long: `Name the process that wrote FILE, or its byte at OFFSET: its command line, its
parents, the logical time, and what it had read before. FILE is a path in the
guest, relative to the working directory of the run; a file that is gone at its
end counts, too. stdout and stderr are files as well.

The answer comes from a trace (dettrace run --trace), or CMD is run for it; its
output then goes to standard error.`,
		Example: `  dettrace run --trace build.trace -- make
  dettrace why --trace build.trace hello.o
  dettrace why --trace build.trace hello.o:1204
  dettrace why --trace build.trace --json /build/src/config.status
  dettrace why hello.o -- make
  dettrace why stdout:0 -- ./configure`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			q, command := args, []string(nil)
			if dash >= 0 {
				q, command = args[:dash], args[dash:]
			}
			var err error
			*status, err = a.why(cmd, flags, q, command, all, asJSON)
			return err
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&all, "all", false, "list every input, also libraries and settings of the system")
	fs.BoolVar(&asJSON, "json", false, "as JSON")
	settings.Register(fs, &flags)
	fs.Lookup("trace").Usage = "answer from this trace `FILE`; with a command: write it there"
	fs.SetInterspersed(true)
	fs.SortFlags = false
	registerCompletion(cmd)
	return cmd
}

func (a App) why(cmd *cobra.Command, flags settings.Flags, question, command []string, all, asJSON bool) (int, error) {
	if len(question) != 1 {
		return run.ExitFailure, hint.With(errors.New("why: name one file"), "dettrace why FILE[:OFFSET] --trace TRACE, or -- CMD")
	}
	if flags.Trace == "" && len(command) == 0 {
		return run.ExitFailure, hint.With(errors.New("why: neither a trace nor a command"), "dettrace why "+question[0]+" --trace TRACE, or -- CMD")
	}
	if len(command) > 0 {
		forget, err := a.traceRun(cmd, &flags, command)
		defer forget()
		if err != nil {
			return run.ExitFailure, err
		}
	}
	file, err := os.Open(a.hostPath(flags.Trace))
	if err != nil {
		return run.ExitFailure, hint.With(fmt.Errorf("--trace: %w", err), "dettrace run --trace FILE -- CMD writes one")
	}
	defer file.Close() // only read: nothing can be lost
	h, err := history.Load(file)
	if errors.Is(err, trace.ErrIncomplete) {
		a.note("%v", err)
	} else if err != nil {
		return run.ExitFailure, fmt.Errorf("--trace %s: %w", flags.Trace, err)
	}
	name, off := splitOffset(question[0])
	answer, err := h.Why(name, off)
	if err != nil {
		return run.ExitFailure, err
	}
	if off >= 0 && len(answer.Segments) == 0 && !answer.Untouched {
		return run.ExitFailure, fmt.Errorf("%s: nobody wrote byte %d in this run", answer.File, off)
	}
	if asJSON {
		return 0, writeJSON(a.Host.Stdout, answer)
	}
	return 0, answer.Text(a.Host.Stdout, all)
}

// traceRun runs the command with a trace; without --trace into a temporary
// file, which forget removes.
func (a App) traceRun(cmd *cobra.Command, flags *settings.Flags, command []string) (forget func(), err error) {
	forget = func() {}
	if flags.Trace == "" {
		self, err := scratch.Self()
		if err != nil {
			return forget, err
		}
		dir, err := scratch.New(self, "dettrace-why-")
		if err != nil {
			return forget, err
		}
		forget = dir.Close
		spec, err := settings.Resolve(*flags, command, a.Host)
		if err != nil {
			return forget, err
		}
		if real, err := filepath.EvalSymlinks(dir.Path); err == nil {
			flags.Hide = append(flags.Hide, settings.HideBelow(spec.Inputs, real)...)
		}
		flags.Trace = filepath.Join(dir.Path, "trace")
	}
	inner := a
	inner.Host.Stdout = a.Host.Stderr
	status, err := inner.run(cmd, *flags, cacheFlags{}, command)
	if err == nil && status != 0 {
		a.note("the command ended with status %d", status)
	}
	return forget, err
}

// splitOffset takes the offset from the end of FILE[:OFFSET].
func splitOffset(s string) (string, int64) {
	if i := strings.LastIndexByte(s, ':'); i > 0 {
		if n, err := strconv.ParseInt(s[i+1:], 0, 64); err == nil && n >= 0 {
			return s[:i], n
		}
	}
	return s, history.Whole
}
