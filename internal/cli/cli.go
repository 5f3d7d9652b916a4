// Package cli is the command line of dettrace: it parses, calls, and turns
// errors into messages and exit statuses. What a flag means is decided in
// package settings, what a run does in package run.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dettrace/internal/hint"
	"dettrace/internal/redact"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// App is everything the command line needs from outside, so that a test can
// run it with a host and a runner of its own.
type App struct {
	Host      settings.Host
	Run       func(context.Context, run.Spec) (run.Result, error)
	Interrupt <-chan struct{}
	// Forward hands the signals that dettrace is sent to the command of a run
	// from then on: Interrupt is not closed any more.
	Forward func() <-chan os.Signal
	// mask takes out the secrets of the runs that results are about; nil: none.
	mask *redact.Mask
}

// Main runs args (without the program's name) and returns the exit status.
func (a App) Main(ctx context.Context, args []string) int {
	status := 0
	root := a.tree(&status, len(args) > 0 && args[0] == "run")
	root.SetArgs(args)
	root.SetIn(a.Host.Stdin)
	root.SetOut(a.Host.Stdout)
	root.SetErr(a.Host.Stderr)
	if cmd, err := root.ExecuteContextC(ctx); closedStdout(err) {
		return 128 + int(syscall.SIGPIPE) // as of others who print to a pager that was left
	} else if err != nil {
		Complain(a.Host.Stderr, err)
		if status == 0 && errors.Is(err, run.ErrInterrupted) {
			status = run.ExitInterrupted
		} else if status == 0 {
			status = failureOf(cmd)
		}
	}
	return status
}

// closedStdout reports whether nobody reads what is printed any more. (What becomes of a
// guest's output is package run's.)
func closedStdout(err error) bool {
	var at *fs.PathError
	return errors.Is(err, syscall.EPIPE) && errors.As(err, &at) && at.Path == os.Stdout.Name()
}

// failureOf is the exit status for a wrong use of a command.
func failureOf(cmd *cobra.Command) int {
	switch cmd.CommandPath() {
	case "dettrace verify", "dettrace diff", "dettrace explain":
		return exitTrouble
	}
	return run.ExitFailure
}

// Complain prints an error, or each of several, with its hint on a line of its own,
// and what repeats a run that failed.
func Complain(w io.Writer, err error) {
	// Nothing can be done about a closed standard error.
	for _, one := range several(err) {
		_, _ = fmt.Fprintf(w, "dettrace: error: %s\n", one)
		if advice := hint.Of(one); advice != "" {
			_, _ = fmt.Fprintf(w, "dettrace: hint: %s\n", advice)
		}
	}
	if line := repeatOf(err); line != "" {
		_, _ = fmt.Fprintf(w, "dettrace: repeat: %s\n", line)
	}
}

// several are the errors that errors.Join made one.
func several(err error) (list []error) {
	for {
		switch e := err.(type) {
		case *failedRun:
			err = e.error
			continue
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				list = append(list, several(one)...)
			}
			return list
		}
		return []error{err}
	}
}

// Root is the command tree; status receives the exit status of a run.
func (a App) Root(status *int) *cobra.Command { return a.tree(status, false) }

// tree is Root, or of it only what run needs: it may wrap each call of a build, and
// the flags of all commands take longer than some of these.
func (a App) tree(status *int, onlyRun bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "dettrace",
		Short: "Run a command in a reproducible container",
		Long: `dettrace runs a command in a container in which everything the command can
observe is a function of the image, the inputs and the settings. The same run
gives the same bytes, every time.`,
		Example:       "  dettrace run -- sh -c 'date; echo $RANDOM'\n  dettrace run -o hello -- make hello",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
	}
	showVersion := false
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if showVersion {
			return a.tellVersion(false)
		}
		return cmd.Help()
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.SetHelpCommand(helpCommand(root))
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		return cmp.Or(emptyFlag(cmd), emptyArgument(cmd, args))
	}
	root.SetUsageTemplate(usageTemplate)
	commands := []*cobra.Command{a.runCommand(status)}
	if !onlyRun {
		commands = append(commands,
			a.shellCommand(status),
			a.buildCommand(status), a.configCommand(),
			a.verifyCommand(status),
			a.diffCommand(status), a.explainCommand(status),
			a.huntCommand(status),
			a.imageCommand(status),
			a.cacheCommand(),
			a.attestCommand(status),
			a.traceCommand(),
			a.whyCommand(status),
			a.doctorCommand(status),
			syscallsCommand(),
			a.versionCommand(),
		)
	}
	for _, cmd := range commands {
		a.completeImageFlag(cmd)
		root.AddCommand(cmd)
	}
	// Cobra adds "completion" and "help" by itself.
	return root
}

// helpCommand is cobra's, but for words that are no command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return hint.With(fmt.Errorf("no help about %q", strings.Join(args, " ")), "dettrace --help lists the commands")
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			cmd, _, err := root.Find(args)
			if err == nil {
				for _, c := range cmd.Commands() {
					if c.IsAvailableCommand() {
						names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// usageTemplate is cobra's with the examples first: they answer most questions.
const usageTemplate = `{{if .HasExample}}Examples:
{{.Example}}

{{end}}Usage:
  {{if .Runnable}}{{.UseLine}}{{else}}{{.CommandPath}} COMMAND{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every {{.Parent.CommandPath}} command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`

// unknownCommand names the nearest command. A word that is no command is
// often meant to be run.
func unknownCommand(root *cobra.Command, word string) error {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	advice := "to run it in a container: dettrace run -- " + word
	if root.HasParent() {
		advice = root.CommandPath() + " --help lists the commands"
	}
	if near := hint.Nearest(word, names); near != "" && root.HasParent() {
		advice = "did you mean " + root.CommandPath() + " " + near + "?"
	} else if near != "" {
		// Both: make is near image, but is more likely meant to be run.
		advice = "did you mean " + root.CommandPath() + " " + near + "? (" + advice + ")"
	}
	return hint.With(fmt.Errorf("unknown command %q", word), advice)
}
