package output

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Save copies r to the file path, which appears at once and complete.
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
