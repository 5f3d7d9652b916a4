package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dettrace/internal/hint"
	"dettrace/internal/output"
	"dettrace/internal/report"
	"dettrace/internal/run"
	"dettrace/internal/settings"
	"dettrace/internal/store"
)

// imageCommand is what all its subcommands share.
type imageCommand struct {
	a    App
	dir  string // --store
	json bool
}

func (a App) imageCommand(status *int) *cobra.Command {
	c := &imageCommand{a: a}
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Keep images: file systems that runs begin with",
		Long: `Images are kept in a store by the SHA-256 of everything in them: names, types,
modes, owners, times, links, attributes, content, and the config (Env, User,
WorkingDir, Entrypoint, Cmd). How an image was packed, and in which order, does
not matter. Names stand for digests.

In run, REF is a name of the store, image:NAME, sha256:PREFIX, or
NAME@sha256:DIGEST, which refuses to run with another image than that.`,
		Example: `  dettrace image import trixie.tar.zst trixie
  dettrace image pull debian:trixie
  dettrace image list
  dettrace run --image trixie -- make`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	pf := cmd.PersistentFlags()
	pf.StringVar(&c.dir, "store", "", "`DIR` of the store (default $DETTRACE_STORE, else dettrace/store in $XDG_DATA_HOME or ~/.local/share)")
	_ = cmd.MarkPersistentFlagDirname("store") // fails only for a flag that does not exist; a test covers it
	cmd.AddCommand(c.importCommand(), c.pullCommand(), c.listCommand(), c.showCommand(), c.exportCommand(),
		c.rmCommand(), c.gcCommand(), c.verifyCommand(status))
	for _, sub := range cmd.Commands() {
		sub.Flags().BoolVar(&c.json, "json", false, "print the result as JSON")
		sub.Flags().SortFlags = false
		sub.DisableFlagsInUseLine = true
	}
	return cmd
}

func (c *imageCommand) open() (*store.Store, error) { return settings.OpenStore(c.dir, c.a.Host) }

func (c *imageCommand) print(v any) error { return writeJSON(c.a.Host.Stdout, v) }

func (c *imageCommand) out(format string, args ...any) error {
	_, err := fmt.Fprintf(c.a.Host.Stdout, format, args...)
	return err
}

// completeImages offers the names of the store.
func (c *imageCommand) completeImages(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.a.imageNames(c.dir), cobra.ShellCompDirectiveNoFileComp
}

// imageNames lists what completion offers; errors are for those who run something.
func (a App) imageNames(dir string) []string {
	s, err := settings.OpenStore(dir, a.Host)
	if err != nil {
		return nil
	}
	names, err := s.Names()
	if err != nil {
		return nil
	}
	return names
}

// completeImageFlag tells the shell what --image takes, where cmd has it.
func (a App) completeImageFlag(cmd *cobra.Command) {
	if cmd.Flags().Lookup("image") == nil {
		return
	}
	_ = cmd.RegisterFlagCompletionFunc("image", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		dir, _ := cmd.Flags().GetString("store") // "" when there is no such flag
		return append([]string{"host"}, a.imageNames(dir)...), cobra.ShellCompDirectiveDefault
	})
}

func (c *imageCommand) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the images of the store",
		Example: "  dettrace image list\n  dettrace image list --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := c.open()
			if err != nil {
				return err
			}
			list, err := s.List()
			if err != nil {
				return err
			}
			if c.json {
				if list == nil {
					list = []store.Image{}
				}
				return c.print(list)
			}
			for _, img := range list {
				names := strings.Join(img.Names, ", ")
				if names == "" {
					names = "-"
				}
				if err := c.out("%-30s %s %9d files %9s\n", names, store.Short(img.Digest), img.Files, report.Bytes(img.Bytes)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (c *imageCommand) rmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove names of images",
		Long: `Remove names. An image goes with "dettrace image gc" when no name is left for
it. A digest removes the only name of its image.`,
		Example:           "  dettrace image rm trixie\n  dettrace image rm trixie bookworm && dettrace image gc",
		Args:              someArgs("NAME", 1, -1),
		ValidArgsFunction: c.completeImages,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := c.open()
			if err != nil {
				return err
			}
			// All or none.
			var names []string
			for _, ref := range args {
				img, err := s.Resolve(ref)
				if err != nil {
					return err
				}
				name := strings.TrimPrefix(ref, "image:")
				if !slices.Contains(img.Names, name) {
					if len(img.Names) != 1 {
						return hint.With(fmt.Errorf("image %s: has %d names", ref, len(img.Names)), rmAdvice(img))
					}
					name = img.Names[0]
				}
				names = append(names, name)
			}
			for _, name := range names {
				if err := s.Remove(name); err != nil {
					return err
				}
			}
			if c.json {
				return c.print(names)
			}
			return nil
		},
	}
}

func rmAdvice(img store.Image) string {
	if len(img.Names) == 0 {
		return "dettrace image gc removes it"
	}
	return "remove them by name: " + strings.Join(img.Names, " ")
}

