package settings

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/progress"
	"dettrace/internal/run"
)

// ProgressModes are the values of --progress.
func ProgressModes() []string { return []string{"auto", "plain", "json", "none"} }

// setProgress decides how progress is told. A line needs a terminal that can
// erase it (TERM=dumb cannot). It has no colours, so NO_COLOR changes nothing.
func setProgress(s *run.Spec, f Flags, host Host) error {
	if f.Quiet && (f.Progress == "auto" || f.Progress == "") {
		return nil
	}
	switch f.Progress {
	case "auto", "":
		term, _ := Lookup(host.Env, "TERM")
		if columns(host.Stderr) > 0 && term != "dumb" && term != "" {
			s.Progress, s.Columns = progress.Line, func() int { return columns(host.Stderr) }
		}
	case "plain", "json", "none":
		s.Progress = progress.Mode(f.Progress)
	default:
		return hint.With(fmt.Errorf("--progress %q: no such way", f.Progress), "one of auto, plain, json, none")
	}
	return nil
}

// columns is the width of the terminal behind w, 0 if there is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	if size.Col == 0 {
		return 80
	}
	return int(size.Col)
}
