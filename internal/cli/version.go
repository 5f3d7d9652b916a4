package cli

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			return writeVersion(cmd.OutOrStdout(), info)
		},
	}
}

// writeVersion prints what the linker recorded; nothing of it is set by hand.
func writeVersion(w io.Writer, info *debug.BuildInfo) error {
	_, err := fmt.Fprintln(w, versionText(info))
	return err
}

func versionText(info *debug.BuildInfo) string {
	version, revision, modified := "(unknown)", "", ""
	if info != nil {
		version = info.Main.Version
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = " " + s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = " (modified)"
			}
		}
		return fmt.Sprintf("dettrace %s%s%s %s", version, revision, modified, info.GoVersion)
	}
	return "dettrace " + version
}

// noArgs is cobra.NoArgs in our words.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
