package probes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Stall is how long a probe may take before its run is ended: only a hang
// takes that long, also on a loaded machine.
const Stall = 2 * time.Minute

// Runner runs batches of probes, natively or in containers.
type Runner struct {
	Kit  *Kit
	Tmp  string
	User int // another user for perturbed runs; 0 = none can be had
	// NoReport says why changed files were not compared, if so.
	NoReport string
	seq      int
	worked   []string // directories of native runs
}

// Forget removes what the native runs left.
func (r *Runner) Forget() {
	for _, dir := range r.worked {
		os.RemoveAll(dir)
	}
	r.worked = nil
}

// Batch is what one run of a batch gave.
type Batch struct {
	Outputs map[string]Output
	Changes string // digest of the changed files, events and logical time; containers only
	// Culprit is the probe during which the run ended early; Reason says how.
	Culprit, Reason string
	Log             string // what dettrace itself said
}

// Setting is how one run differs from the plain one.
type Setting struct {
	Perturb int // 0 = plain
	Seed    int // 0 = default
	KitDir  string
	NoFast  bool // no call is answered inside the guest
}

var placeholder = regexp.MustCompile(`\{(x|xs|go)\}`)

func (r *Runner) list(probes []Probe, native bool) (string, error) {
	dir := "/probes"
	if native {
		dir = r.Kit.Dir
	}
	var b strings.Builder
	for _, p := range probes {
		cmd := p.command(native)
		cmd = placeholder.ReplaceAllStringFunc(cmd, func(m string) string {
			return dir + "/" + map[string]string{"{x}": "x", "{xs}": "xs", "{go}": "gox"}[m]
		})
		if strings.ContainsAny(cmd, "\n") {
			return "", fmt.Errorf("probe %s: command of several lines", p.Name)
		}
		fmt.Fprintf(&b, "%s\t%s\n", p.Name, cmd)
	}
	r.seq++
	path := filepath.Join(r.Tmp, fmt.Sprintf("list%d", r.seq))
	return path, os.WriteFile(path, []byte(b.String()), 0o644)
}

func (p Probe) command(native bool) string {
	if native && p.Native != "" {
		return p.Native
	}
	if p.Cmd == "" {
		return "{x} " + p.Name
	}
	return p.Cmd
}

// nativeEnv is the plain environment of native runs, like a container's.
func nativeEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp", "LC_ALL=C"}
}

// Native runs the batch without dettrace, in a new directory that it leaves to
// the caller: inode numbers of a directory that is gone are given out again,
// and runs that should differ would not.
func (r *Runner) Native(probes []Probe, s Setting) (*Batch, error) {
	list, err := r.list(probes, true)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(r.Tmp, "native")
	if err != nil {
		return nil, fmt.Errorf("native run: %w", err)
	}
	r.worked = append(r.worked, work)
	if err := os.Chmod(work, 0o777); err != nil {
		return nil, fmt.Errorf("native run: %w", err)
	}
	argv := []string{filepath.Join(r.Kit.Dir, "xs"), "driver", list, filepath.Join(work, "p")}
	return r.run(argv, s, nativeEnv())
}

// Container runs the batch in a container.
func (r *Runner) Container(probes []Probe, s Setting) (*Batch, error) {
	list, err := r.list(probes, false)
	if err != nil {
		return nil, err
	}
	// The report is written by whoever runs dettrace.
	dir, err := os.MkdirTemp(r.Tmp, "run")
	if err != nil {
		return nil, fmt.Errorf("container run: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, fmt.Errorf("container run: %w", err)
	}
	kit := s.KitDir
	if kit == "" {
		kit = r.Kit.Dir
	}
	report := filepath.Join(dir, "report")
	argv := []string{r.Kit.Dettrace, "run", "--image", "host", "--no-default-input",
		"-i", kit + ":/probes", "-i", list + ":/list", "-w", "/tmp", "--report", report}
	if s.Seed != 0 {
		argv = append(argv, "--seed", fmt.Sprint(s.Seed))
	}
	if s.NoFast {
		argv = append(argv, "--no-fast-paths")
	}
	argv = append(argv, "--", "/probes/xs", "driver", "/list", "/tmp/p")
	b, err := r.run(argv, s, os.Environ())
	if err != nil {
		return nil, err
	}
	if b.Culprit == "" {
		b.Changes, err = changes(report)
		if err != nil {
			b.Reason = err.Error()
		}
	}
	return b, nil
}

// changes takes the part of a report that describes the changed files, and how
// long the run was: where they differ, that tells whether the calls did.
func changes(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	for _, k := range []string{"changes", "changes_digest", "events", "logical_time_ns"} {
		if v, ok := m[k]; ok {
			fmt.Fprintf(&b, "%s %s\n", k, v)
		}
	}
	if b.Len() == 0 {
		return "", errors.New("report: no changes in it")
	}
	return b.String(), nil
}

func (r *Runner) run(argv []string, s Setting, env []string) (*Batch, error) {
	p, undo, err := r.perturb(s.Perturb, argv, env)
	if err != nil {
		return nil, err
	}
	defer undo()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Dir = p.env, p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	b := &Batch{Outputs: map[string]Output{}}
	var mu sync.Mutex
	stalled := false
	kill := func() {
		mu.Lock()
		defer mu.Unlock()
		stalled = true
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	timer := time.AfterFunc(Stall, kill)
	current, started := "", time.Now()
	done, ferr := readFrames(out, func(name string) {
		current, started = name, time.Now()
		timer.Reset(Stall)
	}, func(name string, o Output) {
		o.Wall = time.Since(started)
		b.Outputs[name] = o
		current = ""
		timer.Reset(Stall)
	})
	io.Copy(io.Discard, out)
	werr := cmd.Wait()
	timer.Stop()
	b.Log = stderr.String()
	mu.Lock()
	defer mu.Unlock()
	switch {
	case done && werr == nil:
		return b, nil
	case stalled:
		b.Reason = fmt.Sprintf("no progress for %v", Stall)
	case done:
		b.Reason = fmt.Sprintf("all probes ran, but the run ended with %v", werr)
	default:
		b.Reason = fmt.Sprintf("%v (%v)", werr, ferr)
	}
	b.Culprit = current
	if current == "" {
		b.Culprit = "-"
	}
	b.Reason += ": " + lastLines(b.Log, 12)
	return b, nil
}

func lastLines(s string, n int) string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	if len(l) > n {
		l = l[len(l)-n:]
	}
	return strings.Join(l, " | ")
}
