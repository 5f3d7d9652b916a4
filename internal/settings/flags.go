package settings

import (
	"strings"

	"github.com/spf13/pflag"

	"dettrace/internal/console"
	"dettrace/internal/cpu"
)

// Register adds the flags of `dettrace run` to fs, with their defaults.
// StringArray and not StringSlice: a comma is an ordinary character in a path
// and in a value.
func Register(fs *pflag.FlagSet, f *Flags) {
	fs.StringVar(&f.Image, "image", "host", "initial file system: `REF` is \"host\" (this machine's system directories), a directory, a tar, or an image of the store by name or sha256:PREFIX")
	fs.StringVar(&f.Store, "store", "", "`DIR` of the store of images (default $DETTRACE_STORE, else dettrace/store in $XDG_DATA_HOME or ~/.local/share)")
	fs.Var(&optional{&f.Entrypoint}, "entrypoint", "`CMD` in place of the image's Entrypoint and Cmd: a word, a JSON array, or '' for none")
	fs.StringArrayVarP(&f.Inputs, "input", "i", nil, "`HOST[:GUEST]`: a host file or directory the guest sees, copy-on-write; GUEST \"same\" keeps the path (repeatable; the current directory is always at "+SourceDir+")")
	fs.BoolVar(&f.NoDefaultInput, "no-default-input", false, "do not show the current directory at "+SourceDir)
	fs.StringArrayVar(&f.Hide, "hide", nil, "`GUEST` path or glob in an input that the guest does not see (repeatable)")
	fs.StringVar(&f.InputMtime, "input-mtime", "epoch", "file times of inputs: `epoch` or keep")
	fs.BoolVar(&f.FollowInputs, "follow-inputs", false, "follow symlinks that lead out of an input")
	fs.StringVarP(&f.Workdir, "workdir", "w", "", "guest `DIR` the command starts in, relative to "+SourceDir+" (default the image's, else "+SourceDir+")")

	fs.StringArrayVarP(&f.Outputs, "output", "o", nil, "`GUEST[:HOST]`: copy this path out after success; globs allowed (repeatable; HOST defaults to the same relative path below the current directory)")
	fs.BoolVar(&f.Force, "force", false, "replace outputs that exist")
	fs.BoolVar(&f.OutputOnFailure, "output-on-failure", false, "copy outputs although the command failed")
	fs.BoolVar(&f.WriteBack, "write-back", false, "apply the changes under the inputs to the host after success")
	fs.StringVar(&f.Commit, "commit", "", "after success, make image and changes an image of the store called `NAME`")
	fs.StringVar(&f.Save, "save", "", "write all changes as one canonical tar to `FILE`")

	fs.StringArrayVarP(&f.Env, "env", "e", nil, "`K=V`: set a variable for the guest; K alone takes the host's value (repeatable)")
	fs.BoolVar(&f.EnvHost, "env-host", false, "give the guest the host's environment (names, not values, are reported)")
	fs.StringArrayVar(&f.Secret, "secret", nil, "`NAME[=FILE]`: give the guest the host's value, or FILE's content, in a variable that no log, report or cache shows, not even as a digest (repeatable)")
	fs.StringVar(&f.Epoch, "epoch", "", "`TIME` the guest's clock starts at: RFC 3339, a date, @SECONDS or now (default SOURCE_DATE_EPOCH from -e, else "+defaultEpochText+")")
	fs.StringVar(&f.Seed, "seed", "0", "`N` all randomness of the guest comes from")
	fs.StringVar(&f.ScheduleSeed, "schedule-seed", "0", "`N` the order of threads and processes comes from: each shows other races, 0 is first come, first served")
	fs.StringVar(&f.Schedule, "schedule", "", "repeat the order of threads in `FILE`, from --save-schedule or dettrace hunt")
	fs.StringVar(&f.SaveSchedule, "save-schedule", "", "write the order of threads that --schedule-seed chose to `FILE`")
	fs.StringVar(&f.Vary, "vary", "", "open these sources of difference, each as a function of a seed: `LIST` is all or names with commas, - in front of one takes it out (docs/explain.md)")
	fs.StringVar(&f.VarySeed, "vary-seed", "1", "seed `N` of the sources in --vary")
	fs.IntVar(&f.CPUs, "cpus", 1, "number of CPUs `N` the guest is told")
	fs.StringVar(&f.CPUModel, "cpu-model", cpu.Default, "the CPU the guest is shown: `MODEL` is "+strings.Join(cpu.Names(), ", ")+" (what this machine has)")
	fs.StringVar(&f.Hostname, "hostname", DefaultHostname, "the guest's host `NAME`")
	fs.StringVar(&f.Preset, "profile", "", "the habits of a distribution's builders, `NAME` is debian, guix, nix or ci: user, home, paths, environment and epoch, where no other flag sets them")
	fs.StringVar(&f.User, "user", "", "run as `USER[:GROUP]`, numbers or names of the image (default the image's, else 0:0)")
	fs.StringArrayVar(&f.Allow, "allow", nil, "open a door to the host on purpose, which makes the run impure: `WHAT` is "+strings.Join(Doors(), ", ")+" (repeatable; docs/guarantees.md says what each costs)")
	fs.StringVar(&f.Stdin, "stdin", "", "`FILE` the command reads, - for dettrace's own standard input (default empty)")

	fs.StringVar(&f.OnFailure, "on-failure", "", "when the command fails, keep its files, directory and environment, or open a shell in them: `HOW` is "+strings.Join(OnFailures(), " or "))
	fs.BoolVar(&f.TTY, "tty", false, "give the command a terminal; on the host's terminal, what is typed goes to it")
	fs.StringVar(&f.TTYSize, "tty-size", "", "`COLSxROWS` of the guest's terminal (default "+console.DefaultSize().String()+"; the host's is not passed on)")
	fs.StringVar(&f.Record, "record", "", "write what is typed, and where in the run, to `FILE`, also what comes through --stdin -")
	fs.StringVar(&f.StdinReplay, "stdin-replay", "", "type what --record wrote to `FILE`, at the same places: the same run again")

	fs.StringVar(&f.Timeout, "timeout", "", "end the run after this wall `TIME`: 90, 90s, 10m, 1h30m")
	fs.StringVar(&f.SpinLimit, "spin-limit", "", "end the run when a thread has used this CPU `TIME` without a system call (default: never)")
	fs.StringVar(&f.Memory, "memory", "", "memory limit in `BYTES`: 512M, 2G")
	fs.Int64Var(&f.Pids, "pids", 0, "limit of processes and threads `N` (0 for the default)")
	fs.StringVar(&f.StateDir, "state-dir", "", "`DIR` where changed files live during the run (default $TMPDIR, else /var/tmp)")
	fs.Uint64Var(&f.HostOrder, "host-order", 0, "take host directories to list their names in another order, that of seed `N`")
	_ = fs.MarkHidden("host-order") // verify uses it
	fs.BoolVar(&f.NoFastPaths, "no-fast-paths", false, "make every call of the guest stop that changes or counts anything: slower, with the same result")
	fs.StringVar(&f.Log, "log", "", "write the event log to `FILE`")
	fs.StringVar(&f.Trace, "trace", "", "write who did what with which bytes of which file to `FILE`, for dettrace trace and dettrace why")
	fs.StringVar(&f.Report, "report", "", "write a JSON report to `FILE`")
	fs.StringVar(&f.ListInputs, "list-inputs", "", "write everything that was read of image and inputs, with digests, to `FILE` (JSON lines)")
	fs.BoolVar(&f.Profile, "timing", false, "measure where the time goes: a table on standard error, and in the report")
	fs.StringVar(&f.Messages, "messages", "", "write dettrace's own messages to `FILE` instead of standard error")
	_ = fs.MarkHidden("messages") // fails only for a flag that does not exist; verify uses it
	fs.BoolVar(&f.Strict, "strict", false, "end the run at the first thing that is not controlled: a refused call, a door that is used, code that can see the host's CPU")
	fs.StringVar(&f.Progress, "progress", "auto", "`HOW` to show how far the run is, on standard error: auto (a line, on a terminal), plain, json or none")
	fs.BoolVar(&f.Verbose, "verbose", false, "say more on standard error")
	fs.BoolVarP(&f.Quiet, "quiet", "q", false, "say nothing but errors on standard error: neither what changed nor what repeats a run that failed")
	fs.SetInterspersed(false) // what follows the command belongs to it
	fs.SortFlags = false      // the order above is the order to read them in
}

// optional is a string flag that knows whether it was given.
type optional struct{ p **string }

func (o *optional) Set(s string) error {
	*o.p = &s
	return nil
}

func (o *optional) String() string {
	if o.p == nil || *o.p == nil {
		return ""
	}
	return **o.p
}

func (o *optional) Type() string { return "string" }
