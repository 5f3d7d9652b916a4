package explain

import (
	"fmt"
	"slices"
	"strings"

	"dettrace/internal/vary"
)

// fileOf is the file of a place: what is before the first member.
func fileOf(path string) string {
	file, _, _ := strings.Cut(path, "!")
	return file
}

// together explains files that differ when all sources are varied, and with no
// single one: it leaves out sources as long as such a file differs.
func (f *finder) together(r *Report, all *Sample) error {
	left := differ(f.base, all)
	for _, e := range r.Sources {
		left = without(left, e.Reaches)
		if e.Fails {
			return nil // nothing can be said of a build that ends elsewhere
		}
	}
	for len(left) > 0 && !all.failed() {
		target := left[0]
		set := slices.Clone(f.o.Sources)
		files := left
		for i := 0; i < len(set); {
			rest := slices.Delete(slices.Clone(set), i, i+1)
			s, err := f.p.Run(f.ctx, f.whole(rest...), false, false)
			if err != nil {
				return err
			}
			if d := differ(f.base, s); slices.Contains(d, target) {
				set, files = rest, d
				continue
			}
			i++
		}
		j := Joint{Sources: set}
		for _, x := range files {
			if slices.Contains(left, x) {
				j.Files = append(j.Files, x)
			}
		}
		if !slices.Contains(j.Files, target) {
			j.Files = append(j.Files, target)
		}
		r.Joint = append(r.Joint, j)
		left = without(left, j.Files)
	}
	return nil
}

func without(list, take []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return slices.Contains(take, x) })
}

// causes narrows every source that reaches something down.
func (f *finder) causes(r *Report) error {
	for i := range r.Sources {
		e := &r.Sources[i]
		direct := e.Direct()
		if len(direct) == 0 && !e.Fails {
			continue
		}
		found, err := f.narrow(e, direct)
		if err != nil {
			return fmt.Errorf("narrow %s: %w", e.Source, err)
		}
		r.Causes = append(r.Causes, found...)
	}
	for _, j := range r.Joint {
		r.Causes = append(r.Causes, Cause{Source: strings.Join(j.Sources, "+"), plan: f.whole(j.Sources...), files: j.Files})
	}
	for i := range r.Causes {
		if err := f.follow(&r.Causes[i]); err != nil {
			return err
		}
	}
	return nil
}

// narrow finds the events of a source that reach files, one after the other:
// the first by bisection of the events up to it, then the same without it.
func (f *finder) narrow(e *Effect, files []string) ([]Cause, error) {
	rest := Cause{Source: e.Source, Events: e.Events, plan: vary.Plan{{Source: e.Source, Seed: e.Seed}}, files: files}
	if e.Events == 0 || e.Fails {
		return []Cause{rest}, nil
	}
	n := e.Events + 16 // those that only a run has that is varied already
	var found []uint64
	var out []Cause
	left := files
	for len(out) < f.o.Causes && len(left) > 0 {
		d, err := f.reached(e, found, 0, n)
		if err != nil {
			return nil, err
		}
		if d = common(d, left); len(d) == 0 {
			break // what is left is no event, or needs those that were found
		}
		i, err := f.first(e, found, n, left)
		if err != nil {
			return nil, err
		}
		c, err := f.event(e, found, i, left)
		if err != nil {
			return nil, err
		}
		out, found, left = append(out, c), append(found, i), without(left, c.files)
	}
	if len(left) > 0 {
		rest.files = left
		out = append(out, rest)
	}
	return out, nil
}

// first is the lowest event i such that the events up to and with it, without
// those found, reach one of files. It takes for granted that more events reach
// no less.
func (f *finder) first(e *Effect, found []uint64, n uint64, files []string) (uint64, error) {
	lo, hi := uint64(0), n // the events below lo do not reach, those below hi do
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		d, err := f.reached(e, found, 0, mid)
		if err != nil {
			return 0, err
		}
		if len(common(d, files)) > 0 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return lo, nil
}

// event is the cause that event i is: alone if it reaches anything alone.
func (f *finder) event(e *Effect, found []uint64, i uint64, left []string) (Cause, error) {
	c := Cause{Source: e.Source, Events: e.Events}
	for _, from := range []uint64{i, 0} {
		c.plan, c.With = f.only(e, found, from, i+1), from != i
		s, err := f.p.Run(f.ctx, c.plan, false, false)
		if err != nil {
			return c, err
		}
		c.files = common(differ(f.base, s), left)
		uses := s.metered(e.Source).Uses
		if k := slices.IndexFunc(uses, func(u vary.Use) bool { return u.N == i }); k >= 0 {
			c.Use = &uses[k]
		}
		if len(c.files) > 0 {
			break
		}
	}
	return c, nil
}

// reached are the files that events from up to but without to reach, without found.
func (f *finder) reached(e *Effect, found []uint64, from, to uint64) ([]string, error) {
	s, err := f.p.Run(f.ctx, f.only(e, found, from, to), false, false)
	if err != nil {
		return nil, err
	}
	return differ(f.base, s), nil
}

// only is the plan with events from up to but without to, without found.
func (f *finder) only(e *Effect, found []uint64, from, to uint64) vary.Plan {
	c := vary.Choice{Source: e.Source, Seed: e.Seed, Ranges: []vary.Range{}}
	skip := slices.Sorted(slices.Values(found))
	for _, x := range append(skip, to) {
		if x > to || x < from {
			continue
		}
		if x > from {
			c.Ranges = append(c.Ranges, vary.Range{From: from, To: x})
		}
		from = x + 1
	}
	return vary.Plan{c}
}

func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return !slices.Contains(b, x) })
}
