// Package scratch makes temporary directories that go away with the process
// that made them, however it ends: a helper process, the hidden subcommand
// Command of the same binary, is told of each and removes them when the pipe to
// its maker closes, as it does also at a SIGKILL. It is in a session of its own,
// so that what ends the maker and its group does not end it.
//
// It keeps the maker's standard error open: who reads that to its end knows that
// everything is gone.
package scratch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"dettrace/internal/hint"
)

// Command is the hidden subcommand, without arguments.
const Command = "__scratch"

// Dir is a temporary directory, and further ones in other places.
type Dir struct {
	Path string // absolute
	all  []string
	tell *os.File // paths for the helper, each with a NUL behind it
	cmd  *exec.Cmd
}

// Self is our binary, which commands that make runs start again.
func Self() (string, error) {
	self, err := os.Executable()
	return self, hint.With(err, "mount -t proc proc /proc")
}

// New makes a directory in the directory for temporary files. self is our
// binary. The caller closes the result.
func New(self, prefix string) (*Dir, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d := &Dir{tell: w, cmd: exec.Command(self, Command)}
	d.cmd.Stdin, d.cmd.Stderr, d.cmd.Dir = r, os.Stderr, "/"
	d.cmd.Env = []string{}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = d.cmd.Start()
	_ = r.Close() // the helper has its own
	if err != nil {
		return nil, errors.Join(fmt.Errorf("helper for temporary files: %w", err), w.Close())
	}
	if d.Path, err = d.Also("", prefix); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Also makes one more directory, in parent ("": that for temporary files). The
// caller may remove it before Close does.
func (d *Dir) Also(parent, prefix string) (string, error) {
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", err
	}
	d.all = append(d.all, path)
	if _, err := d.tell.WriteString(path + "\x00"); err != nil {
		return path, fmt.Errorf("helper for temporary files: %w", err)
	}
	return path, nil
}

// Close removes all directories. What stays in a directory for temporary files is no
// failure.
func (d *Dir) Close() {
	for _, path := range d.all {
		_ = os.RemoveAll(path)
	}
	// An empty path says that nothing is left to do: somebody else may have
	// the name by now.
	_, _ = d.tell.WriteString("\x00")
	_ = d.tell.Close()
	_ = d.cmd.Wait()
}

// Main is the hidden subcommand.
func Main([]string) int {
	var paths []string
	for in := bufio.NewReader(os.Stdin); ; {
		path, err := in.ReadString(0)
		if err == nil && path == "\x00" {
			return 0
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return 1
			}
			break
		}
		paths = append(paths, path[:len(path)-1])
	}
	failed := 0
	for _, path := range paths {
		if err := remove(path); err != nil {
			fmt.Fprintf(os.Stderr, "dettrace: error: %v\n", err)
			failed = 1
		}
	}
	return failed
}

// remove removes a directory into which a run that is being ended may still
// write.
func remove(path string) (err error) {
	for range 100 {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
