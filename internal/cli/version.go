package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what the linker recorded; nothing of it is set by hand.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the repository
	Modified bool   `json:"modified"`           // it had changes that were not committed
	Go       string `json:"go,omitempty"`
}

func (a App) versionCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  dettrace version\n  dettrace version --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.tellVersion(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a App) tellVersion(asJSON bool) error {
	info, _ := debug.ReadBuildInfo()
	v := versionOf(info)
	if asJSON {
		return writeJSON(a.Host.Stdout, v)
	}
	_, err := fmt.Fprintln(a.Host.Stdout, v)
	return err
}

func versionOf(info *debug.BuildInfo) version {
	if info == nil {
		return version{Version: "(unknown)"}
	}
	v := version{Version: info.Main.Version, Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v version) String() string {
	text := "dettrace " + v.Version
	if v.Revision != "" {
		text += " " + v.Revision
	}
	if v.Modified {
		text += " (modified)"
	}
	if v.Go != "" {
		text += " " + v.Go
	}
	return text
}

func versionText(info *debug.BuildInfo) string { return versionOf(info).String() }

// noArgs is cobra.NoArgs in our words.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
