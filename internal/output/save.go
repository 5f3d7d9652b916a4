package output

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Save copies r to the file path, which appears at once and complete. What is there and
// is no file, /dev/null or a FIFO, is written to and stays, and so is /dev/stdout.
func Save(r io.Reader, path string, opts Options) error {
	return SaveFunc(path, opts, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// SaveFunc is Save for a producer that writes.
func SaveFunc(path string, opts Options, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save %s: %w", path, explain(err))
		}
	}()
	if f, err := sink(path); f != nil || err != nil {
		if err == nil {
			err = errors.Join(write(f), f.Close())
		}
		return err
	}
	st, err := newStage(path)
	if err != nil {
		return err
	}
	defer st.discard()
	f, err := os.OpenFile(filepath.Join(st.path, stageName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return st.commit(opts.Force)
}

// sink opens what is at path if it is one, else gives nil.
func sink(path string) (*os.File, error) {
	if !Sink(path) {
		return nil, nil
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
}

// Sink reports whether Save writes to what is at path, and does not replace it by a file: a
// device, a FIFO, or the name of an open descriptor, such as /dev/stdout.
func Sink(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && (!info.Mode().IsRegular() || descriptor(path))
}

// descriptor reports whether a path leads to a descriptor of a process (proc(5)).
func descriptor(path string) bool {
	link, _ := os.Readlink(path)
	for _, p := range []string{path, link} {
		if strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/dev/fd/") {
			return true
		}
	}
	return false
}
