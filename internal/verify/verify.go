package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"dettrace/internal/archive"
	"dettrace/internal/compare"
	"dettrace/internal/eventlog"
	"dettrace/internal/explain"
	"dettrace/internal/perturb"
)

// The results of a verification.
const (
	Same        = "same"
	Different   = "different"
	BuildFailed = "build-failed"
)

// Result is what a verification found.
type Result struct {
	Result     string      `json:"result"`
	Runs       []Outcome   `json:"runs"`
	Digest     string      `json:"digest,omitempty"` // of all runs, with Same
	Difference *Difference `json:"difference,omitempty"`
	// Outside and Against are what was asked of a command that is the same
	// inside; nil if it was not asked or is not.
	Outside *explain.Outside `json:"outside,omitempty"`
	Against *explain.Against `json:"against,omitempty"`
}

// Difference is how two of the runs differ.
type Difference struct {
	A      int                  `json:"a"` // index in Runs
	B      int                  `json:"b"`
	Status bool                 `json:"status"` // the exit statuses differ
	Output []compare.Difference `json:"output"` // (stdout), (stderr)
	Files  []compare.Difference `json:"files"`
	Event  *eventlog.Difference `json:"event,omitempty"` // nil: did not come again with logs
	DirA   string               `json:"-"`               // trees for other tools, while Program.Dir is there
	DirB   string               `json:"-"`
}

// Verify makes n runs, at least two. Each outcome is told to progress.
func Verify(ctx context.Context, p *Program, n int, progress func(Outcome)) (Result, error) {
	var r Result
	hosts := perturb.Hosts(n)
	for i, h := range hosts {
		o, err := p.Run(ctx, h, false)
		if err != nil {
			return r, err
		}
		progress(o)
		r.Runs = append(r.Runs, o)
		if i > 0 && o.Digest != r.Runs[0].Digest {
			r.Result = Different
			return r, p.explain(ctx, &r, hosts[0], h)
		}
		if i > 0 {
			_ = os.RemoveAll(o.dir) // the first run's files say the same
		}
	}
	if r.Runs[0].Status != 0 {
		r.Result = BuildFailed
		return r, nil
	}
	r.Result, r.Digest = Same, r.Runs[0].Digest
	return r, nil
}

// again is how often two hosts are tried for a difference with logs.
const again = 3

// explain fills the difference of the first and the last run.
func (p *Program) explain(ctx context.Context, r *Result, ha, hb perturb.Host) error {
	last := len(r.Runs) - 1
	d := &Difference{A: 0, B: last}
	r.Difference = d
	a, b := r.Runs[0], r.Runs[last]
	if err := p.differ(d, a, b); err != nil {
		return err
	}
	for range again {
		la, err := p.Run(ctx, ha, true)
		if err != nil {
			return err
		}
		lb, err := p.Run(ctx, hb, true)
		if err != nil {
			return err
		}
		if la.Digest == lb.Digest {
			continue
		}
		d.Event, err = eventlog.Compare(la.file("log"), lb.file("log"), p.Command)
		return err
	}
	return nil
}

// differ compares what two runs left.
func (p *Program) differ(d *Difference, a, b Outcome) error {
	d.Status = a.Status != b.Status || a.Reason != b.Reason
	d.DirA, d.DirB = a.file("save"), b.file("save")
	for _, stream := range []string{"stdout", "stderr"} {
		x, err := diffOf(a.file(stream), b.file(stream), nil)
		if err != nil {
			return err
		}
		for i := range x {
			x[i].Path = "(" + stream + ")"
			x[i].Kinds = slices.DeleteFunc(x[i].Kinds, func(k string) bool { return k != compare.Content })
			x[i].Notes = nil
			if len(x[i].Kinds) > 0 {
				d.Output = append(d.Output, x[i])
			}
		}
	}
	files, err := diffOf(a.file("save"), b.file("save"), p.Only)
	d.Files = files
	return err
}

func diffOf(a, b string, only []string) ([]compare.Difference, error) {
	x, err := compare.Open(a)
	if err != nil {
		return nil, err
	}
	defer x.Close() // only read: nothing can be lost
	y, err := compare.Open(b)
	if err != nil {
		return nil, err
	}
	defer y.Close() // only read: nothing can be lost
	if len(only) > 0 {
		if err := errors.Join(x.Only(only), y.Only(only)); err != nil {
			return nil, err
		}
	}
	return compare.Trees(x, y, compare.Options{})
}

// onlyDigest is the digest of the files that are compared.
func (p *Program) onlyDigest(o *Outcome) (string, error) {
	t, err := compare.Open(o.file("save"))
	if err != nil {
		return "", err
	}
	defer t.Close() // only read: nothing can be lost
	if err := t.Only(p.Only); err != nil {
		return "", err
	}
	if len(t.Files) == 0 && o.Status == 0 {
		return "", fmt.Errorf("--only: the command changed no such file")
	}
	return archive.Digest(t.Files)
}
