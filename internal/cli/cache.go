package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dettrace/internal/cache"
	"dettrace/internal/hint"
	"dettrace/internal/report"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// cacheFlags are the flags of run and build that use the cache.
type cacheFlags struct {
	settings.CacheFlags
	use      bool
	failures bool
	explain  bool
}

func (f *cacheFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.use, "cache", false, "give the stored result of an equal run again, and store new ones")
	fs.BoolVar(&f.failures, "cache-failures", false, "with --cache: store runs whose command failed, too")
	fs.BoolVar(&f.explain, "explain-miss", false, "with --cache: say on standard error why no stored run could be used")
	settings.RegisterCache(fs, &f.CacheFlags)
}

// runner is a.Run, with the cache if it was asked for.
func (a App) runner(f cacheFlags, verbose bool) (cache.Runner, error) {
	if !f.use {
		switch {
		case f.failures:
			return nil, hint.With(errors.New("--cache-failures without --cache"), "add --cache")
		case f.explain:
			return nil, hint.With(errors.New("--explain-miss without --cache"), "add --cache")
		}
		return a.Run, nil
	}
	dir, size, err := settings.ResolveCache(f.CacheFlags, a.Host)
	if err != nil {
		return nil, err
	}
	c, err := cache.Open(dir, size)
	if err != nil {
		return nil, err
	}
	o := cache.Options{Failures: f.failures}
	if f.explain || verbose {
		o.Told = func(s string) { a.say("cache %s", s) }
	}
	return func(ctx context.Context, spec run.Spec) (run.Result, error) { return c.Run(ctx, spec, o, a.Run) }, nil
}

func (a App) cacheCommand() *cobra.Command {
	var flags settings.CacheFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Look at stored runs and remove them",
		Long: `dettrace run --cache and dettrace build store the results of runs. They are
used again when nothing that the run had looked at has changed.`,
		Example: `  dettrace run --cache -o hello -- make hello
  dettrace cache list
  dettrace cache show 3f2a
  dettrace cache prune --cache-size 1G
  dettrace cache verify
  dettrace cache clear`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	settings.RegisterCache(cmd.PersistentFlags(), &flags)
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	_ = cmd.MarkPersistentFlagDirname("cache-dir")
	// do opens the cache, works, and prints: v as JSON or text.
	do := func(work func(c *cache.Cache, args []string, limit int64) (v any, text func(io.Writer) error, err error)) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			dir, size, err := settings.ResolveCache(flags, a.Host)
			if err != nil {
				return err
			}
			c, err := cache.Open(dir, size)
			if err != nil {
				return err
			}
			v, text, err := work(c, args, size)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), v)
			}
			return text(cmd.OutOrStdout())
		}
	}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the stored runs, last used first", Args: noArgs,
			Example: "  dettrace cache list\n  dettrace cache list --json",
			RunE: do(func(c *cache.Cache, _ []string, _ int64) (any, func(io.Writer) error, error) {
				list := c.List()
				return list, func(w io.Writer) error { return cacheTable(w, list) }, nil
			})},
		&cobra.Command{Use: "show ID", Short: "Show the settings and the report of a stored run", Args: oneArg("ID"),
			Example:           "  dettrace cache show 3f2a\n  dettrace cache show 3f2a --json",
			ValidArgsFunction: a.completeIDs(&flags),
			RunE: do(func(c *cache.Cache, args []string, _ int64) (any, func(io.Writer) error, error) {
				info, err := c.Show(args[0])
				return info, func(w io.Writer) error { return cacheShow(w, info) }, err
			})},
		&cobra.Command{Use: "prune", Short: "Remove the runs not used for longest, down to --cache-size", Args: noArgs,
			Example: "  dettrace cache prune --cache-size 1G",
			RunE: do(func(c *cache.Cache, _ []string, limit int64) (any, func(io.Writer) error, error) {
				s, err := c.Sweep(limit)
				return s, func(w io.Writer) error { return swept(w, s) }, err
			})},
		&cobra.Command{Use: "verify", Short: "Compare all that is stored with its digests, and remove what is damaged", Args: noArgs,
			Example: "  dettrace cache verify",
			RunE: do(func(c *cache.Cache, _ []string, _ int64) (any, func(io.Writer) error, error) {
				v, err := c.Verify()
				return v, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s checked, %s damaged and removed\n", report.Plural(v.Checked, "run"), report.Digits(int64(len(v.Damaged))))
					return err
				}, err
			})},
		&cobra.Command{Use: "clear", Short: "Remove everything that is stored", Args: noArgs,
			Example: "  dettrace cache clear",
			RunE: do(func(c *cache.Cache, _ []string, _ int64) (any, func(io.Writer) error, error) {
				s, err := c.Clear()
				return s, func(w io.Writer) error { return swept(w, s) }, err
			})},
	)
	return cmd
}

func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return hint.With(fmt.Errorf("%s: takes one %s, got %d arguments", cmd.CommandPath(), name, len(args)), cmd.CommandPath()+" --help shows examples")
		}
		return nil
	}
}

// completeIDs offers the ids of stored runs.
func (a App) completeIDs(flags *settings.CacheFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var ids []string
		if dir, size, err := settings.ResolveCache(*flags, a.Host); err == nil {
			if c, err := cache.Open(dir, size); err == nil {
				for _, i := range c.List() {
					ids = append(ids, i.ID[:12]+"\t"+strings.Join(i.Command, " "))
				}
			}
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

func cacheTable(w io.Writer, list []cache.Info) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tLAST USED\tSIZE\tSTATUS\tCOMMAND")
	total := int64(0)
	for _, i := range list {
		total += i.Size
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", i.ID[:12], time.Unix(0, i.Used).UTC().Format(time.DateTime), report.Bytes(i.Size), i.Status, shorten(strings.Join(i.Command, " ")))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s, %s\n", report.Plural(len(list), "run"), report.Bytes(total))
	return err
}

func shorten(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

func cacheShow(w io.Writer, i cache.Info) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nkey\t%s\nstatus\t%d\nsize\t%s\n", i.ID, i.Key, i.Status, report.Bytes(i.Size))
	for _, p := range i.Settings {
		fmt.Fprintf(t, "%s\t%s\n", p.Name, p.Value)
	}
	for _, l := range append([]report.Image{i.Report.Image}, i.Report.Inputs...) {
		fmt.Fprintf(t, "read of %s\t%s, %s\n", l.Guest, report.Plural(l.Observed, "observation"), l.Digest)
	}
	return t.Flush()
}

func swept(w io.Writer, s cache.Swept) error {
	_, err := fmt.Fprintf(w, "%s removed, %s freed; %s left, %s\n", report.Plural(s.Removed, "run"), report.Bytes(s.Freed), report.Digits(int64(s.Left)), report.Bytes(s.Size))
	return err
}
