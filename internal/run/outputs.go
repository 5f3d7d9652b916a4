package run

import (
	"fmt"
	"io"
	"slices"

	"dettrace/internal/detfs"
	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/kernel"
	"dettrace/internal/output"
	"dettrace/internal/report"
	"dettrace/internal/store"
)

// finish takes what the run was made for out of the container. It first asks
// whether image and inputs are still what they were: if not, no output is
// worth having.
func (c *container) finish(status int) error {
	sum, err := c.src.Finish(c.listed())
	if err != nil {
		return fmt.Errorf("file system: %w", err)
	}
	c.summary = sum
	for _, l := range sum.Layers {
		if l.Changed != "" {
			return hint.With(fmt.Errorf("%s: %w: %s", l.Label, image.ErrChanged, l.Changed),
				"nothing was copied out; repeat the run when nobody writes to it")
		}
	}
	targets, planErr := c.plan(status)
	if c.listed() {
		// Before anything changes on the host: outputs may be in an input.
		var paths []string
		for _, t := range targets {
			paths = append(paths, t.Guest)
		}
		if c.learned, err = c.src.Learned(c.spec.InputList != "" || c.spec.Record != nil || c.spec.Accept != nil || c.mask != nil, paths); err != nil {
			return fmt.Errorf("inputs: %w", err)
		}
		c.hideInputs()
	}
	if planErr != nil {
		return planErr
	}
	return c.take(status, targets)
}

// listed says whether anybody wants to know what was read and made.
func (c *container) listed() bool {
	return c.spec.Report != "" || c.spec.InputList != "" || c.spec.Record != nil || c.spec.Accept != nil
}

// keeps says whether a run with this exit status keeps anything.
func (c *container) keeps(status int) bool { return status == 0 || c.spec.OutputOnFailure }

// plan finds what is to be copied out. With an error it gives what there is.
func (c *container) plan(status int) ([]output.Target, error) {
	if !c.keeps(status) {
		return nil, nil
	}
	var targets []output.Target
	for _, o := range c.spec.Outputs {
		matches, err := c.src.Glob(o.Guest)
		if err != nil {
			return targets, fmt.Errorf("output %s: %w", o.Guest, err)
		}
		if len(matches) == 0 {
			return targets, hint.With(fmt.Errorf("output %s: the command did not make it", o.Guest), "paths of the guest are absolute or relative to the working directory "+c.spec.Workdir)
		}
		if output.HasGlob(o.Guest) {
			targets = append(targets, output.GlobTargets(o.Guest, o.Host, matches)...)
		} else {
			targets = append(targets, output.Target{Guest: o.Guest, Host: o.Host})
		}
	}
	return targets, nil
}

// take copies out what was asked for.
func (c *container) take(status int, targets []output.Target) error {
	opts := output.Options{Force: c.spec.Force, Skip: func(s output.Skipped) { c.skipped = append(c.skipped, s) }}
	if c.listed() {
		opts.List = func(f output.File) { c.files = append(c.files, f) }
	}
	// What the host gets first must not be what is read later: outputs and
	// changes may replace files of the inputs.
	if c.spec.Save != "" {
		err := output.SaveFunc(c.spec.Save, opts, func(w io.Writer) error {
			return c.src.WriteTar(w, detfs.TarRequest{Changes: true})
		})
		if err != nil {
			return err
		}
	}
	// A failed command's changes are no image for anybody to build on.
	if c.spec.Commit != "" && status == 0 {
		if err := c.commit(); err != nil {
			return err
		}
	}
	if !c.keeps(status) {
		return nil
	}
	if err := c.copyOutputs(targets, opts); err != nil || !c.spec.WriteBack {
		return err
	}
	return c.writeBack(opts)
}

// copyOutputs stages every output and lets them appear together.
func (c *container) copyOutputs(targets []output.Target, opts output.Options) error {
	set := output.NewSet(opts)
	defer set.Close()
	for _, t := range targets {
		if err := c.stream(t.Guest, func(r io.Reader) error { return set.Add(r, t) }); err != nil {
			return err
		}
		c.outputs++
	}
	if c.spec.Accept != nil {
		if err := c.spec.Accept(c.made()); err != nil {
			return err
		}
	}
	return set.Commit()
}

