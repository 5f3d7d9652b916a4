package settings

import (
	"strings"
	"time"

	"dettrace/internal/run"
)

// HostPaths are the flags of run whose values are paths of the host. A test
// knows all others.
func HostPaths() []string {
	return []string{"image", "store", "input", "secret", "stdin", "schedule", "state-dir", "log", "trace", "list-inputs", "report", "save", "save-schedule", "messages", "output"}
}

// Absolute are the flags args ("--NAME=VALUE") with which a run started in any
// directory, at any time, is the one that spec describes. Flags of inputs are
// left out: see run.Spec.Inputs.
func Absolute(args []string, spec run.Spec, f Flags, host Host) []string {
	var out []string
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch name {
		case "input", "no-default-input", "state-dir":
			continue
		case "store":
			value = hostPath(value, host.Dir)
			if spec.Store != "" {
				continue // comes with the image
			}
		case "image":
			if spec.Store != "" {
				out = append(out, "--store="+spec.Store)
				value = spec.Image
			} else if _, path, ok := strings.Cut(spec.Image, ":"); ok && strings.HasPrefix(path, "/") {
				value = spec.Image
			}
		case "epoch":
			if f.Epoch == "now" {
				value = nowText(spec)
			}
		case "secret":
			if n, file, ok := strings.Cut(value, "="); ok {
				value = n + "=" + hostPath(file, host.Dir)
			}
		case "stdin", "schedule":
			value = hostPath(value, host.Dir)
		}
		out = append(out, "--"+name+"="+value)
	}
	return out
}

// Pinned are the flags args ("--NAME=VALUE") with which a run started in the
// same directory is the one that spec describes, also at another time.
func Pinned(args []string, spec run.Spec, f Flags) []string {
	var out []string
	for _, arg := range args {
		switch name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "="); name {
		case "image":
			if spec.Store != "" {
				arg = "--image=" + spec.Image
			}
		case "epoch":
			if f.Epoch == "now" {
				arg = "--epoch=" + nowText(spec)
			}
		}
		out = append(out, arg)
	}
	return out
}

func nowText(spec run.Spec) string {
	return time.Unix(0, spec.EpochNS).UTC().Format(time.RFC3339Nano)
}

// GuestPaths makes paths or globs absolute as those of --output are; workdir is
// that of the run.
func GuestPaths(paths []string, workdir string) (out []string) {
	for _, p := range paths {
		out = append(out, guestPath(p, workdir))
	}
	return out
}

// ParseSeed reads the value of a flag that holds a seed.
func ParseSeed(flag, value string) (uint64, error) { return parseSeed(flag, value) }
