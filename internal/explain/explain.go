// Package explain finds which sources of nondeterminism reach which results of
// a command, and by which use of them: a run with everything fixed is compared
// with runs in which single sources are varied by seed (package vary), then
// with runs in which only some uses are, down to the one that matters.
package explain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"dettrace/internal/vary"
)

// Results of an explanation.
const (
	Reproducible   = "reproducible"
	Unreproducible = "unreproducible"
	BuildFailed    = "build-failed"
)

// Options say how far to go.
type Options struct {
	Sources []string // to vary, by name
	Seed    uint64
	Jobs    int // runs at once; the result does not depend on it
	Causes  int // most causes to narrow down for one source
}

// Report is what was found.
type Report struct {
	Result  string   `json:"result"`
	Command []string `json:"command"`
	Runs    int64    `json:"runs"`
	Tail    string   `json:"tail,omitempty"` // end of standard error of a failed build
	Files   []string `json:"files"`          // that differ under some source
	Sources []Effect `json:"sources"`        // all that were varied
	Causes  []Cause  `json:"causes"`
	Joint   []Joint  `json:"joint"` // sources that act only together
}

// Effect is what one source does.
type Effect struct {
	Source  string            `json:"source"`
	Seed    uint64            `json:"seed,string"`
	Reaches []string          `json:"reaches"`           // files
	Through map[string]string `json:"through,omitempty"` // file: the other source by which it is reached at the same place
	Status  int               `json:"status"`            // of the run, if it differs from the run without variation
	Fails   bool              `json:"fails"`             // it does
	Events  uint64            `json:"events"`            // uses that were counted; 0: it has none
	sample  *Sample
	places  []Place
}

// Direct are the files that the source reaches by itself.
func (e *Effect) Direct() (out []string) {
	for _, f := range e.Reaches {
		if e.Through[f] == "" {
			out = append(out, f)
		}
	}
	return out
}

// Joint is a set of sources that reach files only together.
type Joint struct {
	Sources []string `json:"sources"`
	Files   []string `json:"files"`
}

// Cause is one use of a source, or the whole of one, and what it does.
type Cause struct {
	Source string    `json:"source"`
	Use    *vary.Use `json:"use,omitempty"`          // nil: set at the start, or more than one use
	Events uint64    `json:"events,omitempty"`       // of the source
	With   bool      `json:"with_earlier,omitempty"` // only together with uses before it
	Who    []string  `json:"who,omitempty"`          // command line of the process of Use
	Places []Place   `json:"places"`                 // what differs at the end
	Flow   []Write   `json:"flow"`                   // the first write of each file that differs, in time
	Lines  []string  `json:"lines,omitempty"`        // of the trace, up to the first of Flow
	plan   vary.Plan
	files  []string
}

type finder struct {
	ctx   context.Context
	p     *Program
	o     Options
	base  *Sample // with all events counted
	trace *index  // of the run without variation
}

// Explain runs the command as often as it takes.
func Explain(ctx context.Context, p *Program, o Options) (*Report, error) {
	p.Jobs = make(chan struct{}, max(o.Jobs, 1))
	f := &finder{ctx: ctx, p: p, o: o}
	r := &Report{Command: p.Command, Files: []string{}, Sources: []Effect{}, Causes: []Cause{}, Joint: []Joint{}}
	err := f.explain(r)
	r.Runs = p.runs.Load()
	return r, err
}

func (f *finder) explain(r *Report) (err error) {
	if f.base, err = f.p.Run(f.ctx, f.counting(), true, true); err != nil {
		return err
	}
	if f.base.failed() {
		r.Result, r.Tail = BuildFailed, f.base.Tail
		return nil
	}
	if len(f.p.Only) > 0 && len(f.base.Files) == 2 { // the two streams
		return errors.New("--only: the command changed no such file")
	}
	all, err := f.p.Run(f.ctx, f.whole(f.o.Sources...), false, false)
	if err != nil {
		return err
	}
	something := all.failed() || len(differ(f.base, all)) > 0
	r.Sources = make([]Effect, len(f.o.Sources))
	for i, s := range f.o.Sources {
		r.Sources[i] = Effect{Source: s, Seed: f.o.Seed, Events: f.base.metered(s).Events, Reaches: []string{}}
	}
	r.Result = Reproducible
	if err := f.singles(r, something); err != nil {
		return err
	}
	if err := f.together(r, all); err != nil {
		return err
	}
	r.collect()
	if r.Result == Reproducible {
		return nil
	}
	if f.trace, err = readTrace(f.base, f.p); err != nil {
		return err
	}
	return f.causes(r)
}

// counting is the plan that varies nothing and counts everything.
func (f *finder) counting() vary.Plan {
	p := vary.Plan{}
	for _, s := range f.o.Sources {
		if vary.HasEvents(s) {
			p = append(p, vary.Choice{Source: s, Seed: f.o.Seed, Ranges: []vary.Range{}})
		}
	}
	return p
}

// whole varies sources entirely.
func (f *finder) whole(sources ...string) vary.Plan {
	p := vary.Plan{}
	for _, s := range sources {
		p = append(p, vary.Choice{Source: s, Seed: f.o.Seed})
	}
	return p
}

// differ are the files that two samples have not alike, sorted.
func differ(a, b *Sample) []string {
	names := slices.Concat(slices.Collect(maps.Keys(a.Files)), slices.Collect(maps.Keys(b.Files)))
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool {
		if file, ok := strings.CutSuffix(n, modeOf); ok && (a.Files[file] == "" || b.Files[file] == "") {
			return true // the whole file is missing
		}
		return a.Files[n] == b.Files[n]
	})
}

// scheduleSeeds is how many orders of threads are tried for one that matters.
const scheduleSeeds = 4

