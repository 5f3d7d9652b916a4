package runtimes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// limit is fatal for the test: no workload takes a tenth of it.
const limit = 15 * time.Minute

// outcome is what must be the same in every run.
type outcome struct {
	Status         int
	Stdout, Stderr string
	Report         observed
}

// observed is the part of the report that a run's inputs decide.
type observed struct {
	Changes struct {
		Count  int    `json:"count"`
		Digest string `json:"digest"`
	} `json:"changes"`
	Time   int64 `json:"logical_time_ns"`
	Events int64 `json:"events"`
}

// command is the run of a workload, for the test and for the hint how to
// repeat it by hand.
func command(dettrace, dir string, w Workload, flags []string) []string {
	input := w.Dir
	if input == "" {
		input = w.Name
	}
	argv := []string{dettrace, "run", "--image", "host", "--no-default-input", "-i", filepath.Join(dir, input) + ":/build/src"}
	argv = append(append(argv, w.Flags...), flags...)
	return append(argv, "--", "sh", "run.sh")
}

// run runs a command line of dettrace on a host.
func run(h host, argv []string, scratch string) (outcome, time.Duration, error) {
	undo, err := h.start()
	if err != nil {
		return outcome{}, 0, err
	}
	defer undo()
	report := filepath.Join(scratch, "report.json")
	if err := os.RemoveAll(report); err != nil {
		return outcome{}, 0, err
	}
	argv = append([]string{argv[0], argv[1], "--report", report}, argv[2:]...)
	cmd := exec.Command(argv[0], argv[1:]...)
	var out, diag bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = h.env, &out, &diag, limit
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return outcome{}, 0, err
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }) // it may have ended just now
	err = cmd.Wait()
	timer.Stop()
	o := outcome{Stdout: out.String(), Stderr: diag.String()}
	wall := time.Since(start)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.Status, err = exit.ExitCode(), nil
	}
	if err != nil {
		return o, wall, err
	}
	data, err := os.ReadFile(report)
	if err != nil {
		return o, wall, fmt.Errorf("no report: %w\n%s", err, o.Stderr)
	}
	return o, wall, json.Unmarshal(data, &o.Report)
}

// differences names everything that is not the same.
func differences(a, b outcome) []string {
	var d []string
	if a.Status != b.Status {
		d = append(d, fmt.Sprintf("status %d and %d", a.Status, b.Status))
	}
	for _, s := range []struct{ name, a, b string }{{"stdout", a.Stdout, b.Stdout}, {"stderr", a.Stderr, b.Stderr}} {
		if s.a != s.b {
			d = append(d, s.name+": "+firstLine(s.a, s.b))
		}
	}
	if a.Report != b.Report {
		d = append(d, fmt.Sprintf("report: %+v and %+v", a.Report, b.Report))
	}
	return d
}

func firstLine(a, b string) string {
	x, y := bytes.Split([]byte(a), []byte("\n")), bytes.Split([]byte(b), []byte("\n"))
	for i := 0; i < len(x) && i < len(y); i++ {
		if !bytes.Equal(x[i], y[i]) {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
