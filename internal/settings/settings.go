// Package settings turns the flags of `dettrace run` into a run.Spec.
//
// It is the only place where a default can come from the host, and it names
// each: the current directory (default input, relative paths), the host's
// environment for `-e NAME` and --env-host, the clock for `--epoch now`. All
// three come in through Host, so that a Spec is a pure function of Flags, Host
// and the paths that exist. After Resolve nothing is defaulted any more.
//
// Everything that can be refused early is refused here, before a container is
// made: a wrong value, a missing input, an output that already exists.
package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"dettrace/internal/console"
	"dettrace/internal/cpu"
	"dettrace/internal/hint"
	"dettrace/internal/run"
	"dettrace/internal/vary"
)

// SourceDir is where the guest sees the current directory. Its parent is
// writable: dpkg-buildpackage writes to "..".
const SourceDir = "/build/src"

// DefaultHostname is the guest's host name.
const DefaultHostname = "dettrace"

// Host is what a run may learn from the machine that starts it.
type Host struct {
	CPU   cpu.Source       // used to check --cpu-model; nil: not checked
	Dir   string           // current directory, absolute
	Env   []string         // K=V
	Now   func() time.Time // used by --epoch now only
	Stdin io.Reader        // used by --stdin - only
	// Terminal is that on standard input, used by --tty; nil if there is none.
	Terminal *console.Host
	Stdout   io.Writer
	Stderr   io.Writer
}

// Flags are the values of the command line as they were typed.
type Flags struct {
	Image           string
	Store           string
	Entrypoint      *string // nil: the image's
	Inputs          []string
	NoDefaultInput  bool
	Hide            []string
	InputMtime      string
	FollowInputs    bool
	Workdir         string
	Outputs         []string
	Force           bool
	OutputOnFailure bool
	WriteBack       bool
	Save            string
	Commit          string
	Env             []string
	EnvHost         bool
	Secret          []string
	Epoch           string
	Seed            string
	ScheduleSeed    string
	Vary            string
	VarySeed        string
	Schedule        string
	SaveSchedule    string
	CPUs            int
	CPUModel        string
	Hostname        string
	User            string
	Allow           []string
	Stdin           string
	Timeout         string
	SpinLimit       string
	Memory          string
	Pids            int64
	StateDir        string
	HostOrder       uint64
	NoFastPaths     bool
	Profile         bool
	Log             string
	Trace           string
	Report          string
	ListInputs      string
	Messages        string
	Verbose         bool
	Quiet           bool
	Preset          string
	Strict          bool
	Progress        string
	TTY             bool
	TTYSize         string
	Record          string
	StdinReplay     string
	OnFailure       string
	Resume          *run.Resume // what dettrace shell --resume found
}

// ErrNoCommand is the error of a run without a command.
var ErrNoCommand = hint.With(errors.New("no command given"), "for example: dettrace run -- make")

// Resolve makes the Spec. The files behind Log and Stdin are not opened here:
// see Files.
func Resolve(f Flags, command []string, host Host) (run.Spec, error) {
	s := run.Spec{
		Force:           f.Force,
		OutputOnFailure: f.OutputOnFailure,
		WriteBack:       f.WriteBack,
		Verbose:         f.Verbose,
		Strict:          f.Strict,
		NoFastPaths:     f.NoFastPaths,
		Profile:         f.Profile,
		CPUs:            f.CPUs,
		CPUModel:        f.CPUModel,
		Pids:            f.Pids,
		Stdout:          host.Stdout,
		Stderr:          host.Stderr,
		Diag:            host.Stderr,
	}
	if f.Quiet {
		if f.Verbose || f.Profile {
			return run.Spec{}, errors.New("--quiet, and --verbose or --timing: one of them")
		}
		s.Diag = io.Discard
	}
	var err error
	if s.Own, err = applyPreset(&f, host); err != nil {
		return run.Spec{}, err
	}
	// The image comes first: its config decides what no flag does.
	if err := setImage(&s, f, host); err != nil {
		return run.Spec{}, err
	}
	if err := setCommand(&s, f, command); err != nil {
		return run.Spec{}, err
	}
	s.Workdir = workdir(f.Workdir, s.Config.WorkingDir)
	steps := []func(*run.Spec, Flags, Host) error{
		setNumbers, setCPU, setNames, setProgress, setTerminal, setInputs, setEnvironment, setFiles, setOutputs,
	}
	for _, step := range steps {
		if err := step(&s, f, host); err != nil {
			return run.Spec{}, err
		}
	}
	return s, nil
}

