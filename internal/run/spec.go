// Package run is one run of a command in a container: from settings, image
// and command to exit status, changed files and report.
package run

import (
	"io"
	"os"
	"time"

	"dettrace/internal/console"
	"dettrace/internal/detfs"
	"dettrace/internal/progress"
	"dettrace/internal/report"
	"dettrace/internal/schedule"
	"dettrace/internal/store"
	"dettrace/internal/vary"
)

// Exit statuses of dettrace's own failures; anything else is the guest's.
const (
	ExitTimeout       = 124
	ExitFailure       = 125
	ExitNotExecutable = 126
	ExitNotFound      = 127
	ExitInterrupted   = 130
)

// Spec is everything a run depends on, already resolved: no defaults are
// taken from the host after this point.
type Spec struct {
	Image           string       // "host", "dir:PATH", "tar:PATH" (absolute paths), or "sha256:HEX" in Store
	Store           string       // directory of the store; "" when Image is not from there
	Config          store.Config // of the image
	Inputs          []Input
	Workdir         string   // absolute guest path
	Own             []string // directories that are made for the user
	Command         []string // argv
	Env             []string // complete guest environment, K=V, in order
	EpochNS         int64    // ns since 1970
	Seed            uint64
	ScheduleSeed    uint64         // 0: the default order of threads
	Schedule        *schedule.File // replayed instead, or nil
	SaveSchedule    string         // JSON file, or ""
	Vary            vary.Plan      // sources that are varied; not nil: the run is one of those that are compared with such runs
	DeclaredEnv     []string       // names of variables that the caller gave on purpose: never varied
	CPUs            int            // what the guest is told
	CPUModel        string         // of package cpu; "": its default
	Hostname        string
	User            string            // UID[:GID] or NAME, as given; "" = 0:0
	Allow           []string          // doors that are open (package door)
	Terminal        *console.Terminal // standard streams are one terminal, instead of the three below; or nil
	Stdin           io.Reader         // nil: empty
	Stdout          io.Writer
	Stderr          io.Writer
	Timeout         time.Duration // wall time; 0 = none
	SpinLimit       time.Duration // CPU time of a thread without a call; 0 = none
	Memory          int64         // bytes; 0 = none
	Pids            int64         // 0 = default
	StateDir        string
	HostOrder       uint64    // seed of the order in which host directories are taken to list their names; 0: their own
	NoFastPaths     bool      // every call that is an event stops
	Profile         bool      // measure where the time goes
	Log             io.Writer // event log, or nil
	Trace           io.Writer // structured record (package trace), or nil
	Outputs         []Output
	Force           bool // overwrite existing outputs
	OutputOnFailure bool
	WriteBack       bool
	Save            string // tar file, or ""
	Commit          string // name of the image that the run becomes, or ""
	CommitStore     string // directory of the store for it
	// Keep is a tar file for the changes of a command that failed, or that dettrace
	// ended; nothing is made where it succeeds. Resume goes on from such a file.
	Keep      string
	Resume    *Resume
	Report    string // JSON file, or ""
	Verbose   bool
	Strict    bool                // what is refused, and a door that is used, end the run
	Progress  progress.Mode       // told on Diag; "" is none
	Columns   func() int          // width of the terminal behind Diag, for progress.Line
	InputList string              // JSON lines file of everything read, or ""
	Digests   string              // file of content digests kept between runs, or ""
	Record    func(Source) Source // stands between the container and its outputs, or nil
	// Accept, if set, is told of the outputs before they appear on the host; its
	// error ends the run and leaves the host as it is.
	Accept       func([]report.Output) error
	Secrets      []string         // names in Env whose values appear nowhere, not even as digests
	HostEnvNames []string         // names taken with --env-host: values never appear in log or report
	Diag         io.Writer        // where dettrace's own messages go (stderr)
	Interrupt    <-chan struct{}  // closed on Ctrl-C/SIGTERM
	Signals      <-chan os.Signal // for the command, with the door signals
}

// Resume says where an earlier run stopped, of which this one has the image, the
// inputs and the settings.
type Resume struct {
	Changes string // tar file, see Spec.Keep
	NS      int64  // logical time that it had used
}

// resumed is s.Resume, or one of nothing.
func (s *Spec) resumed() Resume {
	if s.Resume == nil {
		return Resume{}
	}
	return *s.Resume
}

// Input is a host file or directory that the guest sees, copy-on-write.
type Input struct {
	Host, Guest string // absolute, clean
	KeepMtime   bool
	Follow      bool     // follow symlinks that lead out of the input
	Hide        []string // patterns (path.Match) of paths in it that are not shown
}

// Output is a guest path (may be a glob) to copy out after success.
type Output struct {
	Guest string // absolute, clean, may hold glob characters
	Host  string // absolute host path; for globs a directory
}

// Result is how a run ended.
type Result struct {
	Status    int    // exit status for the shell: guest's, or one of Exit*
	Events    uint64 // that the guest made
	LogicalNS int64  // that it used
	// Report is what --report writes, complete if Spec asked for a report or
	// has Record or Accept.
	Report report.Report
	// Learned is what was read of image and inputs, in the order of the report;
	// with observations if Spec has InputList, Record or Accept.
	Learned []detfs.Learned
}

// Source is what a run leaves behind: a container's file system, or what was
// kept of one. See detfs.Client.
type Source interface {
	Finish(digest bool) (detfs.Summary, error)
	Learned(list bool, outputs []string) ([]detfs.Learned, error)
	Glob(pattern string) ([]string, error)
	WriteTar(w io.Writer, r detfs.TarRequest) error
}
