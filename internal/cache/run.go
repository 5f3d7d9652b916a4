package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/effective"
	"dettrace/internal/run"
)

// Options say how a run uses the cache.
type Options struct {
	Failures bool         // store runs that failed, too
	Told     func(string) // is told of hit, miss and what was not stored; may be nil
}

// Runner is run.Run.
type Runner func(context.Context, run.Spec) (run.Result, error)

// settled returns a moment, in ns since 1970: a file whose time is not after it
// cannot change any more, once settled has returned, without another time.
//
// Files mostly have the time of the coarse clock, which moves in ticks, and late
// on a busy virtual machine. But they may also be ahead of it: where somebody has
// looked at the last time, the next is exact, and no file's time goes back
// behind that (ktime_get_real_ts64_mg in kernel/time/timekeeping.c, Linux 6.13).
func settled() (int64, error) {
	var now, coarse unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return 0, err
	}
	for range 1000 {
		if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &coarse); err != nil {
			return 0, err
		}
		if coarse.Nano() > now.Nano() {
			return now.Nano(), nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, errors.New("the host's clock does not advance")
}

// Run gives the stored result of spec, or makes and stores it. Everything that
// goes wrong with the cache itself leads to a run as without one.
//
// A run that must write a log, a trace, a profile or its schedule, or keep what fails, is
// always made.
func (c *Cache) Run(ctx context.Context, spec run.Spec, o Options, do Runner) (run.Result, error) {
	told := func(format string, args ...any) {
		if o.Told != nil {
			o.Told(fmt.Sprintf(format, args...))
		}
	}
	if len(spec.Secrets) > 0 {
		told("not used: a result may depend on a secret, which must not be stored")
		return do(ctx, spec)
	}
	if spec.Terminal != nil {
		told("not used: the run has a terminal")
		return do(ctx, spec)
	}
	stdin, file, done, err := c.stdin(&spec)
	defer done()
	if err != nil {
		told("not used: %v", err)
		return do(ctx, spec)
	}
	parts, files, err := c.parts(&spec, stdin)
	if err != nil {
		told("not used: %v", err)
		return do(ctx, spec)
	}
	if file != nil {
		files = append(files, *file)
	}
	key := effective.Hash(parts)
	if spec.Log == nil && spec.Trace == nil && !spec.Profile && spec.SaveSchedule == "" && spec.Keep == "" {
		h, miss, err := c.lookup(key, parts, &spec)
		if h != nil {
			defer h.close()
			told("hit: %s", h.e.id[:12])
			return c.replay(h, spec)
		}
		if err != nil {
			told("miss: %v", err)
		} else {
			told("miss: %s", miss)
		}
	}
	return c.make(ctx, spec, o, do, key, parts, files, told)
}

// replay gives a stored run again.
func (c *Cache) replay(h *hit, spec run.Spec) (run.Result, error) {
	if err := playFrames(h.stdio, spec.Stdout, spec.Stderr); err != nil {
		return run.Result{Status: run.StatusOf(err)}, err
	}
	return run.Replay(spec, h.e.Report, h)
}

// make runs and stores.
func (c *Cache) make(ctx context.Context, spec run.Spec, o Options, do Runner, key string, parts []Part, files []watched, told func(string, ...any)) (run.Result, error) {
	w, err := c.workspace()
	if err != nil {
		told("not stored: %v", err)
		return do(ctx, spec)
	}
	defer w.close()
	start, err := settled()
	if err != nil {
		told("not stored: %v", err)
		return do(ctx, spec)
	}
	r := newRecorder(w)
	spec.Record, spec.Digests = r.wrap, c.digestFile()
	spec.Stdout = &frameWriter{spec.Stdout, 1, r.stdio}
	spec.Stderr = &frameWriter{spec.Stderr, 2, r.stdio}
	result, err := do(ctx, spec)
	r.e.Stdio = r.done(r.stdio)
	if why := r.unfit(result, err, o, start, files); why != "" {
		told("not stored: %s", why)
		return result, err
	}
	r.e.Parts, r.e.key, r.e.Report = parts, key, result.Report
	if err := c.store(r); err != nil {
		told("not stored: %v", err)
	}
	return result, nil
}

// unfit says why a run must not be stored; "" if it may.
func (r *recorder) unfit(result run.Result, err error, o Options, start int64, files []watched) string {
	switch {
	case err != nil:
		return err.Error()
	case r.err != nil:
		return r.err.Error()
	case result.Status != 0 && !o.Failures:
		return "the command failed (--cache-failures stores such runs, too)"
	case len(result.Report.DoorsUsed) > 0:
		return "a door to the host was used"
	}
	for _, l := range r.learned {
		if l.Newest > start {
			return "an input was written to just now"
		}
	}
	for _, f := range files {
		if !f.same() {
			return f.path + " changed during the run"
		}
	}
	return ""
}

// store puts a recorded run into the cache.
func (c *Cache) store(r *recorder) error {
	for _, l := range r.learned {
		r.e.Digests = append(r.e.Digests, l.Digest)
	}
	text := appendObservations(nil, r.learned)
	sum := sha256.Sum256(text)
	r.e.id = hex.EncodeToString(sum[:])
	b := r.w.blob("learned")
	_, _ = b.Write(text)
	r.e.Learned = r.done(b)
	if r.err != nil {
		return r.err
	}
	unlock, err := c.lock(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	for _, b := range r.e.blobs() {
		from, ok := r.written[b]
		if !ok {
			continue // a second one of the same content
		}
		delete(r.written, b)
		if err := c.keep(b, from); err != nil {
			return err
		}
	}
	if err := c.write(&r.e, r.w); err != nil {
		return err
	}
	_ = c.digests.Flush()
	unlock()
	return c.shrink()
}

// shrink keeps to the limit.
func (c *Cache) shrink() error {
	if c.limit <= 0 {
		return nil
	}
	_, err := c.Prune(c.limit)
	return err
}
