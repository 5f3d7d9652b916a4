package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/hint"
)

// flagError names the nearest flag for one that does not exist.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if group := unknown.GetSpecifiedShortnames(); group != "" {
			return hint.With(fmt.Errorf("unknown flag -%s", unknown.GetSpecifiedName()), helpAdvice(cmd))
		}
		advice := helpAdvice(cmd)
		if near := hint.Nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" {
			advice = "did you mean --" + near + "?"
		}
		return hint.With(fmt.Errorf("unknown flag --%s", unknown.GetSpecifiedName()), advice)
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		kind := "number"
		if invalid.GetFlag().Value.Type() == "bool" {
			kind = "boolean"
		}
		return hint.With(fmt.Errorf("--%s %q: not a %s", invalid.GetFlag().Name, invalid.GetValue(), kind), helpAdvice(cmd))
	}
	return hint.With(err, helpAdvice(cmd))
}

func helpAdvice(cmd *cobra.Command) string { return cmd.CommandPath() + " --help lists the flags" }

// flagNames lists cmd's flags; VisitAll goes by name or by registration, both fixed.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
