package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"dettrace/internal/console"
	"dettrace/internal/door"
	"dettrace/internal/hint"
	"dettrace/internal/progress"
	"dettrace/internal/run"
)

// terminalTERM is TERM in runs with a terminal: what nearly every one of the
// host's understands, whichever it is.
const terminalTERM = "xterm"

// setTerminal decides about the guest's terminal. Who types is decided when the
// input is opened: see OpenTyping.
func setTerminal(s *run.Spec, f Flags, host Host) error {
	size := console.DefaultSize()
	if f.TTYSize != "" {
		if !f.TTY {
			return hint.With(errors.New("--tty-size without --tty"), "add --tty")
		}
		var err error
		if size, err = console.ParseSize(f.TTYSize); err != nil {
			return hint.With(fmt.Errorf("--tty-size %w", err), "for example 132x43")
		}
	}
	if f.StdinReplay != "" {
		switch {
		case f.Record != "":
			return hint.With(errors.New("--record and --stdin-replay: one of them"), "a replay types what the record holds: copy the file")
		case f.Stdin != "" && f.Stdin != ownStdin:
			return hint.With(errors.New("--stdin and --stdin-replay: one of them"), "a replay types what the record holds")
		}
	}
	if err := checkOnFailure(f); err != nil {
		return err
	}
	s.Resume = f.Resume
	if !f.TTY {
		return nil
	}
	if door.Open(s.Allow).Threads {
		return hint.With(errors.New("--tty with --allow threads-native: threads that run at once leave no place at which input could be typed again"), "one of them")
	}
	s.Terminal = &console.Terminal{Size: size}
	if host.Terminal != nil && (f.Progress == "" || f.Progress == "auto") {
		s.Progress = progress.None // it would write between what the guest writes
	}
	return nil
}

// ownStdin is the value of --stdin for dettrace's own standard input.
const ownStdin = "-"

// Typing is the input of a run while it lasts.
type Typing struct {
	terminal *console.Terminal
	file     *os.File // of the record
	record   *console.Recorder
	replay   *console.Replay
}

// OpenTyping decides who types, after OpenStdin. With a terminal it is a person
// at the host's, unless --stdin or --stdin-replay says otherwise. The caller ends
// the result after the run.
func OpenTyping(s *run.Spec, f Flags, host Host) (*Typing, error) {
	t := &Typing{terminal: s.Terminal}
	size, command := "", s.MaskedCommand()
	if s.Terminal != nil {
		size = s.Terminal.Size.String()
	}
	if f.StdinReplay != "" {
		if err := t.openReplay(f, host, size, command); err != nil {
			return nil, err
		}
	}
	if f.Record != "" {
		if err := t.openRecord(f, host, size, command); err != nil {
			return nil, err
		}
	}
	if s.Terminal == nil {
		switch {
		case t.replay != nil:
			s.Stdin = t.replay.Reader()
		case t.record != nil && s.Stdin != nil:
			s.Stdin = t.record.Reader(s.Stdin)
		}
		return t, nil
	}
	s.Terminal.Record = t.record
	switch {
	case t.replay != nil:
		s.Terminal.Input = t.replay
	case host.Terminal != nil && (f.Stdin == "" || f.Stdin == ownStdin):
		s.Terminal.Input = console.NewLive(host.Terminal)
	default:
		s.Terminal.Input = console.NewScript(s.Stdin)
	}
	s.Stdin = nil
	return t, nil
}

func (t *Typing) openReplay(f Flags, host Host, size string, command []string) error {
	file, err := os.Open(hostPath(f.StdinReplay, host.Dir))
	if err != nil {
		return hint.With(fmt.Errorf("--stdin-replay %s: %w", f.StdinReplay, reason(err)), "a file that --record wrote")
	}
	defer file.Close() // only read: nothing can be lost
	if t.replay, err = console.ReadReplay(file); err == nil {
		err = t.replay.Fits(size, command)
	}
	if err != nil {
		return hint.With(fmt.Errorf("--stdin-replay %s: %w", f.StdinReplay, err), hint.Of(err))
	}
	return nil
}

func (t *Typing) openRecord(f Flags, host Host, size string, command []string) (err error) {
	if t.file, err = createFile("--record", f.Record, host); err == nil {
		t.record = console.NewRecorder(io.Writer(t.file), size, command)
	}
	return err
}

// End finishes the record of a run that ended like this, and compares a replay
// with its record. err is dettrace's own error of the run.
func (t *Typing) End(r run.Result, err error) error {
	e := console.End{Events: r.Events, NS: r.LogicalNS, Status: r.Status}
	if t.terminal != nil {
		e.Output = t.terminal.Sum.String()
	}
	if err != nil {
		e.Error = err.Error()
	}
	if t.replay != nil {
		return t.replay.Check(e)
	}
	if t.record != nil {
		return errors.Join(t.record.Finish(e), t.file.Close())
	}
	return nil
}

// The values of --on-failure.
const (
	OnFailureKeep  = "keep"
	OnFailureShell = "shell"
)

// OnFailures are all of them.
func OnFailures() []string { return []string{OnFailureKeep, OnFailureShell} }

func checkOnFailure(f Flags) error {
	if f.OnFailure != "" && !slices.Contains(OnFailures(), f.OnFailure) {
		return hint.With(fmt.Errorf("--on-failure %q: no such way", f.OnFailure), "one of "+strings.Join(OnFailures(), ", "))
	}
	return nil
}

// WithTerminal is env as it is in runs with a terminal.
func WithTerminal(env []string) []string { return set(slices.Clone(env), "TERM="+terminalTERM) }

// Entering are the flags with which a shell, started in any directory, is in the
// container of spec.
func Entering(spec run.Spec, f Flags, host Host) []string {
	f = Bare(f)
	f.TTY, f.TTYSize, f.Record, f.Stdin, f.StdinReplay, f.OnFailure = false, "", "", "", "", ""
	f.Schedule, f.ScheduleSeed, f.Timeout, f.SpinLimit, f.Strict, f.Entrypoint = "", "", "", "", false, nil
	args := append(Absolute(Args(f), spec, f, host), "--no-default-input")
	for _, in := range spec.Inputs {
		args = append(args, "--input="+InputArg(in.Host, in.Guest))
	}
	args = append(args, HideArgs(spec.Inputs)...)
	return append(args, "--workdir="+spec.Workdir, "--epoch="+nowText(spec))
}
