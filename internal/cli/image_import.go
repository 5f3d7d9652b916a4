package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"dettrace/internal/exchange"
	"dettrace/internal/hint"
	"dettrace/internal/output"
	"dettrace/internal/progress"
	"dettrace/internal/report"
	"dettrace/internal/run"
	"dettrace/internal/settings"
	"dettrace/internal/store"
)

// importFlags are those of import and pull.
type importFlags struct {
	exchange.Options
	maxSize  string
	progress string
}

func (f *importFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.Force, "force", false, "let NAME stand for the new image if it stands for another one")
	fs.StringVar(&f.maxSize, "max-size", "64G", "most `BYTES` of files that the image may unpack to")
	fs.Int64Var(&f.MaxFiles, "max-files", exchange.DefaultMaxFiles, "most files, `N`, that the image may have")
	progressFlag(cmd, &f.progress)
}

func progressFlag(cmd *cobra.Command, how *string) {
	cmd.Flags().StringVar(how, "progress", "auto", "`HOW` to show how far it is, on standard error: auto (a line, on a terminal), plain, json or none")
	_ = cmd.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(settings.ProgressModes(), cobra.ShellCompDirectiveNoFileComp))
}

// followTaking tells, as --progress says, how many files and bytes of an image were read
// until stop is called; what a says meanwhile goes beside it.
func (a *App) followTaking(how, image string, so func() (files, bytes int64)) (stop func(), err error) {
	mode, columns, err := settings.Progress(how, a.Host)
	if err != nil || mode == "" || mode == progress.None {
		return func() {}, err
	}
	p := progress.New(a.Host.Stderr, mode, columns)
	a.Host.Stdout, a.Host.Stderr = p.Beside(a.Host.Stdout), p.Beside(a.Host.Stderr)
	return sync.OnceFunc(p.Follow(func(seconds float64) progress.Sample {
		files, bytes := so()
		return progress.Taken{Image: image, Files: files, Bytes: bytes, Seconds: seconds}
	})), nil
}

func (f *importFlags) check() (err error) {
	if f.MaxBytes, err = settings.ParseSize("--max-size", f.maxSize); err != nil {
		return err
	}
	if f.MaxFiles < 1 {
		return fmt.Errorf("--max-files %d: at least 1", f.MaxFiles)
	}
	if f.Format != "" && !slices.Contains(exchange.Formats(), f.Format) {
		return hint.With(fmt.Errorf("--format %q: no such format", f.Format), "the formats are: "+strings.Join(exchange.Formats(), ", "))
	}
	return nil
}

