package build

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"dettrace/internal/buildfile"
	"dettrace/internal/hint"
	"dettrace/internal/output"
	"dettrace/internal/run"
	"dettrace/internal/settings"
)

// Spec resolves one build: relative paths start at the file's directory, and
// nothing comes from the host's environment but secrets.
func (b *Builder) Spec(one buildfile.Build) (run.Spec, error) {
	host := b.o.Host
	host.Dir = b.dir
	flags := one.Flags
	flags.Store, flags.Verbose, flags.Progress = b.o.Store, b.o.Verbose, b.o.Progress
	for _, n := range one.Needs {
		outputs := b.placed[n.Build]
		if len(outputs) == 0 {
			return run.Spec{}, hint.With(fmt.Errorf("needs build:%s, which has no outputs", n.Build), "outputs are what a build hands on")
		}
		for _, o := range outputs {
			guest := n.Guest
			switch {
			case guest == "":
				guest = "/build/" + filepath.Base(o)
			case len(outputs) > 1:
				guest = path.Join(guest, filepath.Base(o))
			}
			flags.Inputs = append(flags.Inputs, settings.InputArg(o, guest))
		}
	}
	spec, err := settings.Resolve(flags, one.Command, host)
	if err != nil {
		return spec, err
	}
	for i := range spec.Inputs {
		spec.Inputs[i].Hide = b.below(spec.Inputs[i].Host)
	}
	spec.Interrupt = b.o.Interrupt
	if b.o.Stdout != nil {
		spec.Stdout = b.o.Stdout
	}
	spec.Report, spec.InputList = b.o.Report, b.o.InputList
	return spec, nil
}

// Found takes the outputs that a build left beside the file at another time.
func (b *Builder) Found(one buildfile.Build) error {
	for _, o := range one.Flags.Outputs {
		out, err := settings.ParseOutput(o, one.Flags.Workdir, b.dir)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(out.Host); err != nil {
			return hint.With(fmt.Errorf("needs build:%s: %w", one.Name, err), "dettrace build --only "+one.Name+" makes it")
		}
		b.placed[one.Name] = append(b.placed[one.Name], out.Host)
	}
	return nil
}

// hide finds what builds of the file make: a build must not see what it, or
// another one that it does not need, made the last time.
func (b *Builder) hide(file string) error {
	all, err := buildfile.Read(file)
	if err != nil {
		return err
	}
	b.Many = len(all) > 1
	b.made = []string{output.HostPattern("", b.LockPath)}
	for _, one := range all {
		for _, o := range one.Flags.Outputs {
			out, err := settings.ParseOutput(o, one.Flags.Workdir, b.dir)
			if err != nil {
				return hint.With(fmt.Errorf("build %s: %w", one.Name, err), hint.Of(err))
			}
			b.made = append(b.made, output.HostPattern(out.Guest, out.Host))
		}
	}
	return nil
}

// below gives the patterns of b.made inside an input.
func (b *Builder) below(host string) []string {
	var out []string
	for _, p := range b.made {
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(output.HostPattern("", host), "/")+"/"); ok {
			out = append(out, "/"+rest)
		}
	}
	return out
}