func (c *imageCommand) gcCommand() *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove images without a name, and content that no image needs",
		Long: `Remove images that no name stands for and no run has open, and files that no
image needs. Waits for imports that are under way.`,
		Example: "  dettrace image gc --dry-run\n  dettrace image gc",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := c.open()
			if err != nil {
				return err
			}
			g, err := s.GC(dry, func() { c.a.say("waiting for another process that adds an image") })
			if err != nil {
				return err
			}
			if c.json {
				return c.print(g)
			}
			for _, d := range g.InUse {
				c.a.note("%s has no name, but a run has it open", store.Short(d))
			}
			verb := "removed"
			if dry {
				verb = "would remove"
			}
			return c.out("%s %d images and %d files, %s\n", verb, len(g.Images), g.Blobs, report.Bytes(g.Bytes))
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed")
	return cmd
}

func (c *imageCommand) verifyCommand(status *int) *cobra.Command {
	var how string
	cmd := &cobra.Command{
		Use:   "verify [REF...]",
		Short: "Compute all digests of images again",
		Long: `Read everything that images consist of and compare it with their digests;
without REF, all images of the store.

Exit status: 0 all is well, 1 something is not, 125 failure of dettrace.`,
		Example:           "  dettrace image verify\n  dettrace image verify trixie",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: c.completeImages,
		RunE: func(_ *cobra.Command, args []string) (err error) {
			*status, err = c.verify(args, how)
			return err
		},
	}
	progressFlag(cmd, &how)
	return cmd
}

// verifiedImage is what image verify prints as JSON.
type verifiedImage struct {
	Digest   string          `json:"digest"`
	Problems []store.Problem `json:"problems"`
}

func (c *imageCommand) verify(args []string, how string) (int, error) {
	s, err := c.open()
	if err != nil {
		return 0, err
	}
	var list []store.Image
	if len(args) == 0 {
		list, err = s.List()
	}
	for _, ref := range args {
		img, e := s.Resolve(ref)
		if e != nil {
			return 0, e
		}
		list = append(list, img)
	}
	if err != nil {
		return 0, err
	}
	status := 0
	v := &store.Verified{Interrupt: c.a.Interrupt}
	stop, err := c.a.followTaking(how, "images", v.Progress)
	if err != nil {
		return 0, err
	}
	defer stop()
	result := []verifiedImage{}
	for _, img := range list {
		problems, err := s.Verify(img.Digest, v)
		if errors.Is(err, store.ErrInterrupted) {
			err = run.ErrInterrupted
		}
		if err != nil {
			return 0, err
		}
		result = append(result, verifiedImage{img.Digest, append([]store.Problem{}, problems...)})
		name := strings.Join(append(slices.Clone(img.Names), store.Short(img.Digest)), " ")
		for _, p := range problems {
			status = 1
			c.a.say("damaged: %s: %s: %s", name, p.Path, p.Error)
		}
		if len(problems) == 0 && !c.json {
			if err := c.out("ok %s\n", name); err != nil {
				return 0, err
			}
		}
	}
	if status != 0 {
		c.a.say("hint: import or pull the image again with --force")
	}
	if c.json {
		return status, c.print(result)
	}
	return status, nil
}

func (c *imageCommand) exportCommand() *cobra.Command {
	format, force := "tar", false
	cmd := &cobra.Command{
		Use:   "export REF FILE",
		Short: "Write an image as a tar archive or an OCI layout",
		Long: `Write an image. Equal images give equal bytes, and importing what was written
gives the same image again.

Formats: tar (the config is in a PAX header that other programs pass over),
oci (a directory, an OCI image layout), oci-archive (the same as a tar archive,
for podman, skopeo and docker load).`,
		Example: `  dettrace image export trixie trixie.tar
  dettrace image export trixie - | zstd > trixie.tar.zst
  dettrace image export --format oci-archive trixie trixie-oci.tar`,
		Args: someArgs("REF FILE", 2, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return c.completeImages(cmd, args, to)
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.export(args[0], args[1], format, force) },
	}
	cmd.Flags().StringVar(&format, "format", "tar", "`FORMAT`: tar, oci, oci-archive")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it exists")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(exportFormats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func exportFormats() []string { return []string{"tar", "oci", "oci-archive"} }

func (c *imageCommand) export(ref, name, format string, force bool) error {
	if !slices.Contains(exportFormats(), format) {
		return hint.With(fmt.Errorf("--format %q: no such format", format), "the formats are: "+strings.Join(exportFormats(), ", "))
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	img, err := s.Resolve(ref)
	if err != nil {
		return err
	}
	write := exporter(s, img, format)
	switch {
	case name == "-" && format == "oci":
		return hint.With(fmt.Errorf("--format oci: a directory cannot go to standard output"), "--format oci-archive can")
	case name == "-":
		return write(c.a.Host.Stdout)
	case format == "oci":
		err = extractTo(c.a.hostPath(name), force, write)
	default:
		err = output.SaveFunc(c.a.hostPath(name), output.Options{Force: force}, write)
	}
	if err == nil && c.json {
		return c.print(img)
	}
	return err
}

func noneToEmpty(list []store.Origin) []store.Origin {
	if list == nil {
		return []store.Origin{}
	}
	return list
}

// someArgs checks how many words there are; most -1 is any number.
func someArgs(want string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return hint.With(fmt.Errorf("%s takes %s", cmd.CommandPath(), want), helpAdvice(cmd))
		}
		return nil
	}
}

type writer = func(io.Writer) error
