package run

import (
	"errors"
	"fmt"
	"io"

	"dettrace/internal/detfs"
	"dettrace/internal/kernel"
	"dettrace/internal/output"
)

// keepFailed writes the changes of a command that failed to Spec.Keep, as they
// were at its end. err is dettrace's own error: only what was the command's doing is
// worth a look inside.
func (c *container) keepFailed(status int, err error) error {
	if c.spec.Keep == "" || status == 0 || c.src == nil {
		return nil
	}
	var stuck *kernel.DeadlockError
	if err != nil && !errors.As(err, &stuck) && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrSpin) {
		return nil
	}
	kerr := output.SaveFunc(c.spec.Keep, output.Options{Force: true}, func(w io.Writer) error {
		return c.src.WriteTar(w, detfs.TarRequest{Changes: true})
	})
	if kerr != nil {
		return fmt.Errorf("keep the failed command's files: %w", kerr)
	}
	return nil
}