// singles finds the sources that reach something by themselves. Most do not, so
// halves of the list are varied at once, and only one that reaches something is
// divided further. Orders of threads take several seeds and are tried apart.
func (f *finder) singles(r *Report, something bool) error {
	var rest []*Effect
	for i := range r.Sources {
		if e := &r.Sources[i]; e.Source == vary.Schedule {
			if err := f.single(e); err != nil {
				return err
			}
		} else {
			rest = append(rest, e)
		}
	}
	if !something {
		return nil // and no pair of them either
	}
	return f.group(rest, true)
}

// group finds those of a list of sources that reach something; known says that
// some do, or may.
func (f *finder) group(list []*Effect, known bool) error {
	switch {
	case len(list) == 0:
		return nil
	case len(list) == 1:
		return f.single(list[0])
	case !known:
		var names []string
		for _, e := range list {
			names = append(names, e.Source)
		}
		s, err := f.p.Run(f.ctx, f.whole(names...), false, false)
		if err != nil {
			return err
		}
		if len(differ(f.base, s)) == 0 && s.Status == f.base.Status && s.Reason == f.base.Reason {
			return nil
		}
	}
	half := len(list) / 2
	if cap(f.p.Jobs) == 1 {
		if err := f.group(list[:half], false); err != nil {
			return err
		}
		return f.group(list[half:], false)
	}
	var other error
	var wg sync.WaitGroup
	wg.Go(func() { other = f.group(list[:half], false) })
	err := f.group(list[half:], false)
	wg.Wait()
	return errors.Join(err, other)
}

func (f *finder) single(e *Effect) error {
	tries := 1
	if e.Source == vary.Schedule {
		tries = scheduleSeeds
	}
	for i := range tries {
		seed := f.o.Seed + uint64(i)
		s, err := f.p.Run(f.ctx, vary.Plan{{Source: e.Source, Seed: seed}}, true, false)
		if err != nil {
			return fmt.Errorf("vary %s: %w", e.Source, err)
		}
		e.Seed, e.sample, e.Reaches = seed, s, differ(f.base, s)
		if e.Source == vary.Schedule {
			e.Events = s.metered(vary.Schedule).Events
		}
		if e.Fails = s.Status != f.base.Status || s.Reason != f.base.Reason; e.Fails {
			e.Status = s.Status
		}
		if len(e.Reaches) > 0 || e.Fails {
			e.places, err = f.p.places(f.base, s)
			return err
		}
	}
	return nil
}

// collect fills in what follows from the effects.
func (r *Report) collect() {
	seen := map[string]bool{}
	add := func(files []string) {
		for _, x := range files {
			if !seen[x] {
				seen[x] = true
				r.Files = append(r.Files, x)
			}
		}
	}
	for i := range r.Sources {
		e := &r.Sources[i]
		add(e.Reaches)
		if len(e.Reaches) > 0 || e.Fails {
			r.Result = Unreproducible
		}
		e.through(r.Sources)
	}
	for _, j := range r.Joint {
		add(j.Files)
		r.Result = Unreproducible
	}
	slices.Sort(r.Files)
}

// stronger are the sources by which another one may show: what is printed is an
// address, say, and a longer environment moves what is allocated.
func stronger(source string) []string {
	switch source {
	case vary.ClockRate:
		return []string{vary.Time}
	case vary.ASLR, vary.Random:
		return []string{vary.Uninit}
	case vary.Schedule:
		return []string{vary.PID, vary.Time}
	case vary.Environment, vary.Home, vary.Locales, vary.Timezone, vary.Terminal, vary.ExecPath, vary.User, vary.BuildPath, vary.Host:
		return []string{vary.Uninit, vary.ASLR, vary.Random, vary.PID}
	}
	return nil
}

// through notes the files that the source reaches at the very places where a
// stronger one does, and those of which it reaches only fractions of times.
func (e *Effect) through(all []Effect) {
	e.throughFractions(all)
	for _, name := range stronger(e.Source) {
		i := slices.IndexFunc(all, func(o Effect) bool { return o.Source == name })
		if i < 0 {
			continue
		}
		for _, file := range e.Reaches {
			if e.Through[file] != "" || !slices.Contains(all[i].Reaches, file) {
				continue
			}
			// Garbage is anything: where it reaches an offset says nothing.
			exact := name != vary.Uninit
			mine, other := at(e.places, file, exact), at(all[i].places, file, exact)
			if len(mine) > 0 && slices.Equal(mine, other) {
				e.setThrough(file, name)
			}
		}
	}
}

func (e *Effect) throughFractions(all []Effect) {
	rate := slices.IndexFunc(all, func(o Effect) bool { return o.Source == vary.ClockRate })
	if rate < 0 || e.Source == vary.ClockRate || e.Source == vary.Time || e.Source == vary.InputTimes {
		return
	}
	for _, file := range e.Reaches {
		own := func(p Place) bool { return p.of([]string{file}) }
		other := func(p Place) bool { return own(p) && !slices.Equal(p.Kinds, []string{fraction}) }
		if slices.Contains(all[rate].Reaches, file) && slices.ContainsFunc(e.places, own) && !slices.ContainsFunc(e.places, other) {
			e.setThrough(file, vary.ClockRate)
		}
	}
}

func (e *Effect) setThrough(file, source string) {
	if e.Through == nil {
		e.Through = map[string]string{}
	}
	e.Through[file] = source
}

// at are the places in one file, as text; exact ones with the offset.
func at(places []Place, file string, exact bool) (out []string) {
	for i := range places {
		p := &places[i]
		if p.of([]string{file}) {
			text := p.Path
			if exact {
				text += fmt.Sprint(" ", p.Offset)
			}
			out = append(out, text)
		}
	}
	return out
}
