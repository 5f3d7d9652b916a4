package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"dettrace/internal/output"
)

// What all commands share to say something, and to name files.

// say prints a message on standard error.
func (a App) say(format string, args ...any) {
	// Nothing can be done about a closed standard error.
	_, _ = fmt.Fprint(a.Host.Stderr, a.mask.Text(fmt.Sprintf("dettrace: "+format+"\n", args...)))
}

// note is a message about something that is no failure.
func (a App) note(format string, args ...any) { a.say("note: "+format, args...) }

// writeJSON prints a result.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// hostPath is a path of the caller's, absolute.
func (a App) hostPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(a.Host.Dir, name)
}

// save writes a file of results, replacing an old one when it is complete.
func (a App) save(name string, write func(io.Writer) error) error {
	return output.SaveFunc(a.hostPath(name), output.Options{Force: true}, func(w io.Writer) error { return a.masked(w, write) })
}

// masked writes results to w, without the secrets of the runs that they are about.
func (a App) masked(w io.Writer, write func(io.Writer) error) error {
	if a.mask == nil {
		return write(w)
	}
	m := a.mask.Writer(w, false)
	return errors.Join(write(m), m.Flush())
}
