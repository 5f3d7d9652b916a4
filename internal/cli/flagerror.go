package cli

import (
	"errors"
	"fmt"
	"slices"

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

// emptyFlag refuses flags with an empty value, which mostly comes of a variable that is
// not set: taken as a flag that was not given, the result that it names would be missing.
// Flags whose own checks say more come later.
func emptyFlag(cmd *cobra.Command) (err error) {
	own := []string{"entrypoint", "image", "hostname", "input", "output", "env", "secret", "allow"}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err != nil || slices.Contains(own, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if slices.Contains(values, "") {
			err = hint.With(fmt.Errorf("--%s: empty", f.Name), "leave the flag away, or give it a value")
		}
	})
	return err
}

// emptyArgument refuses an empty name of a file, an image and the like; the words of a
// command that is run are its own.
func emptyArgument(cmd *cobra.Command, args []string) error {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		args = args[:dash]
	}
	if slices.Contains([]string{cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd, "run", "shell", "hunt", "verify", "explain", "config"}, cmd.Name()) && cmd.Parent() == cmd.Root() {
		return nil
	}
	if slices.Contains(args, "") {
		return hint.With(fmt.Errorf("%s: an argument is empty", cmd.CommandPath()), cmd.CommandPath()+" --help shows examples")
	}
	return nil
}
