package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dettrace/internal/effective"
	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// config is what `dettrace config` shows.
type config struct {
	Hash     string              `json:"hash"`                // of Settings
	CacheKey string              `json:"cache_key,omitempty"` // of Host and Settings, with a command
	Settings []effective.Setting `json:"settings"`
	Host     []effective.Setting `json:"host"`
	Others   []effective.Setting `json:"others"` // without effect on a result
}

func (a App) configCommand() *cobra.Command {
	var flags settings.Flags
	var kept cacheFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config [flags] [--] [CMD [ARG...]]",
		Short: "Show the settings that a run would have",
		Long: `Show every setting that a run with these flags would have, defaults filled in,
and a hash of those that its result depends on: two runs with the same hash,
image and inputs are the same run. The cache finds stored results by the key,
which has this program, the kernel and the CPU in it, too.

Nothing is run, and no file but those that flags name is read. A variable taken
from the host is shown as a digest, a secret not at all.`,
		Example: `  dettrace config
  dettrace config --profile debian -e CFLAGS=-O2 -- make
  dettrace config --json --image trixie -- make | jq -r .hash`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault // files
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.config(flags, kept, args)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.Host.Stdout, c)
			}
			return c.text(a.Host.Stdout)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	settings.Register(cmd.Flags(), &flags)
	kept.register(cmd.Flags())
	_ = cmd.MarkFlagDirname("cache-dir") // fails only for a flag that does not exist; a test covers it
	registerCompletion(cmd)
	return cmd
}

func (a App) config(flags settings.Flags, kept cacheFlags, args []string) (config, error) {
	flags.Force = true // nothing is written
	spec, err := settings.Resolve(flags, args, a.Host)
	if errors.Is(err, settings.ErrNoCommand) {
		spec, err = settings.Resolve(flags, []string{"true"}, a.Host)
		spec.Command = nil
	}
	if err != nil {
		return config{}, err
	}
	stdin, err := a.stdinText(&spec, flags)
	if err != nil {
		return config{}, err
	}
	var c config
	if c.Settings, err = effective.Of(&spec, stdin, digestFile); err != nil {
		return c, err
	}
	for i := range c.Settings { // a command line can hold one
		c.Settings[i].Value = spec.Mask().Text(c.Settings[i].Value)
	}
	if c.Host, err = effective.Host(digestFile); err != nil {
		return c, err
	}
	c.Hash = "sha256:" + effective.Hash(c.Settings)
	if spec.Command != nil && len(spec.Secrets) == 0 {
		c.CacheKey = effective.Hash(append(c.Host[:len(c.Host):len(c.Host)], c.Settings...))
	}
	c.Others, err = a.others(&spec, kept)
	return c, err
}

// stdinText says what the standard input of a run would be.
func (a App) stdinText(spec *run.Spec, flags settings.Flags) (string, error) {
	switch {
	case flags.StdinReplay != "":
		d, err := digestFile(a.hostPath(flags.StdinReplay))
		if err != nil {
			return "", fmt.Errorf("--stdin-replay: %w", err)
		}
		return "replay of " + d, nil
	case flags.Stdin == "":
		return "empty", nil
	case flags.Stdin == "-":
		return "", hint.With(errors.New("--stdin -: what comes there is part of the hash"), "put it into a file")
	}
	file, err := settings.OpenStdin(spec, flags, a.Host)
	if err != nil {
		return "", err
	}
	defer file.Close() // only read: nothing can be lost
	d, err := digestOf(file)
	if err != nil {
		return "", fmt.Errorf("--stdin %s: %w", flags.Stdin, err)
	}
	return d, nil
}

// others are the settings that decide where things come from and go to, and
// when a run is given up.
func (a App) others(spec *run.Spec, kept cacheFlags) ([]effective.Setting, error) {
	var out []effective.Setting
	add := func(name, value string) {
		if value != "" {
			out = append(out, effective.Setting{Name: name, Value: image.EscapePath(value)})
		}
	}
	add("store", spec.Store)
	for _, in := range spec.Inputs {
		add("input "+in.Guest+" from", in.Host)
	}
	for _, o := range spec.Outputs {
		add("output "+o.Guest+" to", o.Host)
	}
	add("changes to", spec.Save)
	add("image to", spec.Commit)
	add("report", spec.Report)
	add("list of inputs", spec.InputList)
	add("state", spec.StateDir)
	if kept.use {
		dir, size, err := settings.ResolveCache(kept.CacheFlags, a.Host)
		if err != nil {
			return nil, err
		}
		add("cache", dir)
		add("cache size", fmt.Sprint(size))
	}
	limit := func(name string, set bool, value any) {
		if add(name, "none"); set {
			out[len(out)-1].Value = fmt.Sprint(value)
		}
	}
	limit("timeout", spec.Timeout > 0, spec.Timeout)
	limit("spin limit", spec.SpinLimit > 0, spec.SpinLimit)
	add("fast paths", fmt.Sprint(!spec.NoFastPaths))
	return out, nil
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read: nothing can be lost
	return digestOf(f)
}

func digestOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func (c config) text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "hash\t%s\n", c.Hash)
	if c.CacheKey != "" {
		fmt.Fprintf(t, "cache key\t%s\n", c.CacheKey)
	}
	for _, group := range []struct {
		title string
		list  []effective.Setting
	}{{"in the hash", c.Settings}, {"of this host, in the cache key", c.Host}, {"without effect on the result", c.Others}} {
		fmt.Fprintf(t, "\n%s:\n", group.title)
		for _, s := range group.list {
			fmt.Fprintf(t, "  %s\t%s\n", s.Name, image.EscapePath(s.Value))
		}
	}
	return t.Flush()
}