func (c *imageCommand) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import SOURCE [NAME]",
		Short: "Take an image into the store",
		Long: `Take an image into the store and print its digest. SOURCE is a directory, a tar
archive of a root file system, an OCI image layout (a directory or a tar
archive), an archive of "docker save", or "host". Archives may be compressed
with gzip, zstd, xz or bzip2. All of it is recognised by content, and digests
that the source names are checked.

NAME is the last part of SOURCE without its extension unless it is given.`,
		Example: `  dettrace image import ./trixie                    # what debootstrap made
  dettrace image import trixie.tar.zst trixie
  docker save hello | zstd > hello.tar.zst && dettrace image import hello.tar.zst
  dettrace image import --ref v2 ./layout app`,
		Args: someArgs("SOURCE [NAME]", 1, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return c.completeImages(cmd, args, to)
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if f.Name = sourceName(args[0]); len(args) > 1 {
				f.Name = args[1]
			}
			path := args[0]
			if path != "host" {
				path = c.a.hostPath(path)
			}
			return c.take(&f, args[0], func(s *store.Store) (exchange.Result, error) {
				return exchange.Import(s, path, f.Options)
			})
		},
	}
	cmd.Flags().StringVar(&f.Format, "format", "auto", "`FORMAT` of SOURCE: "+strings.Join(exchange.Formats(), ", "))
	cmd.Flags().StringVar(&f.Ref, "ref", "", "`NAME` or digest of the image in SOURCE, when it has several")
	f.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(exchange.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// sourceName is the name of an image that has none but its file's.
func sourceName(source string) string {
	name := filepath.Base(filepath.Clean(source))
	for _, ext := range []string{".gz", ".zst", ".xz", ".bz2", ".tgz", ".txz", ".tar"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

func (c *imageCommand) pullCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "pull REF [NAME]",
		Short: "Take an image of an OCI registry into the store",
		Long: `Get an image for linux/amd64 from a registry, take it into the store, and print
its digest. REF is as for docker pull: HOST/PATH:TAG, or HOST/PATH@sha256:DIGEST,
which gets that image or none. What a tag stood for is kept with the image
("dettrace image show"), for a pull that needs the same again.

The digest in REF is the registry's, that of a manifest; the digest that is
printed is that of the content, the same however the image was packed.

NAME is REF without its digest unless it is given. Credentials are those that
docker, podman or skopeo login stored. Plain http is for the loopback only.`,
		Example: `  dettrace image pull debian:trixie
  dettrace image pull ghcr.io/owner/app@sha256:0123... app
  dettrace run --image debian:trixie -- cat /etc/os-release`,
		Args: someArgs("REF [NAME]", 1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Name, _, _ = strings.Cut(args[0], "@")
			if len(args) > 1 {
				f.Name = args[1]
			}
			return c.take(&f, args[0], func(s *store.Store) (exchange.Result, error) {
				ctx, end := c.a.interruptible(cmd.Context())
				defer end(nil)
				r, err := exchange.Pull(ctx, s, args[0], f.Options)
				if err != nil && context.Cause(ctx) != nil {
					err = context.Cause(ctx)
				}
				return r, err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.register(cmd)
	return cmd
}

// take runs an import with its progress line and prints what came of it.
func (c *imageCommand) take(f *importFlags, source string, do func(*store.Store) (exchange.Result, error)) error {
	if err := f.check(); err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	if err := store.CheckName(f.Name); err != nil {
		return hint.With(err, "name it: "+source+" NAME; "+hint.Of(err))
	}
	if _, _, err := settings.Progress(f.progress, c.a.Host); err != nil {
		return err // before the work
	}
	stop := func() {}
	f.Watch = func(b *store.Build) {
		b.Interrupt = c.a.Interrupt
		stop, _ = c.a.followTaking(f.progress, f.Name, b.Progress) // it was asked above
	}
	r, err := do(s)
	stop()
	if errors.Is(err, store.ErrInterrupted) {
		err = run.ErrInterrupted
	}
	if err != nil {
		return err
	}
	for _, k := range r.Skipped {
		c.a.note("%s left out: %s", k.Path, k.Why)
	}
	if c.json {
		return c.print(r)
	}
	if r.Origin.Resolved != "" {
		c.a.say("%s is %s", source, r.Origin.Resolved)
	}
	c.a.say("image %s: %d files, %s", f.Name, r.Files, report.Bytes(r.Bytes))
	return c.out("%s\n", r.Digest)
}

// exporter writes an image in a format of exportFormats.
func exporter(s *store.Store, img store.Image, format string) writer {
	ref := "latest"
	if len(img.Names) > 0 {
		ref = img.Names[0]
	}
	return func(w io.Writer) error {
		switch format {
		case "oci":
			return exchange.OCI(s, img.Digest, layoutDir, ref, w)
		case "oci-archive":
			return exchange.OCI(s, img.Digest, "", ref, w)
		}
		return exchange.Tar(s, img.Digest, w)
	}
}

// layoutDir is the directory that a layout has in the archive it is extracted
// from.
const layoutDir = "layout/"

// extractTo makes the directory name of what write writes.
func extractTo(name string, force bool, write writer) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	err := output.Extract(r, output.Target{Guest: "/" + strings.TrimSuffix(layoutDir, "/"), Host: name}, output.Options{Force: force})
	r.CloseWithError(io.ErrClosedPipe)
	return err
}
