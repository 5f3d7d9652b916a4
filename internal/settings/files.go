package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"dettrace/internal/hint"
	"dettrace/internal/run"
	"dettrace/internal/schedule"
)

// setFiles resolves the paths of dettrace's own files and checks what can be
// checked without opening them.
func setFiles(s *run.Spec, f Flags, host Host) error {
	s.StateDir = StateDir(f.StateDir, host)
	s.HostOrder = f.HostOrder
	if info, err := os.Stat(s.StateDir); err != nil {
		return hint.With(fmt.Errorf("--state-dir %s: %w", s.StateDir, reason(err)), "a directory on a file system with room for what the run writes")
	} else if !info.IsDir() {
		return fmt.Errorf("--state-dir %s: not a directory", s.StateDir)
	}
	var err error
	if s.Report, err = written("--report", f.Report, host); err != nil {
		return err
	}
	if s.InputList, err = written("--list-inputs", f.ListInputs, host); err != nil {
		return err
	}
	if s.SaveSchedule, err = written("--save-schedule", f.SaveSchedule, host); err != nil {
		return err
	}
	if f.Schedule != "" {
		s.Schedule, err = readSchedule(f, host)
	}
	return err
}

// written checks the place of a file that is written after the run.
func written(flag, name string, host Host) (string, error) {
	if name == "" {
		return "", nil
	}
	path := hostPath(name, host.Dir)
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return "", hint.With(fmt.Errorf("%s %s: no such directory", flag, name), "make it first")
	}
	return path, CheckPlace(flag, name, host)
}

// readSchedule reads what --schedule names.
func readSchedule(f Flags, host Host) (*schedule.File, error) {
	if f.ScheduleSeed != "0" {
		return nil, hint.With(errors.New("--schedule and --schedule-seed: one of them"), "a schedule file says by itself which order to take")
	}
	file, err := os.Open(hostPath(f.Schedule, host.Dir))
	if err != nil {
		return nil, hint.With(fmt.Errorf("--schedule %s: %w", f.Schedule, reason(err)), "a file that --save-schedule or dettrace hunt wrote")
	}
	defer file.Close() // only read: nothing can be lost
	s, err := schedule.Read(file)
	if err != nil {
		return nil, fmt.Errorf("--schedule %s: %w", f.Schedule, err)
	}
	return &s, nil
}

// StateDir is the flag, else $TMPDIR, else /var/tmp (which, unlike /tmp, is
// rarely in memory), else /tmp.
func StateDir(flag string, host Host) string {
	if flag != "" {
		return hostPath(flag, host.Dir)
	}
	if dir, ok := Lookup(host.Env, "TMPDIR"); ok && filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
		return "/var/tmp"
	}
	return "/tmp"
}

// OpenStdin opens what --stdin names and stores it in s. The caller closes
// the result after the run; it is nil when there is nothing to close.
func OpenStdin(s *run.Spec, f Flags, host Host) (*os.File, error) {
	switch f.Stdin {
	case "":
		return nil, nil
	case "-":
		if file, ok := host.Stdin.(*os.File); ok {
			if _, err := file.Stat(); err != nil {
				return nil, hint.With(fmt.Errorf("--stdin -: %w", reason(err)), "standard input is closed; leave the flag away for an empty one")
			}
		}
		s.Stdin = host.Stdin
		return nil, nil
	}
	file, err := os.Open(hostPath(f.Stdin, host.Dir))
	if err != nil {
		return nil, hint.With(fmt.Errorf("--stdin %s: %w", f.Stdin, reason(err)), "a file, or - for standard input")
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(fmt.Errorf("--stdin %s: is a directory", f.Stdin), file.Close())
	}
	s.Stdin = file
	return file, nil
}

// CreateLog creates the event log; nil without --log.
func CreateLog(f Flags, host Host) (*os.File, error) { return createFile("--log", f.Log, host) }

// CreateTrace creates the trace; nil without --trace.
func CreateTrace(f Flags, host Host) (*os.File, error) { return createFile("--trace", f.Trace, host) }

// createFile creates a file that is written during the run; nil without a name.
func createFile(flag, name string, host Host) (*os.File, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Create(hostPath(name, host.Dir))
	if err != nil {
		return nil, hint.With(fmt.Errorf("%s %s: %w", flag, name, reason(err)), "the directory must exist and be writable")
	}
	return file, nil
}
