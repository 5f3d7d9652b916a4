package run

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/kernel"
)

// Run runs spec to its end: the guest, then outputs and report. The error, if
// any, is dettrace's own; Result.Status is always what the shell should see.
func Run(ctx context.Context, spec Spec) (Result, error) {
	if spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, spec.Timeout)
		defer cancel()
	}
	if spec.Vary != nil {
		varySpec(&spec)
	}
	c := &container{spec: spec, open: door.Open(spec.Allow)}
	flush := c.hideSecrets()
	c.enter(phaseStart)
	quiet := c.tellProgress()
	o, err := c.guestRun(ctx)
	if ferr := flush(); err == nil && ferr != nil {
		err = fmt.Errorf("event log: %w", ferr)
	}
	c.enter(phaseOutputs)
	res := Result{Status: exitStatus(o, err), Events: o.stats.Events, LogicalNS: o.logical}
	ran := err == nil
	if ran {
		err = c.finish(res.Status)
		if err != nil {
			res.Status = exitStatus(o, err)
		}
	}
	if kerr := c.keepFailed(res.Status, err); kerr != nil {
		if err == nil {
			err = fmt.Errorf("the command failed with status %d", res.Status)
		}
		err, res.Status = errors.Join(err, kerr), ExitFailure
	}
	quiet()
	if ran {
		c.closing(c.keeps(res.Status))
	}
	if res.Status != 0 && !c.spec.Verbose {
		c.refusals(o) // perhaps why
	}
	c.tellVisible(o.visible)
	c.verbose(o)
	c.printProfile(o)
	res.Report, res.Learned = c.report(o, res, err), c.learned
	if rerr := c.writeReport(res.Report); err == nil && rerr != nil {
		err, res.Status = rerr, ExitFailure
	}
	if terr := c.endTrace(res); err == nil && terr != nil {
		err, res.Status = terr, ExitFailure
	}
	if serr := c.saveSchedule(); err == nil && serr != nil {
		err, res.Status = serr, ExitFailure
	}
	if cerr := c.close(); err == nil && cerr != nil {
		err, res.Status = fmt.Errorf("clean up: %w", cerr), ExitFailure
	}
	return res, c.mask.Error(err)
}

// exitStatus is what the shell sees: the guest's status, 128+n for a signal,
// or one of the Exit constants.
func exitStatus(o outcome, err error) int {
	var ee *kernel.ExecError
	switch {
	case err == nil && o.status.Signaled():
		return 128 + int(o.status.Signal())
	case err == nil:
		return o.status.ExitStatus()
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrSpin):
		return ExitTimeout
	case errors.Is(err, ErrInterrupted):
		return ExitInterrupted
	case errors.Is(err, kernel.ErrOutputClosed):
		return 128 + int(unix.SIGPIPE)
	case errors.As(err, &ee):
		if ee.Found && !ee.Interpreter {
			return ExitNotExecutable
		}
		return ExitNotFound
	}
	return ExitFailure
}
