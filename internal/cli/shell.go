package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/hint"
	"dettrace/internal/kept"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// guestShell starts the best shell that the guest has.
func guestShell() []string {
	return []string{"/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"}
}

func (a App) shellCommand(status *int) *cobra.Command {
	var flags settings.Flags
	var resume string
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
  dettrace shell --resume /var/tmp/dettrace-failed-123
  echo 'make && ls -l' | dettrace shell`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if cmd.Flags().Changed("on-failure") {
				return hint.With(errors.New("--on-failure: not a flag of shell"), "you are in its container already")
			}
			if resume != "" {
				if flags.Resume, err = a.resume(cmd.Flags(), resume); err != nil {
					return err
				}
			}
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
			*status, err = a.run(cmd, flags, cacheFlags{}, args)
			return err
		},
	}
	cmd.Flags().StringVar(&resume, "resume", "", "go on where a command failed, from the `DIR` that dettrace run --on-failure keep named")
	settings.Register(cmd.Flags(), &flags)
	for _, name := range []string{"tty", "on-failure"} {
		_ = cmd.Flags().MarkHidden(name) // fails only for a flag that does not exist
	}
	registerCompletion(cmd)
	_ = cmd.MarkFlagDirname("resume")
	return cmd
}

// resume takes from dir what is kept there, and the flags that were not given.
func (a App) resume(fs *pflag.FlagSet, dir string) (*run.Resume, error) {
	full := a.hostPath(dir)
	k, err := kept.Read(full)
	if err != nil {
		return nil, fmt.Errorf("--resume %s: %w", dir, err)
	}
	if err := under(fs, k.Flags); err != nil {
		return nil, fmt.Errorf("--resume %s: %w", dir, err)
	}
	return &run.Resume{Changes: kept.Changes(full), NS: k.LogicalNS}, nil
}

// under sets flags ("--NAME=VALUE") that were not given, and puts the values of those
// that are lists before the given ones.
func under(fs *pflag.FlagSet, flags []string) error {
	given := map[string][]string{} // nil: no list
	fs.Visit(func(f *pflag.Flag) {
		given[f.Name] = nil
		if list, ok := f.Value.(pflag.SliceValue); ok {
			given[f.Name] = list.GetSlice()
			_ = list.Replace(nil) // empty, which every list can be
		}
	})
	for _, arg := range flags {
		name, value, has := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !has {
			value = "true"
		}
		own, isGiven := given[name]
		if isGiven && (own == nil || slices.Contains(own, value)) {
			continue
		}
		if err := fs.Set(name, value); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if list, ok := fs.Lookup(name).Value.(pflag.SliceValue); ok {
			if err := list.Replace(append(list.GetSlice(), given[name]...)); err != nil {
				return err
			}
		}
	}
	return nil
}