// setNumbers checks seed, CPUs and limits.
func setNumbers(s *run.Spec, f Flags, _ Host) (err error) {
	if s.Seed, err = parseSeed("--seed", f.Seed); err != nil {
		return err
	}
	if s.ScheduleSeed, err = parseSeed("--schedule-seed", f.ScheduleSeed); err != nil {
		return err
	}
	if f.CPUs < 1 || f.CPUs > maxCPUs {
		return hint.With(fmt.Errorf("--cpus %d: not between 1 and %d", f.CPUs, maxCPUs),
			"this is what the guest is told; it does not make a run faster")
	}
	if f.Pids < 0 || f.Pids > maxPids {
		return fmt.Errorf("--pids %d: not between 1 and %d (0 for the default)", f.Pids, maxPids)
	}
	if s.Memory, err = ParseSize("--memory", f.Memory); err != nil {
		return err
	}
	if s.SpinLimit, err = parseTimeout("--spin-limit", f.SpinLimit); err != nil {
		return err
	}
	if s.Vary, err = VaryPlan(f); err != nil {
		return err
	}
	s.Timeout, err = parseTimeout("--timeout", f.Timeout)
	return err
}

// VaryPlan is what --vary means, nil without it.
func VaryPlan(f Flags) (vary.Plan, error) {
	if f.Vary == "" {
		return nil, nil
	}
	seed, err := parseSeed("--vary-seed", f.VarySeed)
	if err != nil {
		return nil, err
	}
	plan, err := vary.Parse(f.Vary, seed)
	if c := plan.Of(vary.Schedule); err == nil && c != nil && !c.Whole() {
		return nil, hint.With(errors.New("--vary schedule: all of it or nothing"), "--save-schedule FILE writes its events; a file with some of them is a schedule, too (--schedule FILE)")
	}
	return plan, err
}

// setCPU checks that the host's CPU has what the guest is shown.
func setCPU(s *run.Spec, _ Flags, host Host) error {
	if s.CPUModel == "" {
		s.CPUModel = cpu.Default
	}
	if host.CPU == nil {
		return nil
	}
	m, err := cpu.Named(s.CPUModel, host.CPU)
	if err != nil {
		return hint.With(fmt.Errorf("--cpu-model: %w", err), "one of "+strings.Join(cpu.Names(), ", "))
	}
	if c := s.Vary.Of(vary.CPUModel); c != nil {
		for _, other := range c.CPUModels(s.CPUModel) {
			if o, err := cpu.Named(other, host.CPU); err == nil && len(o.Missing(host.CPU)) == 0 {
				s.CPUModel, m = other, o
				break
			}
		}
	}
	if missing := m.Missing(host.CPU); len(missing) > 0 {
		return hint.With(fmt.Errorf("--cpu-model %s: this machine's CPU has no %s", s.CPUModel, strings.Join(missing, ", ")),
			"choose a lower level, or host for what it has (not portable)")
	}
	return nil
}

// setNames checks host name, user and doors.
func setNames(s *run.Spec, f Flags, _ Host) error {
	if err := checkHostname(f.Hostname); err != nil {
		return err
	}
	s.Hostname = f.Hostname
	s.User = f.User
	if err := checkUser(f.User); err != nil {
		return hint.With(fmt.Errorf("--user %w", err), userAdvice)
	}
	if f.User == "" {
		s.User = s.Config.User
		if err := checkUser(s.User); err != nil {
			return hint.With(fmt.Errorf("user of the image %w", err), "name another one with --user")
		}
	}
	allow, err := parseDoors(f.Allow)
	if err != nil {
		return err
	}
	s.Allow = allow
	return checkDoors(s, f)
}

// guestPath makes p absolute below base and clean; ".." never leads above /.
func guestPath(p, base string) string {
	if !strings.HasPrefix(p, "/") {
		p = base + "/" + p
	}
	return path.Clean(p)
}

// reason is err without the "stat PATH:" in front, for messages that name the
// path as the user typed it.
func reason(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
