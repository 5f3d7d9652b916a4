package lab

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Outcome is what must be the same in every run of a command.
type Outcome struct {
	Status         int
	Stdout, Stderr string
	Report         Observed
}

// Observed is the part of a run's report that its inputs decide.
type Observed struct {
	Changes struct {
		Count  int    `json:"count"`
		Digest string `json:"digest"`
	} `json:"changes"`
	Time   int64 `json:"logical_time_ns"`
	Events int64 `json:"events"`
}

var repeats = regexp.MustCompile(`(?m)^dettrace: repeat: .*\n`)

// Observe runs the command line argv, whose dettrace run is argv[at:], with
// env alone as its environment and a report in the directory scratch. The line that
// repeats the run is left out of what it prints: it names flags that two runs need not share. A run
// that takes longer than limit is killed.
func Observe(argv []string, at int, env []string, scratch string, limit time.Duration) (Outcome, time.Duration, error) {
	report := filepath.Join(scratch, "report.json")
	if err := os.RemoveAll(report); err != nil {
		return Outcome{}, 0, err
	}
	full := append(append(append([]string{}, argv[:at+2]...), "--report", report), argv[at+2:]...)
	cmd := exec.Command(full[0], full[1:]...)
	var out, diag bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = env, &out, &diag, limit
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Outcome{}, 0, err
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }) // it may have ended just now
	err := cmd.Wait()
	timer.Stop()
	o := Outcome{Stdout: out.String(), Stderr: repeats.ReplaceAllString(diag.String(), "")}
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

// Hash is one digest of all of it.
func (o Outcome) Hash() string {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err) // it has no type that cannot be encoded
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// Differences names everything that is not the same.
func (o Outcome) Differences(b Outcome) []string {
	var d []string
	if o.Status != b.Status {
		d = append(d, fmt.Sprintf("status %d and %d", o.Status, b.Status))
	}
	for _, s := range []struct{ name, a, b string }{{"stdout", o.Stdout, b.Stdout}, {"stderr", o.Stderr, b.Stderr}} {
		line, _ := firstLine(strings.NewReader(s.a), strings.NewReader(s.b), 1) // a string does not fail
		if line != "" {
			d = append(d, s.name+": "+line)
		}
	}
	if o.Report != b.Report {
		d = append(d, fmt.Sprintf("report: %+v and %+v", o.Report, b.Report))
	}
	return d
}

// FirstEvent describes the first line in which two event logs differ, with
// the lines before it; "" when they are the same.
func FirstEvent(a, b string) (string, error) {
	fa, err := os.Open(a)
	if err != nil {
		return "", err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return "", err
	}
	defer fb.Close()
	return firstLine(fa, fb, 8)
}

// firstLine is the first line that differs, with up to context lines before it.
func firstLine(a, b io.Reader, context int) (string, error) {
	ra, rb := bufio.NewReaderSize(a, 1<<20), bufio.NewReaderSize(b, 1<<20)
	var before []string
	for n := 1; ; n++ {
		la, ea := ra.ReadString('\n')
		lb, eb := rb.ReadString('\n')
		if la != lb {
			return fmt.Sprintf("%sline %d\n- %s\n+ %s", strings.Join(before, ""), n, strings.TrimSuffix(la, "\n"), strings.TrimSuffix(lb, "\n")), nil
		}
		for _, err := range []error{ea, eb} {
			if err != nil && err != io.EOF {
				return "", err
			}
		}
		if ea != nil {
			return "", nil
		}
		if len(before) == context {
			before = before[1:]
		}
		before = append(before, "  "+la)
	}
}
