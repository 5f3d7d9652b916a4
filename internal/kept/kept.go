// Package kept is the directory in which --on-failure keeps a command that failed: the
// changes that its run had made, and how to make the rest of its container.
package kept

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"dettrace/internal/hint"
)

// The files of the directory.
const (
	changes = "changes.tar"
	runFile = "run.json"
)

// schema is raised when what is written there changes its meaning.
const schema = 1

// Run is the run that failed.
type Run struct {
	Schema    int      `json:"schema"` // set by Write
	Command   []string `json:"command"`
	Status    int      `json:"status"`
	LogicalNS int64    `json:"logical_time_ns"` // since its start
	Flags     []string `json:"flags"`           // of dettrace run, for any directory of the host
}

// Changes is the path of the canonical tar of changes in dir.
func Changes(dir string) string { return filepath.Join(dir, changes) }

// Write writes how to make the rest of the container into dir.
func Write(dir string, r Run) error {
	r.Schema = schema
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, runFile), append(b, '\n'), 0o600)
}

// Read reads what Write wrote; the changes must be there, too.
func Read(dir string) (r Run, err error) {
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err == nil && r.Schema != schema {
		err = fmt.Errorf("version %d: this dettrace knows %d", r.Schema, schema)
	}
	if err == nil {
		_, err = os.Stat(Changes(dir))
	}
	return r, hint.With(err, "a directory that --on-failure keep named")
}
