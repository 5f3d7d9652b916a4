package hunt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"dettrace/internal/report"
	"dettrace/internal/schedule"
)

// Program makes runs by `dettrace run`: a process each, as users would repeat
// them.
type Program struct {
	Path    string   // of dettrace
	Flags   []string // of run, that all runs have
	Command []string
	Dir     string // for files between us and the runs; the caller's to remove
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
	saved, reported, given := base+".schedule", base+".report", base+".given"
	line := p.Line(seed)
	if s != nil {
		if err := writeSchedule(given, *s); err != nil {
			return Outcome{}, err
		}
		line = p.LineOf(given)
	}
	defer func() {
		for _, f := range []string{saved, reported, given} {
			_ = os.Remove(f) // the whole directory goes in the end
		}
	}()
	args := append([]string{"run", "--save-schedule", saved, "--report", reported}, line[2:]...)
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	both := digest{h: sha256.New()}
	cmd.Stdout, cmd.Stderr = &both, &both // one pipe: in the order of writing
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return Outcome{}, context.Cause(ctx)
	} else if err != nil && !errors.As(err, &exit) {
		return Outcome{}, fmt.Errorf("dettrace run: %w", err)
	}
	return outcome(cmd.ProcessState.ExitCode(), &both, saved, reported)
}

// outcome reads what a run left behind. Failures of dettrace itself are errors;
// deadlocks and timeouts are the command's.
func outcome(status int, both *digest, saved, reported string) (Outcome, error) {
	o := Outcome{Status: status, Output: hex.EncodeToString(both.h.Sum(nil)), Tail: both.end()}
	b, err := os.ReadFile(reported)
	var r report.Report
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return o, fmt.Errorf("run failed with status %d: %s", status, o.Tail)
	}
	if r.Exit.Error != "" && r.Exit.Reason == "" {
		return o, errors.New(r.Exit.Error)
	}
	o.Reason, o.Changes = r.Exit.Reason, r.Changes.Digest
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

// digest hashes what is written to it and keeps the end.
type digest struct {
	h    hash.Hash
	tail []byte
}

const tailSize = 4 << 10

func (d *digest) Write(b []byte) (int, error) {
	d.h.Write(b)
	d.tail = append(d.tail, b...)
	if n := len(d.tail); n > 2*tailSize {
		d.tail = append(d.tail[:0], d.tail[n-tailSize:]...)
	}
	return len(b), nil
}

func (d *digest) end() string {
	t := d.tail
	if len(t) > tailSize {
		t = t[len(t)-tailSize:]
	}
	return strings.ToValidUTF8(string(t), "\ufffd")
}
