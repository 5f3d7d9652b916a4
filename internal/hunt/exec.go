package hunt

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"dettrace/internal/rerun"
	"dettrace/internal/schedule"
)

// Program makes runs by `dettrace run`: a process each, as users would repeat
// them.
type Program struct {
	Path    string   // of dettrace
	Flags   []string // of run, that all runs have
	Own     []string // of run, too: what people need not give to repeat one
	Command []string
	Dir     string // for files between us and the runs; the caller's to remove
	Begun   func() // told of each run, by several goroutines; may be nil
	n       atomic.Int64
}

// Line is the command line of the run with the schedule of seed.
func (p *Program) Line(seed uint64) []string {
	return p.line("--schedule-seed", strconv.FormatUint(seed, 10))
}

// LineOf is that of the run with the schedule in a file.
func (p *Program) LineOf(file string) []string { return p.line("--schedule", file) }

func (p *Program) line(flags ...string) []string {
	args := append([]string{"dettrace", "run"}, flags...)
	args = append(args, p.Flags...)
	return append(append(args, "--"), p.Command...)
}

// Run is a Run.
func (p *Program) Run(ctx context.Context, seed uint64, s *schedule.File) (Outcome, error) {
	base := filepath.Join(p.Dir, strconv.FormatInt(p.n.Add(1), 10))
	saved, reported, given, messages := base+".schedule", base+".report", base+".given", base+".messages"
	line := p.Line(seed)
	if s != nil {
		if err := writeSchedule(given, *s); err != nil {
			return Outcome{}, err
		}
		line = p.LineOf(given)
	}
	defer func() {
		for _, f := range []string{saved, reported, given, messages} {
			_ = os.Remove(f) // the whole directory goes in the end
		}
	}()
	both := rerun.NewDigest() // one for both streams: in the order of writing
	if p.Begun != nil {
		p.Begun()
	}
	one := rerun.Run{
		Path: p.Path, Args: slices.Concat([]string{"--save-schedule", saved, "--messages", messages}, p.Own, line[2:]),
		Report: reported, Stdout: both, Stderr: both,
	}
	status, r, err := one.Do(ctx)
	said, _ := os.ReadFile(messages) // of dettrace, which name flags that are not the same in two runs
	o := Outcome{Status: status, Output: both.Sum(), Tail: both.Tail() + strings.ToValidUTF8(string(said), "\ufffd"), Reason: r.Exit.Reason, Changes: r.Changes.Digest}
	if err != nil {
		if o.Tail != "" && ctx.Err() == nil {
			err = fmt.Errorf("%w: %s", err, o.Tail)
		}
		return o, err
	}
	f, err := os.Open(saved)
	if err != nil {
		return o, err
	}
	defer f.Close() // only read: nothing can be lost
	o.Schedule, err = schedule.Read(f)
	return o, err
}

func writeSchedule(path string, s schedule.File) error {
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}
