package settings

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"dettrace/internal/hint"
	"dettrace/internal/output"
	"dettrace/internal/run"
)

// setInputs adds the declared inputs in order and the current directory in
// front of them, unless one of them takes its place.
func setInputs(s *run.Spec, f Flags, host Host) error {
	if f.InputMtime != "epoch" && f.InputMtime != "keep" {
		return hint.With(fmt.Errorf("--input-mtime %q: neither epoch nor keep", f.InputMtime), "epoch makes a run independent of file times on the host")
	}
	for _, arg := range f.Inputs {
		in, err := parseInput(arg, s.Workdir, host.Dir)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(s.Inputs, func(o run.Input) bool { return o.Guest == in.Guest }); i >= 0 {
			return hint.With(fmt.Errorf("two inputs at %s: %s and %s", in.Guest, s.Inputs[i].Host, in.Host),
				"give one another place: -i "+strings.TrimSuffix(arg, ":"+in.Guest)+":/build/"+path.Base(in.Host)+"-2")
		}
		s.Inputs = append(s.Inputs, in)
	}
	taken := slices.ContainsFunc(s.Inputs, func(o run.Input) bool { return o.Guest == SourceDir })
	if !f.NoDefaultInput && !taken {
		s.Inputs = slices.Insert(s.Inputs, 0, run.Input{Host: filepath.Clean(host.Dir), Guest: SourceDir})
	}
	// A mount covers what is below it, so an outer one comes first.
	slices.SortStableFunc(s.Inputs, func(a, b run.Input) int { return depth(a.Guest) - depth(b.Guest) })
	for i := range s.Inputs {
		s.Inputs[i].KeepMtime = f.InputMtime == "keep"
		s.Inputs[i].Follow = f.FollowInputs
	}
	for _, arg := range f.Hide {
		if err := hide(s.Inputs, guestPath(arg, s.Workdir)); err != nil {
			return hint.With(fmt.Errorf("--hide %s: %w", arg, err), "a path or glob below the place of an input; relative ones start at the working directory")
		}
	}
	return nil
}

// hide takes what matches a guest pattern out of the inputs that it lies in.
func hide(inputs []run.Input, pattern string) error {
	if _, err := path.Match(pattern, "/"); err != nil {
		return err
	}
	found := false
	for i := range inputs {
		if rest, ok := strings.CutPrefix(pattern, guestPattern(inputs[i])); ok && strings.HasPrefix(rest, "/") {
			inputs[i].Hide = append(inputs[i].Hide, rest)
			found = true
		}
	}
	if !found {
		return errors.New("in no input")
	}
	return nil
}

// guestPattern matches the place of an input, and nothing else.
func guestPattern(in run.Input) string { return output.HostPattern("", in.Guest) }

// parseInput reads HOST[:GUEST]. The last colon separates, so a HOST with a
// colon is written with one more at its end, or with \: for it. Without GUEST the current
// directory is at SourceDir, and anything else beside it by its base name.
func parseInput(arg, workdir, dir string) (run.Input, error) {
	name, guest := cutLast(arg)
	if name == "" {
		return run.Input{}, hint.With(fmt.Errorf("-i %q: no host path", arg), "-i HOST or -i HOST:GUEST")
	}
	full := hostPath(name, dir)
	info, err := os.Stat(full)
	if err != nil {
		advice := "an input is a file or directory on the host; relative paths start at the current directory"
		if _, whole := os.Lstat(hostPath(arg, dir)); whole == nil {
			advice = "the last colon separates HOST from GUEST; write -i '" + arg + ":'"
		}
		return run.Input{}, hint.With(fmt.Errorf("input %s: %w", name, reason(err)), advice)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return run.Input{}, hint.With(fmt.Errorf("input %s: neither a file nor a directory", name), "bytes of a pipe can come in with --stdin")
	}
	switch {
	case guest == "same":
		guest = full
	case guest != "":
		guest = guestPath(guest, workdir)
	case full == filepath.Clean(dir):
		guest = SourceDir
	default:
		guest = "/build/" + path.Base(full)
	}
	if err := checkPlace(guest); err != nil {
		return run.Input{}, hint.With(fmt.Errorf("-i %s: %w", arg, err), "name another place: -i "+name+":/build/NAME")
	}
	// The input itself may be a link; what it leads to is what is shown.
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return run.Input{}, fmt.Errorf("input %s: %w", name, reason(err))
	}
	return run.Input{Host: real, Guest: guest}, nil
}

// checkPlace refuses guest places where an input cannot be: the root is the
// image's, and the pseudo file systems are the container's own.
func checkPlace(guest string) error {
	if guest == "/" {
		return errors.New("an input cannot be the guest's root")
	}
	for _, own := range []string{"/proc", "/sys", "/dev"} {
		if guest == own || strings.HasPrefix(guest, own+"/") {
			return fmt.Errorf("%s is made by the container", own)
		}
	}
	return nil
}

// hostPath makes name absolute below dir and clean.
func hostPath(name, dir string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// cutLast splits at the last colon that is no \:, which is a colon of a path.
// Backslashes before a colon are doubled; others stand for themselves.
func cutLast(arg string) (before, after string) {
	end := len(arg)
	for {
		i := strings.LastIndexByte(arg[:end], ':')
		if i < 0 {
			return plainColons(arg), ""
		}
		slashes := i - len(strings.TrimRight(arg[:i], `\`))
		if slashes%2 == 0 {
			return plainColons(arg[:i-slashes/2]), plainColons(arg[i+1:])
		}
		end = i
	}
}

// plainColons is a path written with \: for its colons.
func plainColons(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			return b.String() + s
		}
		stem := strings.TrimRight(s[:i], `\`)
		b.WriteString(stem + strings.Repeat(`\`, (i-len(stem))/2) + ":")
		s = s[i+1:]
	}
}

// escapeColons is the reverse: of a path that a colon follows if more is set.
func escapeColons(s string, more bool) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, ':')
		if i < 0 && !more {
			return b.String() + s
		}
		if i < 0 {
			i = len(s)
		}
		slashes := strings.Repeat(`\`, i-len(strings.TrimRight(s[:i], `\`)))
		b.WriteString(s[:i] + slashes)
		if i == len(s) {
			return b.String()
		}
		b.WriteString(`\:`)
		s = s[i+1:]
	}
}

// InputArg is the value of --input for an input, whatever its paths have in them.
func InputArg(host, guest string) string {
	return escapeColons(host, true) + ":" + escapeColons(guest, false)
}

func depth(p string) int { return strings.Count(p, "/") }
