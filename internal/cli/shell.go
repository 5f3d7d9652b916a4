package cli

import (
	"github.com/spf13/cobra"

	"dettrace/internal/settings"
)

// guestShell starts the best shell that the guest has.
func guestShell() []string {
	return []string{"/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"}
}

func (a App) shellCommand(status *int) *cobra.Command {
	var flags settings.Flags
	cmd := &cobra.Command{
		Use:   "shell [flags] [--] [CMD [ARG...]]",
		Short: "Work inside a container",
		Long: `Open a shell in the container that dettrace run would make: with a terminal of
fixed size, job control, and a copy of the current directory at /build/src.
CMD takes the place of the shell; the image's entrypoint does not matter.

What you type comes at places that the run defines, and --record keeps both, so
that --stdin-replay gives the same session again, byte for byte. Logical time
stands still while the shell waits for you. Nothing on the host changes unless
--output, --write-back, --save or --commit asks for it.`,
		Example: `  dettrace shell
  dettrace shell --image ./trixie
  dettrace shell --record session.json
  dettrace shell --stdin-replay session.json
  dettrace shell --commit with-tools --image ./trixie
  dettrace shell --tty-size 132x43 -- vi README.md
  echo 'make && ls -l' | dettrace shell`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.TTY = true
			if flags.Stdin == "" {
				flags.Stdin = "-"
			}
			if flags.Entrypoint == nil {
				none := ""
				flags.Entrypoint = &none
			}
			if len(args) == 0 {
				args = guestShell()
			}
			var err error
			*status, err = a.run(cmd, flags, cacheFlags{}, args)
			return err
		},
	}
	settings.Register(cmd.Flags(), &flags)
	_ = cmd.Flags().MarkHidden("tty") // always; fails only for a flag that does not exist
	registerCompletion(cmd)
	return cmd
}
