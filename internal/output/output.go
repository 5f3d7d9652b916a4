// Package output takes what a run made to the host: copies of guest paths
// (Set), changes applied to the inputs (WriteBack), all changes as a tar (Save).
//
// The guest is hostile and so is every tar that describes it. The invariants:
//
//   - nothing is written outside the target: names are checked, directories
//     are opened with openat2(2) and RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS, and
//     only names in an opened directory are created or removed;
//   - nothing is ever owned by anybody but the caller, set-id bits go away,
//     devices, FIFOs and sockets are not made (each is reported);
//   - a target appears at once or not at all: everything is staged in a
//     directory beside it and renamed.
//
// Hard links are kept inside one target. Times are those of the guest's clock.
package output

import (
	"fmt"
	"path"
	"strings"
)

// Target is one guest path to copy out and the host path it becomes.
type Target struct {
	Guest string // absolute, clean
	Host  string // absolute, clean
}

// Skipped is something of the guest that has no place on the host.
type Skipped struct {
	Path string // guest path
	Why  string // "device", "fifo", "set-id bits dropped", ...
}

// Options are the same for all targets.
type Options struct {
	Force bool // replace what exists
	// Skip, if set, is told what was left out.
	Skip func(Skipped)
	// List, if set, is told of every file, directory and symlink of a Set's
	// targets, in order.
	List func(File)
}

func (o Options) skip(p, why string) {
	if o.Skip != nil {
		o.Skip(Skipped{Path: p, Why: why})
	}
}

// HasGlob reports whether p holds a character that path.Match interprets.
func HasGlob(p string) bool { return strings.ContainsAny(p, `*?[\`) }

// GlobTargets gives each match of pattern its place below the host directory:
// the path it has below the part of the pattern without globs, so that two
// matches of one name in different directories do not meet.
func GlobTargets(pattern, hostDir string, matches []string) []Target {
	base := path.Dir(pattern)
	for HasGlob(base) {
		base = path.Dir(base)
	}
	prefix := strings.TrimSuffix(base, "/") + "/"
	targets := make([]Target, 0, len(matches))
	for _, m := range matches {
		targets = append(targets, Target{Guest: m, Host: path.Join(hostDir, strings.TrimPrefix(m, prefix))})
	}
	return targets
}

// HostPattern is the pattern (path.Match) of the host paths that an output of
// the guest path pattern takes: hostDir itself if pattern has no glob.
func HostPattern(pattern, host string) string {
	if !HasGlob(pattern) {
		return quoteGlob(host)
	}
	base := path.Dir(pattern)
	for HasGlob(base) {
		base = path.Dir(base)
	}
	return path.Join(quoteGlob(host), strings.TrimPrefix(pattern, strings.TrimSuffix(base, "/")+"/"))
}

var globQuoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func quoteGlob(p string) string { return globQuoter.Replace(p) }

// guestName is the absolute guest path of a tar name. Names that are not
// canonical ("..", ".", empty parts, NUL) are hostile and refused; one leading
// "./" or "/" and one trailing "/" are tar's habit.
func guestName(name string) (string, error) {
	p := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/"), "/")
	if p == "" || p == "." {
		return "/", nil
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("tar: name %q: not a clean path", name)
		}
	}
	return "/" + p, nil
}

// under is p relative to base ("." for base itself); false when outside.
func under(p, base string) (string, bool) {
	if p == base {
		return ".", true
	}
	rest, ok := strings.CutPrefix(p, strings.TrimSuffix(base, "/")+"/")
	return rest, ok
}
