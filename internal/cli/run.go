package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/door"
	"dettrace/internal/hint"
	"dettrace/internal/kernel"
	"dettrace/internal/run"
	"dettrace/internal/settings"
	"dettrace/internal/vary"
)

func (a App) runCommand(status *int) *cobra.Command {
	var flags settings.Flags
	var kept cacheFlags
	cmd := &cobra.Command{
		Use:   "run [flags] [--] CMD [ARG...]",
		Short: "Run a command reproducibly",
		Long: `Run CMD in a container. The current directory is at /build/src in it,
copy-on-write: nothing on the host changes unless --output, --write-back or
--save asks for it.

The exit status is the command's (128+N when signal N killed it). Dettrace's
own: 124 timeout, 125 failure of dettrace, 126 found but not executable,
127 not found. When it is not 0, the last line on standard error is the one
that repeats the run; --quiet leaves it away.`,
		Example: `  dettrace run -- make
  dettrace run -o hello -- make hello
  dettrace run -o '../*.deb' --image ./trixie -- dpkg-buildpackage -us -uc -b
  dettrace run -i ~/include:/opt/include -e CPATH=/opt/include -- make
  dettrace run --write-back -- go generate ./...
  dettrace run --epoch 2024-02-29 --seed 7 -- sh -c 'date; echo $RANDOM'
  dettrace run --cache -o hello -- make hello
  dettrace run --tty -- top
  dettrace run --report run.json --log run.log -- make check`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault // files
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			*status, err = a.run(cmd, flags, kept, args)
			return err
		},
	}
	settings.Register(cmd.Flags(), &flags)
	kept.register(cmd.Flags())
	_ = cmd.MarkFlagDirname("cache-dir")
	registerCompletion(cmd)
	return cmd
}

// run resolves the flags, opens dettrace's own files and runs.
func (a App) run(cmd *cobra.Command, flags settings.Flags, kept cacheFlags, args []string) (status int, err error) {
	var result run.Result
	spec, err := settings.Resolve(flags, args, a.Host)
	if err != nil {
		return run.ExitFailure, err
	}
	spec.Interrupt = a.Interrupt
	if door.Open(spec.Allow).Signals && a.Forward != nil {
		spec.Signals = a.Forward()
	}
	do, err := a.runner(kept, flags.Verbose)
	if err != nil {
		return run.ExitFailure, err
	}
	keep, err := a.keeper(&spec, flags)
	if err != nil {
		return run.ExitFailure, err
	}
	defer func() { err = errors.Join(err, a.endKept(cmd.Context(), keep, spec, result)) }()
	stdin, err := settings.OpenStdin(&spec, flags, a.Host)
	if err != nil {
		return run.ExitFailure, err
	}
	if stdin != nil {
		defer stdin.Close() // only read: nothing can be lost
	}
	typing, err := settings.OpenTyping(&spec, flags, a.Host)
	if err != nil {
		return run.ExitFailure, err
	}
	log, err := settings.CreateLog(flags, a.Host)
	if err != nil {
		return run.ExitFailure, err
	}
	closeLog := func() error { return nil }
	if log != nil {
		spec.Log, closeLog = buffered(log)
	}
	traced, err := settings.CreateTrace(flags, a.Host)
	if err != nil {
		return run.ExitFailure, errors.Join(err, closeLog())
	}
	if traced != nil {
		spec.Trace = traced
	}
	if flags.Messages != "" {
		f, err := os.OpenFile(flags.Messages, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return run.ExitFailure, fmt.Errorf("--messages: %w", err)
		}
		defer f.Close() // written line by line
		spec.Diag = f
	}
	result, err = do(cmd.Context(), spec)
	if closeErr := closeLog(); closeErr != nil && err == nil {
		result.Status, err = run.ExitFailure, fmt.Errorf("--log %s: %w", flags.Log, closeErr)
	}
	if traced != nil {
		if closeErr := traced.Close(); closeErr != nil && err == nil {
			result.Status, err = run.ExitFailure, fmt.Errorf("--trace %s: %w", flags.Trace, closeErr)
		}
	}
	if endErr := typing.End(result, err); endErr != nil && err == nil {
		result.Status, err = run.ExitFailure, endErr
	}
	if err != nil && result.Status == 0 {
		result.Status = run.ExitFailure
	}
	if hint.Of(err) == "" {
		err = hint.With(err, a.execAdvice(err, spec))
	}
	if keptErr := a.endKept(cmd.Context(), keep, spec, result); keptErr != nil {
		if err == nil {
			err = fmt.Errorf("the command failed with status %d", result.Status)
		}
		err, result.Status = errors.Join(err, keptErr), run.ExitFailure
	}
	// A run with --messages is another command's, with files of its own.
	if failed(result.Status, err) && !flags.Quiet && flags.Messages == "" && repeatable(spec, flags) {
		line := repeatLine(cmd.Flags(), spec, flags, args)
		if err != nil {
			return result.Status, &failedRun{err, line}
		}
		// Nothing can be done about a closed standard error.
		_, _ = fmt.Fprintf(spec.Diag, "dettrace: repeat: %s\n", line)
	}
	return result.Status, err
}

// execAdvice is what to do about a command that could not be started.
func (a App) execAdvice(err error, spec run.Spec) string {
	var failed *kernel.ExecError
	switch {
	case !errors.As(err, &failed):
		return ""
	case failed.Interpreter:
		return "the file is there, but the interpreter or loader that it names is not in the guest"
	case errors.Is(err, unix.ENOEXEC):
		return "neither a script with a #! line nor a program for x86-64"
	case failed.Found && errors.Is(err, unix.EACCES):
		return "a directory, or a file that is not executable: chmod +x, or name its interpreter"
	case failed.Found:
		return ""
	}
	guestPath, _ := settings.Lookup(spec.Env, "PATH")
	return hint.ForMissing(spec.Command[0], a.Host.Env, guestPath)
}

// buffered spares a write call per event; the second result flushes and closes.
func buffered(f *os.File) (io.Writer, func() error) {
	w := bufio.NewWriterSize(f, 1<<16)
	return w, func() error { return errors.Join(w.Flush(), f.Close()) }
}

// registerCompletion tells the shell what each flag takes.
func registerCompletion(cmd *cobra.Command) {
	fixed := map[string][]string{
		"input-mtime": {"epoch", "keep"}, "epoch": {"now"}, "progress": settings.ProgressModes(), "profile": settings.PresetNames(),
		"cpu-model":  cpu.Names(),
		"on-failure": settings.OnFailures(),
		"vary":       append([]string{"all", "none"}, vary.Names()...),
	}
	for name, values := range fixed {
		// Fails only for a flag that does not exist; a test covers it.
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	var doors []cobra.Completion
	for _, d := range door.All() {
		doors = append(doors, cobra.CompletionWithDesc(d.Name, d.Opens))
	}
	_ = cmd.RegisterFlagCompletionFunc("allow", cobra.FixedCompletions(doors, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("state-dir")
}
