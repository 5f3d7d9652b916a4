package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/doctor"
	"dettrace/internal/hint"
	"dettrace/internal/settings"
)

// exitUnfit is the exit status of a doctor that found something missing.
const exitUnfit = 1

func (a App) doctorCommand(status *int) *cobra.Command {
	var asJSON bool
	var stateDir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what this host can do, and how to mend what it cannot",
		Long: `Ask this host for everything that a container needs: what there is, what it is
for, what is lost without it, and the command that mends it. At the end a command
is run in a real container.

Exit status: 0 dettrace can run here, 1 it cannot.`,
		Example: "  dettrace doctor\n  dettrace doctor --json | jq -r '.checks[] | select(.status != \"ok\") | .fix'",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags, err := defaultFlags()
			if err != nil {
				return err
			}
			flags.StateDir, flags.NoDefaultInput = stateDir, true
			r := doctor.Examine(settings.StateDir(stateDir, a.Host), func() (string, error) {
				return a.tryContainer(cmd.Context(), flags)
			})
			if !r.Ready {
				*status = exitUnfit
			}
			if asJSON {
				return r.JSON(a.Host.Stdout)
			}
			return r.Text(a.Host.Stdout)
		},
	}
	cmd.Flags().StringVar(&stateDir, "state-dir", "", "`DIR` where changed files would live during a run (default $TMPDIR, else /var/tmp)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	_ = cmd.MarkFlagDirname("state-dir") // fails only for a flag that does not exist
	return cmd
}

// defaultFlags are those of run without a command line.
func defaultFlags() (settings.Flags, error) {
	var f settings.Flags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	settings.Register(fs, &f)
	return f, fs.Parse(nil)
}

// tryContainer runs a command that does nothing.
func (a App) tryContainer(ctx context.Context, flags settings.Flags) (string, error) {
	spec, err := settings.Resolve(flags, []string{"true"}, a.Host)
	if err != nil {
		return hint.Of(err), err
	}
	spec.Stdout, spec.Diag, spec.Interrupt = nil, nil, a.Interrupt
	_, err = a.Run(ctx, spec)
	return hint.Of(err), err
}
