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
	var err error
	s.Progress, s.Columns, err = Progress(f.Progress, host)
	return err
}

// Progress is the way in which a value of --progress wants to be told, and the
// width of the terminal, for progress.Line.
func Progress(how string, host Host) (progress.Mode, func() int, error) {
	switch how {
	case "auto", "":
		term, _ := Lookup(host.Env, "TERM")
		if columns(host.Stderr) > 0 && term != "dumb" && term != "" {
			return progress.Line, func() int { return columns(host.Stderr) }, nil
		}
		return "", nil, nil
	case "plain", "json", "none":
		return progress.Mode(how), nil, nil
	}
	return "", nil, hint.With(fmt.Errorf("--progress %q: no such way", how), "one of auto, plain, json, none")
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
