package run

import (
	"fmt"
	"io"

	"dettrace/internal/trace"
)

// beginTrace starts Spec.Trace.
func (c *container) beginTrace() error {
	s := &c.spec
	if s.Trace == nil {
		return nil
	}
	w, err := trace.NewWriter(s.Trace)
	if err != nil {
		return err
	}
	if c.mask != nil {
		w.Mask(func(to io.Writer) (io.Writer, func() error) {
			m := c.mask.Writer(to, false)
			return m, m.Flush
		})
	}
	c.trace = w
	w.Write(&trace.Record{Kind: trace.Start, Version: trace.Version, Argv: s.Command, Workdir: s.Workdir})
	return nil
}

// endTrace adds what the run left behind: names that files have at the end, by
// which questions are asked.
func (c *container) endTrace(res Result) error {
	if c.trace == nil {
		return nil
	}
	changes, err := c.fs.Changes()
	for _, ch := range changes {
		c.trace.Write(&trace.Record{
			Kind: trace.Changed, Change: ch.Kind, File: &trace.File{Path: ch.Path, Ino: ch.Ino, Len: ch.Size},
		})
	}
	c.trace.Write(&trace.Record{Kind: trace.End, Result: int64(res.Status)})
	if cerr := c.trace.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}
