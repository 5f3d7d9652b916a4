package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

func syscallsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "syscalls",
		Short:   "Print how every system call is handled",
		Example: "  dettrace syscalls\n  dettrace syscalls --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = asJSON
			return errors.New("syscalls: not wired")
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
