package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"

	"dettrace/internal/hint"
	"dettrace/internal/lock"
	"dettrace/internal/output"
	"dettrace/internal/redact"
)

// ReadLock reads the lock, if there is one.
func (b *Builder) ReadLock() error {
	f, err := os.Open(b.LockPath)
	if errors.Is(err, fs.ErrNotExist) {
		if b.o.Frozen {
			return hint.With(fmt.Errorf("%s: no such file, and --frozen does not make it", b.LockPath), "dettrace build without --frozen writes it")
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	old, err := lock.Read(f)
	if err != nil && b.o.Update {
		return nil // made anew
	}
	if err != nil {
		return hint.With(fmt.Errorf("%s: %w", b.LockPath, err), hint.Of(err))
	}
	b.old = old
	return nil
}

// WriteLock writes the lock if something in it is new. Builds that were not
// chosen keep what they had; those that are no more in the file go.
func (b *Builder) WriteLock() error {
	if !b.Changed || b.o.Frozen {
		return nil
	}
	if b.old != nil && len(b.o.Only) > 0 {
		all := maps.Clone(b.old.Builds)
		maps.Copy(all, b.new.Builds)
		b.new.Builds = all
	}
	b.new.Dettrace = b.o.Version
	return output.SaveFunc(b.LockPath, output.Options{Force: true}, func(w io.Writer) error {
		m := redact.New(b.secrets).Writer(w, false)
		return errors.Join(b.new.Write(m), m.Flush())
	})
}
