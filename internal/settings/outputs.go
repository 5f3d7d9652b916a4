package settings

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/output"
	"dettrace/internal/run"
)

// setOutputs resolves -o and refuses what exists, before the run and not
// after an hour of it.
func setOutputs(s *run.Spec, f Flags, host Host) error {
	for _, arg := range f.Outputs {
		out, err := ParseOutput(arg, s.Workdir, host.Dir)
		if err != nil {
			return err
		}
		if slices.Contains(s.Outputs, out) {
			continue
		}
		for _, other := range s.Outputs {
			// Two globs may share a directory; everything else would overwrite.
			if other.Host == out.Host && !(output.HasGlob(other.Guest) && output.HasGlob(out.Guest)) {
				return hint.With(fmt.Errorf("two outputs at %s: %s and %s", out.Host, other.Guest, out.Guest),
					"name another host path: -o "+out.Guest+":PATH")
			}
		}
		if err := checkTarget(out, f.Force); err != nil {
			return err
		}
		if err := checkHolds(out, s.Inputs, host.Dir); err != nil {
			return err
		}
		s.Outputs = append(s.Outputs, out)
	}
	if err := setCommit(s, f, host); err != nil {
		return err
	}
	if f.Save != "" {
		s.Save = hostPath(f.Save, host.Dir)
		if info, err := os.Stat(s.Save); err == nil && info.IsDir() {
			return fmt.Errorf("--save %s: is a directory", f.Save)
		}
		if output.Sink(s.Save) {
			return nil
		}
		return checkTarget(run.Output{Guest: "changes", Host: s.Save}, f.Force)
	}
	return nil
}

// ParseOutput reads GUEST[:HOST]. A relative GUEST starts at the working
// directory. Without HOST a path below the source directory (else below the
// working directory) goes to the same relative path below dir, any other to
// its base name. For a glob HOST is the directory that gets the matches.
func ParseOutput(arg, workdir, dir string) (run.Output, error) {
	name, target := cutLast(arg)
	if name == "" {
		return run.Output{}, hint.With(fmt.Errorf("-o %q: no guest path", arg), "-o GUEST or -o GUEST:HOST")
	}
	guest := guestPath(name, workdir)
	if guest == "/" {
		return run.Output{}, hint.With(errors.New("-o /: the whole root is not an output"), "--save FILE.tar keeps all changes")
	}
	if output.HasGlob(guest) {
		if _, err := path.Match(guest, "/"); err != nil {
			return run.Output{}, hint.With(fmt.Errorf("-o %q: broken glob", name), "a [ needs its ]")
		}
	}
	if target != "" {
		return run.Output{Guest: guest, Host: hostPath(target, dir)}, nil
	}
	relative := path.Base(guest)
	for _, base := range []string{SourceDir, workdir} {
		if below, ok := strings.CutPrefix(guest, strings.TrimSuffix(base, "/")+"/"); ok {
			relative = below
			break
		}
	}
	if guest == SourceDir || guest == workdir {
		return run.Output{}, hint.With(fmt.Errorf("-o %s: that is the working tree itself", name),
			"--write-back applies its changes to the host, -o "+name+":PATH copies it elsewhere")
	}
	if output.HasGlob(guest) {
		relative = globDir(relative)
	}
	return run.Output{Guest: guest, Host: filepath.Join(dir, relative)}, nil
}

// globDir is the part of a relative pattern in front of its first glob.
func globDir(pattern string) string {
	d := path.Dir(pattern)
	for output.HasGlob(d) {
		d = path.Dir(d)
	}
	return d
}

// checkHolds refuses an output that would replace a directory with what the run needs
// in it, and much besides: the working directory (of a build file: its own), or an
// input. An input itself may be replaced.
func checkHolds(out run.Output, inputs []run.Input, dir string) error {
	target, err := os.Lstat(out.Host)
	if err != nil || !target.IsDir() || output.HasGlob(out.Guest) {
		return nil
	}
	kept := []string{dir}
	for _, in := range inputs {
		kept = append(kept, filepath.Dir(in.Host))
	}
	for _, p := range kept {
		for {
			if info, err := os.Stat(p); err == nil && os.SameFile(info, target) {
				return hint.With(fmt.Errorf("output %s: would replace the directory, with all that is in it", out.Host),
					"name the place in it: -o "+out.Guest+":"+filepath.Join(out.Host, path.Base(out.Guest)))
			}
			up := filepath.Dir(p)
			if up == p {
				break
			}
			p = up
		}
	}
	return nil
}

// checkTarget refuses a host path that exists or that cannot be made. For a
// glob only its directory can be checked; the matches are checked when copied.
func checkTarget(out run.Output, force bool) error {
	info, err := os.Lstat(out.Host)
	if output.HasGlob(out.Guest) {
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			info, err = os.Stat(out.Host)
		}
		if err == nil && !info.IsDir() {
			return hint.With(fmt.Errorf("output %s: not a directory", out.Host), "a glob's matches go into a directory")
		}
	} else if err == nil && !force {
		return hint.With(fmt.Errorf("output %s: already exists", out.Host), "--force replaces it")
	}
	place := filepath.Dir(out.Host)
	if output.HasGlob(out.Guest) {
		place = out.Host
	}
	if err := placeable(place); err != nil {
		return hint.With(fmt.Errorf("output %s: %w", out.Host, err), hint.Of(err))
	}
	return nil
}

// placeable reports why nothing can be made in a directory, or in the nearest one above it
// that is there: better before a long run than after it.
func placeable(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is not a directory", dir)
		case err == nil:
			if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
				return hint.With(err, "the directory "+dir+" must be writable")
			}
			return nil
		case !errors.Is(err, os.ErrNotExist):
			return reason(err)
		}
		dir = filepath.Dir(dir)
	}
}

// CheckPlace reports why the file that a flag names could not be written after the runs.
func CheckPlace(flag, name string, host Host) error {
	path := hostPath(name, host.Dir)
	if name == "" || output.Sink(path) {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s %s: is a directory", flag, name)
	}
	if err := placeable(filepath.Dir(path)); err != nil {
		return hint.With(fmt.Errorf("%s %s: %w", flag, name, err), hint.Of(err))
	}
	return nil
}