// stream gives use the tar of a guest path as the file system sends it.
func (c *container) stream(guest string, use func(io.Reader) error) error {
	return c.pipeTar(detfs.TarRequest{Paths: []string{guest}}, use)
}

func (c *container) pipeTar(req detfs.TarRequest, use func(io.Reader) error) error {
	return pipeTar(c.src, req, use)
}

func pipeTar(src Source, req detfs.TarRequest, use func(io.Reader) error) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := src.WriteTar(w, req)
		w.CloseWithError(err)
		done <- err
	}()
	err := use(r)
	r.CloseWithError(fmt.Errorf("reader stopped: %w", io.ErrClosedPipe))
	if werr := <-done; err == nil && werr != nil {
		err = werr
	}
	return err
}

// writeBack applies the changes below the inputs to the host.
func (c *container) writeBack(opts output.Options) error {
	var inputs []output.Target
	var under []string
	for _, in := range c.spec.Inputs {
		inputs = append(inputs, output.Target{Guest: in.Guest, Host: in.Host})
		under = append(under, in.Guest)
	}
	if len(inputs) == 0 {
		return nil
	}
	err := c.pipeTar(detfs.TarRequest{Changes: true, Under: under}, func(r io.Reader) error {
		var err error
		c.applied, err = output.WriteBack(r, inputs, opts)
		return err
	})
	return err
}

// close line and skipped things go to the user's standard error.
func (c *container) say(format string, args ...any) {
	if c.spec.Diag != nil {
		fmt.Fprintf(c.spec.Diag, "dettrace: "+format+"\n", args...)
	}
}

// closing says what became of the changes.
func (c *container) closing(success bool) {
	for _, s := range c.skipped {
		c.say("note: %s left out: %s", s.Path, s.Why)
	}
	line := report.Closing{
		Changed: c.summary.Changed, Outputs: c.outputs, WrittenBack: c.applied, WriteBack: c.spec.WriteBack,
		Saved: c.spec.Save, Commit: c.spec.Commit, Committed: store.Short(c.committed), Failed: !success, Asked: len(c.spec.Outputs) > 0,
	}.Line()
	if line != "" && c.spec.Diag != nil {
		fmt.Fprintln(c.spec.Diag, line)
	}
}

// refusals names what the guest asked for and did not get.
func (c *container) refusals(o outcome) { c.tellRefused(o.refusals()) }

func (c *container) tellRefused(list []report.Refusal) {
	for _, r := range list {
		c.say("refused: %s: %s, %s, first by %s", r.What, r.Errno, report.Plural(r.Count, "time"), r.Where)
	}
}

// tellVisible names what of the host's CPU this run could see beyond what every run
// can: for --verbose, and at the end of a strict run, which it did not end.
func (c *container) tellVisible(list []string) {
	if !c.spec.Strict && !c.spec.Verbose {
		return
	}
	for _, what := range list {
		if !slices.Contains(kernel.EveryCPU(), what) {
			c.say("note: can show the host's CPU: %s", what)
		}
	}
}

// verbose tells what the run did, for --verbose.
func (c *container) verbose(o outcome) {
	if !c.spec.Verbose {
		return
	}
	c.refusals(o)
	for _, d := range o.stats.Doors {
		c.say("door used: %s", d)
	}
	stops := report.CountStops(o.stats.Stops, callNames())
	c.say("logical time %d.%09d s, %s, %s, %s served in the guest, %s", o.logical/1e9, o.logical%1e9,
		report.Plural(int(o.stats.Events), "event"), report.Plural(int(stops.Total), "stop"),
		report.Plural(int(o.stats.Served), "call"), report.Plural(int(o.stats.Execs), "exec"))
	for i, s := range stops.ByCall {
		if i == 10 {
			break
		}
		c.say("%10s %s", report.Digits(int64(s.Count)), s.Call)
	}
}
