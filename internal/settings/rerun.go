package settings

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dettrace/internal/output"
	"dettrace/internal/run"
)

// HostPaths are the flags of run whose values are paths of the host. A test
// knows all others.
func HostPaths() []string {
	return []string{"image", "store", "input", "secret", "stdin", "stdin-replay", "record", "schedule", "state-dir", "log", "trace", "list-inputs", "report", "save", "save-schedule", "messages", "output"}
}

// Args writes f as the flags of run ("--NAME=VALUE"), in the order of the help,
// without those that have their default or are empty.
func Args(f Flags) (args []string) {
	var v Flags
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	Register(fs, &v)
	v = f // where the flags look
	fs.VisitAll(func(x *pflag.Flag) {
		values := []string{x.Value.String()}
		if list, ok := x.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		} else if o, ok := x.Value.(*optional); ok && *o.p == nil || !ok && (values[0] == x.DefValue || values[0] == "") {
			return
		}
		for _, value := range values {
			args = append(args, "--"+x.Name+"="+value)
		}
	})
	return args
}

// Bare is f without what says where results go and how much is told: what is
// run, for commands that make runs of their own.
func Bare(f Flags) Flags {
	f.Outputs, f.Force, f.OutputOnFailure, f.WriteBack, f.Save, f.Commit = nil, false, false, false, "", ""
	f.SaveSchedule, f.Log, f.Trace, f.Report, f.ListInputs, f.Messages = "", "", "", "", "", ""
	f.Profile, f.Verbose, f.Quiet, f.Progress, f.Vary, f.VarySeed = false, false, false, "", "", ""
	return f
}

// HideArgs are the flags that hide what inputs hide.
func HideArgs(inputs []run.Input) (args []string) {
	for _, in := range inputs {
		for _, p := range in.Hide {
			args = append(args, "--hide="+guestPattern(in)+p)
		}
	}
	return args
}

// HideBelow are the values of --hide for a path of the host where it lies in an input,
// links resolved: our own files.
func HideBelow(inputs []run.Input, host string) (values []string) {
	for _, in := range inputs {
		if pattern, ok := below(in, host); ok {
			values = append(values, guestPattern(in)+pattern)
		}
	}
	return values
}

// HideOwn does the same to the inputs.
func HideOwn(inputs []run.Input, host string) {
	for i, in := range inputs {
		if pattern, ok := below(in, host); ok {
			inputs[i].Hide = append(slices.Clone(in.Hide), pattern)
		}
	}
}

// below is the pattern of a path of the host in an input that it lies in.
func below(in run.Input, host string) (pattern string, ok bool) {
	top := in.Host
	if real, err := filepath.EvalSymlinks(top); err == nil {
		top = real
	}
	rest, ok := strings.CutPrefix(host, strings.TrimSuffix(top, "/")+"/")
	return "/" + output.HostPattern("", rest), ok
}

// Absolute are the flags args ("--NAME=VALUE") with which a run started in any
// directory, at any time, is the one that spec describes. Flags of inputs are
// left out: see run.Spec.Inputs.
func Absolute(args []string, spec run.Spec, f Flags, host Host) []string {
	var out []string
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch name {
		case "input", "no-default-input", "hide", "state-dir":
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
		case "profile": // its paths and its time are those of the directory
			if !strings.Contains(value, ":") {
				value += ":" + projectOf(host.Dir)
			}
			if f.Epoch == "" {
				out = append(out, "--epoch="+nowText(spec))
			}
		case "epoch":
			if f.Epoch == "now" {
				value = nowText(spec)
			}
		case "secret":
			if n, file, ok := strings.Cut(value, "="); ok {
				value = n + "=" + hostPath(file, host.Dir)
			}
		case "stdin", "stdin-replay", "schedule":
			value = hostPath(value, host.Dir)
		}
		out = append(out, "--"+name+"="+value)
	}
	return out
}

// ReadFiles are the files of the host that a run with these flags, as Absolute gives
// them, reads besides image and inputs.
func ReadFiles(args []string) (files []string) {
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch name {
		case "secret":
			if _, file, ok := strings.Cut(value, "="); ok {
				files = append(files, file)
			}
		case "stdin", "stdin-replay", "schedule":
			files = append(files, value)
		}
	}
	return files
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
