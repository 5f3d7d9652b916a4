package cli

import (
	"github.com/spf13/cobra"

	"dettrace/internal/syscalls"
)

func syscallsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "syscalls",
		Short:   "Print how every system call is handled",
		Example: "  dettrace syscalls\n  dettrace syscalls --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return syscalls.WriteJSON(cmd.OutOrStdout())
			}
			return syscalls.WriteText(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
